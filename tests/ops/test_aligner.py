"""The aligner against the paper's formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from jaxgan.ops.aligner import align


def test_weights_are_the_papers():
    random = np.random.default_rng(0)
    lengths = random.uniform(0.5, 4, (2, 6))
    real = np.arange(6)[None] < np.array([[6], [4]])
    frames = np.array([12, 7])
    spoken = np.arange(13)[None] < frames[:, None]
    made = jax.jit(align)(jnp.asarray(lengths, jnp.float32), jnp.asarray(real), jnp.asarray(spoken))
    for row, (count, total) in enumerate(zip((6, 4), frames, strict=True)):
        l = lengths[row, :count] * total / lengths[row, :count].sum()  # noqa: E741
        centres = np.cumsum(l) - l / 2
        t = np.arange(13) + 0.5
        wanted = softmax(-((t[:, None] - centres) ** 2) / 2.0, axis=1)
        np.testing.assert_allclose(made.weights[row, :, :count], wanted, atol=1e-5)
        np.testing.assert_array_equal(made.weights[row, :, count:], 0)
        np.testing.assert_allclose(made.pace[row], wanted @ l, rtol=1e-4)
        offset = (wanted * (t[:, None] - centres)).sum(1) / np.maximum(wanted @ l, 1)
        np.testing.assert_allclose(made.offset[row], np.clip(offset, -1, 1), atol=1e-4)


def test_it_learns_lengths_from_what_is_heard():
    """Descent on the weights alone finds where the symbols lie."""
    spoken, real = jnp.ones((1, 20), bool), jnp.ones((1, 3), bool)
    wanted = align(jnp.asarray([[4.0, 10.0, 6.0]]), real, spoken).weights

    def lost(logits):
        return jnp.square(align(jax.nn.softplus(logits), real, spoken).weights - wanted).sum()

    logits, descend = jnp.ones((1, 3)), jax.jit(jax.grad(lost))
    for _ in range(300):
        logits = logits - 0.1 * descend(logits)
    found = jax.nn.softplus(logits)
    np.testing.assert_allclose(20 * found / found.sum(), [[4, 10, 6]], atol=0.3)
