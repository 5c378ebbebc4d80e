"""What a peer is told of a network: its kind and sizes."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.errors import UserError
from jaxgan.nets.dcgan import Critic28, Generator28
from jaxgan.nets.hifigan import HiFiGAN
from jaxgan.nets.mlp import MLP
from jaxgan.nets.patch import PatchCritic
from jaxgan.nets.resnet import ResNetGenerator
from jaxgan.nets.srresnet import SRCritic, SRResNet
from jaxgan.nets.text2image import WithLexicon, WordCritic, WordGenerator
from jaxgan.nets.unet import UNet
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VolumeCritic
from jaxgan.nets.wave_critics import WaveCritics
from jaxgan.state import PlayerSpec


def sizes(spec: PlayerSpec) -> dict[str, Any]:
    """A network's kind and sizes; UserError where the peers have no such network."""
    network, inputs = bare(spec), spec.inputs[0].shape
    channels = sum(given.shape[-1] for given in spec.inputs)
    names: tuple[str, ...]
    match network:
        case MLP():
            found: dict[str, Any] = {
                "inputs": int(np.prod(inputs[1:])),
                "features": list(network.features),
                "picture": bool(network.shape),
            }
            output = jnp.tanh if network.shape else None
            slope = 0.0 if network.shape else 0.2
            same = network.output is output and float(
                network.activation(jnp.float32(-1.0))
            ) == np.float32(-slope)
        case Generator28():
            found, same = {"inputs": inputs[1]}, True
        case Critic28():
            found, same = {}, True
        case SRResNet():
            found = _attributes(network, "channels", "blocks", "factor")
            same = network.normalise and not network.bicubic_skip and not network.smooth
        case SRCritic():
            found = {**_attributes(network, "channels", "dense"), "side": inputs[1]}
            same = network.dense > 0
        case UNet():
            names = ("out_channels", "depth", "channels", "most", "dropout")
            found = {"inputs": channels, **_attributes(network, *names)}
            same = network.norm == "batch"
        case ResNetGenerator():
            found = {
                "inputs": channels,
                **_attributes(network, "out_channels", "blocks", "channels"),
            }
            same = True
        case PatchCritic():
            found = {"inputs": channels, **_attributes(network, "layers", "channels", "norm")}
            same = network.norm in ("batch", "instance")
        case WordGenerator():
            names = ("size", "embedding", "features", "dropout", "start", "channels", "kernel")
            found = {"inputs": inputs[1], **_attributes(network, *names)}
            same = network.kernel % 2 == 1
        case WordCritic():
            found = _attributes(network, "size", "embedding", "features", "width", "kernel")
            same = inputs[1:] == (28, 28, 1)
        case FilmGenerator():
            names = ("first", "width", "stages", "channels")
            found, same = {"inputs": inputs[1], **_attributes(network, *names)}, True
        case VolumeCritic():
            divisor = 2**network.stages
            found = {
                "inputs": inputs[-1],
                "first": [side // divisor for side in inputs[1:-1]],
                **_attributes(network, "width", "stages"),
            }
            sides = inputs[1:-1]
            same = (
                network.batch_norm
                and len(sides) == 3
                and all(side % divisor == 0 for side in sides)
            )
        case HiFiGAN():
            names = ("channels", "upsampling", "blocks", "deep")
            found = {"inputs": inputs[-1], **_attributes(network, *names)}
            same = all((kernel - stride) % 2 == 0 for stride, kernel in network.upsampling)
        case WaveCritics():
            found, same = _attributes(network, "periods", "scales", "width"), True
        case _:
            found, same = {}, False
    if not same:
        raise UserError(f"no peer has a network like {network}")
    return {"kind": type(network).__name__, **found}


def bare(spec: PlayerSpec) -> Any:
    """A player's network without the words that it may carry."""
    return spec.network.network if isinstance(spec.network, WithLexicon) else spec.network


def _attributes(network: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(network, name) for name in names}
