"""Minibatch discrimination and the features that it, and feature matching, look at."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.nets.mlp import MLP
from jaxgan.ops.hidden import last_hidden
from jaxgan.ops.minibatch import MinibatchDiscrimination, WithMinibatchDiscrimination
from jaxgan.state import Network

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def likeness(features, tensor):
    """Equations 6 to 8 of arXiv 1606.03498, a pair at a time."""
    matrix = np.einsum("na,abc->nbc", features.astype(np.float64), tensor.astype(np.float64))
    out = np.zeros(matrix.shape[:2])
    for i, j in np.ndindex(len(matrix), len(matrix)):
        out[i] += np.exp(-np.abs(matrix[i] - matrix[j]).sum(axis=1))
    return out


def test_the_layer_is_that_of_the_paper():
    layer = MinibatchDiscrimination(kernels=4, size=2)
    found, variables = layer.init_with_output(jax.random.key(0), jnp.asarray(X))
    tensor = np.asarray(variables["params"]["tensor"]).reshape(3, 4, 2)
    np.testing.assert_allclose(found, likeness(X, tensor), rtol=1e-5)


def test_adding_to_the_logits_is_joining_the_hidden_layer():
    critic = MLP((6, 1))
    module = WithMinibatchDiscrimination(critic, kernels=4, size=2)
    logits, variables = module.init_with_output(jax.random.key(0), jnp.asarray(X), train=True)
    params = jax.tree.map(np.asarray, variables["params"])
    dense = params["critic"]
    hidden = np.maximum(X @ dense["Dense_0"]["kernel"] + dense["Dense_0"]["bias"], 0)
    tensor = params["MinibatchDiscrimination_0"]["tensor"].reshape(6, 4, 2)
    joined = np.concatenate([hidden, likeness(hidden, tensor)], axis=1)
    kernel = np.concatenate([dense["Dense_1"]["kernel"], params["weight"]])
    np.testing.assert_allclose(logits, joined @ kernel + dense["Dense_1"]["bias"], rtol=1e-4)
    # The features are those of the critic, and not of the layer that was added.
    network = Network(module, variables["params"], {})
    _, features = last_hidden(lambda: network(jnp.asarray(X)))
    np.testing.assert_allclose(features, hidden, rtol=1e-5)


def test_a_critic_without_features_is_refused():
    with pytest.raises(UserError, match="no layer with a `kernel`"):
        last_hidden(lambda: jnp.zeros(3))
