"""The flags of experiments that learn from pairs, and the networks that they describe (pix2pix).

An experiment's file calls `define` or `define_photographs` where it sets its other flags.
`options` are the flags' values.
"""

from typing import Any

import jax.numpy as jnp
from absl import flags
from absl.flags import FlagValues

from jaxgan import image_flags
from jaxgan.errors import UserError
from jaxgan.nets.patch import PatchCritic, patch_critic
from jaxgan.nets.unet import UNet

# As in `image_flags`: flags belong to the file that has them defined.
flags.disclaim_key_flags()

# Sizes for a test.
TINY = {**image_flags.TINY, "receptive_field": 16}
# Sizes for two CPU cores: a few minutes.
SMALL = {
    "steps": 1_500,
    "batch_size": 4,
    "side": 64,
    "channels": 32,
    "critic_channels": 32,
    "receptive_field": 34,
    "learning_rate": 5e-4,
    "eval_every": 250,
    "checkpoint_every": 250,
}
# U-Nets halve no further (arXiv 1611.07004, section 6.1.1).
DEEPEST = 8


def define(
    *, receptive_field: int, direction: str = "AtoB", label_count: int = 0, **defaults: Any
) -> None:
    """Defines the flags of an experiment with pairs.

    Args:
      receptive_field: of the critic.
      direction: which side is the input.
      label_count: how many classes the label maps have; 0 where inputs are pictures.
      defaults: as `image_flags.define` takes them.
    """
    define_photographs(receptive_field=receptive_field, **defaults)
    flags.DEFINE_enum("direction", direction, ["AtoB", "BtoA"], "Which side is the input.")
    flags.DEFINE_integer(
        "label_count",
        label_count,
        "Classes of the label maps that are the input; 0: the inputs are pictures.",
        0,
        255,
    )
    flags.DEFINE_integer(
        "ignore_label", None, "The class of label maps that means none: it is not scored."
    )


def define_photographs(*, receptive_field: int, l1_weight: float = 100.0, **defaults: Any) -> None:
    """Defines the flags of an experiment whose inputs are made of photographs."""
    image_flags.define(**defaults)
    image_flags.define_critic(receptive_field)
    flags.DEFINE_float("l1_weight", l1_weight, "Of the distance to the target.", 0.0)
    flags.DEFINE_string("vgg_weights", None, "VGG-19 weights (.pth, .npz) for --perceptual_weight.")
    flags.DEFINE_float(
        "perceptual_weight", 0.0, "Of the distance of VGG-19's features to the target's.", 0.0
    )
    flags.DEFINE_string(
        "lpips_backbone", None, "AlexNet's or VGG-16's weights (.pth, .npz), to measure LPIPS with."
    )
    flags.DEFINE_string("lpips_heads", None, "The heads of LPIPS 0.1 (.pth, .npz) for it.")
    flags.DEFINE_float(
        "feature_matching", 0.0, "Of matching the critic's features, pair by pair; 0: none.", 0.0
    )


def unet(options: FlagValues) -> UNet:
    """The U-Net that the flags describe, down to a single pixel if `--side` is a power of two.

    Raises:
      UserError: `--side` cannot be halved often enough.
    """
    depth = min((options.side & -options.side).bit_length() - 1, DEEPEST)
    if depth < 3:
        raise UserError(f"--side={options.side} must be a multiple of 8, better a power of two")
    return UNet(depth=depth, channels=options.channels, dtype=jnp.dtype(options.dtype))


def critic(options: FlagValues) -> PatchCritic:
    """The critic of patches that the flags describe.

    Raises:
      UserError: there is none of that receptive field, or the pictures are too small for it.
    """
    dtype = jnp.dtype(options.dtype)
    return patch_critic(
        options.receptive_field, channels=options.critic_channels, norm="batch", dtype=dtype
    )
