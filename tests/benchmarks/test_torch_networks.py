"""The peers' networks in PyTorch compute what jaxgan's do on the same weights."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks.peers.network_sizes import sizes
from jaxgan.nets.hifigan import HiFiGAN
from jaxgan.nets.text2image import WordCritic, WordGenerator
from jaxgan.nets.vgan import FilmGenerator
from jaxgan.nets.volumes import VolumeCritic
from jaxgan.nets.wave_critics import WaveCritics
from jaxgan.state import PlayerSpec

torch = pytest.importorskip("torch")

from benchmarks.peers.torch_weights import load_weights, make_network  # noqa: E402

# Of different lengths, which the sample's words are not.
TEXT = np.array([[2, 0, 0], [3, 4, 0], [5, 6, 7], [0, 0, 0]], np.int32)
SMALL = {"size": 8, "embedding": 4, "features": 5}


def by_path(tree):
    """Leaves by their paths, as the peers are given them."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(part.key for part in path): np.array(leaf) for path, leaf in leaves}


def both(network, *inputs):
    """jaxgan's network with weights that are all drawn, and PyTorch's with the same."""
    variables = jax.jit(lambda *given: network.init(jax.random.key(0), *given, train=False))(
        *inputs
    )
    leaves, structure = jax.tree.flatten(variables["params"])
    random = np.random.default_rng(0)
    drawn = [leaf + random.normal(0, 0.1, leaf.shape).astype(np.float32) for leaf in leaves]
    params = jax.tree.unflatten(structure, drawn)
    others = {name: tree for name, tree in variables.items() if name != "params"}
    given = tuple(jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in inputs)
    theirs = make_network(sizes(PlayerSpec(network, given, optax.adam(1e-3))))
    load_weights(theirs, by_path(params), by_path(others))

    @jax.jit
    def ours(*inputs):
        rngs = {"dropout": jax.random.key(1)}
        return network.apply(
            {"params": params, **others}, *inputs, train=True, rngs=rngs, mutable=[*others]
        )[0]

    return ours, theirs


def normal(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def close(found, wanted):
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=2e-4, atol=2e-5)


def test_words_of_any_length():
    latent, pictures = normal(4, 3), normal(4, 28, 28, 1)
    text = torch.from_numpy(TEXT)
    generator = WordGenerator(**SMALL, dropout=0.0, start=2, channels=(4, 2))
    ours, theirs = both(generator, latent, TEXT)
    made = theirs(torch.from_numpy(latent), text)
    close(made.movedim(1, -1), ours(latent, TEXT))
    ours, theirs = both(WordCritic(**SMALL, width=2), pictures, TEXT)
    close(theirs(torch.from_numpy(pictures).movedim(-1, 1), text), ours(pictures, TEXT))


def test_films_and_the_cost_of_their_mask():
    latent, films = normal(2, 3), normal(2, 4, 8, 8, 3)
    generator = FilmGenerator(first=(1, 2, 2), stages=2, width=2)
    ours, theirs = both(generator, latent)
    film, mask = theirs(torch.from_numpy(latent))
    close(film.movedim(1, -1), ours(latent))
    assert mask.shape == (2, 1, 4, 8, 8) and 0 < mask.min() <= mask.max() < 1
    ours, theirs = both(VolumeCritic(width=2, stages=2), films)
    close(theirs(torch.from_numpy(films).movedim(-1, 1)), ours(films))


@pytest.mark.parametrize("deep", [True, False])
def test_sounds(deep):
    mel = normal(2, 6, 5)
    network = HiFiGAN(8, ((4, 8), (2, 4)), ((3, (1, 3)), (5, (2,))), deep)
    ours, theirs = both(network, mel)
    close(theirs(torch.from_numpy(mel).mT), ours(mel))


def test_critics_of_sounds_and_all_that_they_see():
    samples = normal(2, 200)
    ours, theirs = both(WaveCritics((2, 3), 2, 32), samples)
    wanted = ours(samples)
    found = theirs(torch.from_numpy(samples))
    assert len(found) == len(wanted) == 4
    for (logits, seen), (our_logits, our_seen) in zip(found, wanted, strict=True):
        periods = our_logits.ndim == 3
        # [batch, channels, rows, period] and [batch, period, rows, channels]; or without a period.
        theirs_as_ours = [x.transpose(1, 3) if periods else x.mT for x in (logits, *seen)]
        close(theirs_as_ours[0][..., 0], our_logits)
        for one, other in zip(theirs_as_ours[1:], our_seen, strict=True):
            close(one, other)


def test_spectral_vectors_are_kept_only_while_the_weight_moves():
    from benchmarks.peers.torch_vocoder import SpectralNorm

    weight = torch.from_numpy(normal(4, 3, 5))
    norm = SpectralNorm(weight)
    before = norm.left.clone()
    resting = norm(weight)
    assert torch.equal(norm.left, before)
    assert torch.equal(norm(weight.clone().requires_grad_()).detach(), resting)
    for _ in range(50):
        scaled = norm(weight.clone().requires_grad_())
    assert not torch.equal(norm.left, before)
    assert float(torch.linalg.matrix_norm(scaled.detach().flatten(1), 2)) == pytest.approx(
        1, rel=1e-4
    )


def test_a_parameter_without_its_place_is_named():
    network = nn.Dense(2)
    params = by_path(network.init(jax.random.key(0), jnp.zeros((1, 3)))["params"])
    peer = torch.nn.ModuleList([torch.nn.Linear(3, 2)])
    named = {f"Dense_0/{name}": array for name, array in params.items()}
    with pytest.raises(ValueError, match="Dense_1/bias"):
        load_weights(peer, {**named, "Dense_1/bias": params["bias"]}, {})
