"""What is timed: every experiment at its paper's sizes or those named here, and a few variants."""

import dataclasses
from collections.abc import Sequence

from jaxgan import experiment as experiments
from jaxgan.errors import UserError, did_you_mean

SUITES = ("cpu", "gpu", "all", "gate")


@dataclasses.dataclass(frozen=True)
class Subject:
    """A step to be timed.

    Attributes:
      name: what it is called in results.
      flags: those of `python -m jaxgan.main` that describe it.
      checked: further flags under which peers show that they compute the same.
    """

    name: str
    flags: tuple[str, ...]
    checked: tuple[str, ...] = ()


# Adam's first steps are signs of gradients. At the paper's learning rate two of them turn what was
# rounding into two per cent of CycleGAN's losses and thousandths of VGAN's and HiFi-GAN's, and the
# five of one step of WGAN-GP into 1.5e-4 of its; the time of a step does not depend on it.
CHECKED = {
    "cyclegan_horse2zebra": ("--learning_rate=2e-6",),
    "wgan_gp": ("--learning_rate=2e-5",),
    "video_gan": ("--learning_rate=2e-5",),
    "hifigan_vocoder": ("--learning_rate=2e-6",),
}


def subject(name: str, experiment: str, *flags: str, scale: str = "full") -> Subject:
    """An experiment at full size on pictures that need no network, and further flags."""
    words = (f"--experiment={experiment}", f"--scale={scale}", "--data=sample", *flags)
    return Subject(name, words, CHECKED.get(name, ()))


# What a CPU can time at the paper's networks: pictures of 128x128, and small batches.
SIZES = {
    "pix2pix_facades": ("--side=128", "--channels=64", "--critic_channels=64", "--batch_size=1"),
    "cyclegan_horse2zebra": (
        "--side=128",
        "--blocks=6",
        "--channels=64",
        "--critic_channels=64",
        "--batch_size=1",
    ),
    # Without moving averages, which no peer keeps.
    "video_gan": ("--batch_size=8", "--ema_halflife=0"),
    "hifigan_vocoder": ("--batch_size=2",),
}
# A step at full size would take a CPU up to a minute, and one of plain layers many.
SMALL_ON_CPU = (
    "colorize",
    "deepfake_detector",
    "denoise",
    "faceswap",
    "gan3d",
    "inpaint_celeba",
    "music_gan",
    "pix2pix_cityscapes",
    "pix2pix_sketch2face",
    "seqgan",
    "text2image_captions",
    "tts_ljspeech",
    "video_prediction",
)
VARIANTS = (
    subject("wgan_gp", "dcgan_mnist", "--loss=wgan_gp", "--n_critic=5", "--batch_size=64"),
    # One pass of the critic for both players, where that is exact.
    subject("dcgan_simultaneous", "dcgan_mnist", "--update=simultaneous"),
    subject("vanilla_simultaneous", "vanilla_mnist", "--update=simultaneous"),
    # Beside dcgan_mnist: what a penalty of the second order costs.
    subject("dcgan_r1", "dcgan_mnist", "--penalty=r1"),
    subject("dcgan_gradient_penalty", "dcgan_mnist", "--penalty=gradient_penalty"),
)
# What fits into a minute. The networks are whole; batches are small for the plain layers' sake,
# which take a second for each of these steps.
GATE = (
    subject("gate_dcgan", "dcgan_mnist", "--batch_size=32"),
    # As the baseline was taken, whatever the experiment's own defaults become.
    subject(
        "gate_gaussians",
        "gaussians",
        "--loss=relativistic",
        "--penalty=r1",
        "--penalty_weight=1",
        "--n_critic=1",
        "--units=128",
        "--latent_size=256",
        "--learning_rate=1e-3",
        "--b1=0",
    ),
)


def of_experiment(name: str, suite: str) -> Subject:
    """The subject that an experiment is in a suite."""
    scale = "small" if suite == "cpu" and name in SMALL_ON_CPU else "full"
    return subject(name, name, *SIZES.get(name, ()), scale=scale)


def subjects(suite: str, names: Sequence[str] = ()) -> list[Subject]:
    """The subjects of a suite, or those of them that are named.

    Raises:
      UserError: a name that the suite does not have.
    """
    if suite == "gate":
        known = list(GATE)
    else:
        known = [*(of_experiment(name, suite) for name in experiments.available()), *VARIANTS]
    by_name = {one.name: one for one in known}
    for name in names:
        if name not in by_name:
            raise UserError(f"--systems={name}, {did_you_mean(name, by_name)}")
    return [by_name[name] for name in names] if names else known
