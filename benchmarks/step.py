"""Times training steps with the closed convolutions and with plain flax layers, in one run.

    python -m benchmarks.step
    python -m benchmarks.step --systems=dcgan_mnist --groups=7 --json=step.json

Plain means what `nn.Conv` and `nn.ConvTranspose` call, `lax.conv_general_dilated` and
`lax.conv_transpose`, differentiated by JAX; networks, parameters, losses and optimisers are the
same. The two are timed in turns, so that a machine that slows down slows both.
"""

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.machine import describe_machine
from jaxgan import losses
from jaxgan.console import table
from jaxgan.game import Phase, System
from jaxgan.nets.dcgan import Critic28, Generator28
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.ops import layers
from jaxgan.state import PlayerSpec, create_state
from jaxgan.step import Rules, make_step
from jaxgan.systems.adversarial import adversarial
from jaxgan.systems.superres import superres

PHASES = (
    Phase("critic", ("critic",), "critic"),
    Phase("generator", ("generator",), "generator"),
)


def shape(*sizes: int) -> tuple[jax.ShapeDtypeStruct]:
    """The single float input of a network."""
    return (jax.ShapeDtypeStruct((1, *sizes), jnp.float32),)


def dcgan_mnist() -> tuple[System, dict[str, np.ndarray]]:
    """The tutorials' DCGAN on 28x28 pictures, batch 128."""
    adam = optax.adam(2e-4, b1=0.5)
    system = adversarial(
        PlayerSpec(Generator28(), shape(100), adam),
        PlayerSpec(Critic28(), shape(28, 28, 1), adam),
        losses.bce(),
        latent_size=100,
    )
    random = np.random.default_rng(0)
    return system, {"real": random.uniform(-1, 1, (128, 28, 28, 1)).astype(np.float32)}


def srgan(blocks: int = 16, batch: int = 16) -> tuple[System, dict[str, np.ndarray]]:
    """The adversarial step of SRGAN at the paper's sizes: 24 to 96 pixels, batch 16."""
    system = superres(
        PlayerSpec(SRResNet(blocks=blocks), shape(24, 24, 3), optax.adam(1e-4)),
        PlayerSpec(SRCritic(), shape(96, 96, 3), optax.adam(1e-4)),
        losses.bce(),
        adversarial_weight=1e-3,
    )
    random = np.random.default_rng(0)
    return system, {
        "low": random.integers(0, 256, (batch, 24, 24, 3), np.uint8),
        "high": random.integers(0, 256, (batch, 96, 96, 3), np.uint8),
    }


SYSTEMS = {"dcgan_mnist": dcgan_mnist, "srgan": srgan}


def plain_conv(x, kernel, *, stride=1, padding="SAME", dilation=1, groups=1):
    """What flax's `nn.Conv` calls."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def plain_conv_transpose(x, kernel, *, stride=1, padding="SAME", output_padding=0):
    """What flax's `nn.ConvTranspose` calls."""
    return lax.conv_transpose(x, kernel, (stride, stride), padding)


@contextlib.contextmanager
def plain_layers() -> Iterator[None]:
    """While open, the convolution layers are flax's."""
    with (
        mock.patch.object(layers, "conv", plain_conv),
        mock.patch.object(layers, "conv_transpose", plain_conv_transpose),
    ):
        yield


def compiled_step(system: System, batch: dict[str, np.ndarray]) -> Callable[[], None]:
    """Compiles the step of a system; returns a function that takes one and waits for it."""
    size = len(next(iter(batch.values())))
    on_device = jax.tree.map(jnp.asarray, batch)
    state = jax.jit(lambda key: create_state(system.players, system.memory, key))(jax.random.key(0))
    jitted = jax.jit(make_step(system, PHASES, Rules(size)), donate_argnums=0)
    step = jitted.lower(state, [on_device]).compile()
    held = [state]

    def take() -> None:
        state, metrics = step(held.pop(), [on_device])
        jax.block_until_ready(metrics)
        held.append(jax.block_until_ready(state))

    return take


def milliseconds(take: Callable[[], None], seconds: float) -> float:
    """Milliseconds a step, over as many steps as fit into about `seconds`, at least one."""
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < seconds:
        take()
        steps += 1
    return 1000 * (time.perf_counter() - began) / steps


def compare(name: str, groups: int, seconds: float) -> dict[str, float]:
    """Times one system both ways, in turns: medians, spreads and the median of the ratios."""
    closed = compiled_step(*SYSTEMS[name]())
    with plain_layers():
        plain = compiled_step(*SYSTEMS[name]())
    closed(), plain()
    times = [(milliseconds(closed, seconds), milliseconds(plain, seconds)) for _ in range(groups)]
    closed_times, plain_times = zip(*times, strict=True)
    return {
        "closed_ms": statistics.median(closed_times),
        "closed_spread_ms": max(closed_times) - min(closed_times),
        "plain_ms": statistics.median(plain_times),
        "plain_spread_ms": max(plain_times) - min(plain_times),
        "plain_over_closed": statistics.median(p / c for c, p in times),
    }


def main() -> None:
    """Parses the arguments, times, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of: " + ", ".join(SYSTEMS))
    parser.add_argument("--groups", type=int, default=5, help="groups of steps, the two in turns")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one group")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    found = {
        name: compare(name, arguments.groups, arguments.seconds)
        for name in arguments.systems.split(",")
    }
    machine = describe_machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    rows = [
        (
            name,
            f"{f['closed_ms']:.0f} (spread {f['closed_spread_ms']:.0f})",
            f"{f['plain_ms']:.0f} (spread {f['plain_spread_ms']:.0f})",
            f"{f['plain_over_closed']:.2f}",
        )
        for name, f in found.items()
    ]
    print(table(("step", "closed, ms", "plain flax, ms", "plain / closed"), rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "steps": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
