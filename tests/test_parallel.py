"""Meshes, shardings and global batches on the two devices of conftest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from jaxgan import parallel
from jaxgan.errors import UserError


def test_mesh_has_one_auto_axis_in_order_of_devices():
    mesh = parallel.make_mesh()
    assert mesh.axis_names == ("data",)
    assert mesh.axis_types == (AxisType.Auto,)
    assert list(mesh.devices) == jax.devices()
    backwards = parallel.make_mesh(jax.devices()[::-1])
    assert list(backwards.devices) == jax.devices()
    assert parallel.make_mesh(jax.devices()[1:]).size == 1


def test_state_sharding_splits_only_large_leaves_that_divide():
    mesh = parallel.make_mesh()
    shape = jax.ShapeDtypeStruct
    state = {
        "kernel": shape((3, 3, 256, 512), jnp.float32),
        "square": shape((512, 512), jnp.float32),
        "first": shape((1024, 257), jnp.float32),
        "odd": shape((513, 513), jnp.float32),
        "small": shape((512, 511), jnp.float32),
        "half": shape((512, 512), jnp.bfloat16),
        "step": shape((), jnp.int32),
        "key": jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2**17)),
        "none": None,
        "empty": {},
    }
    expected = {
        "kernel": PartitionSpec(None, None, None, "data"),
        "square": PartitionSpec(None, "data"),
        "first": PartitionSpec("data"),
        **{name: PartitionSpec() for name in ("odd", "small", "half", "step", "key")},
        "none": None,
        "empty": {},
    }
    found = parallel.state_sharding(state, mesh, fsdp=True)
    assert jax.tree.map(lambda sharding: sharding.spec, found) == expected
    whole = parallel.state_sharding(state, mesh, fsdp=False)
    assert all(sharding.is_fully_replicated for sharding in jax.tree.leaves(whole))
    assert jax.tree.structure(whole) == jax.tree.structure(state)
    alone = parallel.state_sharding(state, parallel.make_mesh(jax.devices()[:1]), fsdp=True)
    assert all(sharding.spec == PartitionSpec() for sharding in jax.tree.leaves(alone))


def test_global_batch_puts_half_of_the_rows_on_each_device():
    mesh = parallel.make_mesh()
    rows = {"image": np.arange(4 * 3, dtype=np.uint8).reshape(4, 3), "label": np.arange(4)}
    rows["label"] = rows["label"].astype(np.int32)
    batch = parallel.global_batch(rows, mesh)
    for name, array in batch.items():
        assert array.dtype == rows[name].dtype
        np.testing.assert_array_equal(array, rows[name])
        assert array.sharding == parallel.batch_sharding(mesh)
        first, second = array.addressable_shards
        np.testing.assert_array_equal(first.data, rows[name][:2])
        np.testing.assert_array_equal(second.data, rows[name][2:])


def test_loss_and_gradient_do_not_depend_on_devices_or_fsdp():
    """Batch statistics are global: NumPy's figure for the whole batch, however it is laid out."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(8, 512)).astype(np.float32)
    kernel = random.normal(size=(512, 512)).astype(np.float32) / 23

    def loss(params, batch):
        hidden = batch["x"] @ params["kernel"]
        mean = hidden.mean(axis=0, keepdims=True)
        scale = jax.lax.rsqrt(hidden.var(axis=0, keepdims=True) + 1e-5)
        return jnp.mean(jax.nn.softplus((hidden - mean) * scale))

    wide = rows.astype(np.float64) @ kernel
    normal = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5)
    expected = np.logaddexp(0, normal).mean()
    gradients = []
    for count, fsdp in ((1, False), (2, False), (2, True)):
        mesh = parallel.make_mesh(jax.devices()[:count])
        params = {"kernel": kernel}
        sharding = parallel.state_sharding(params, mesh, fsdp=fsdp)
        params = jax.device_put(params, sharding)
        step = jax.jit(jax.value_and_grad(loss), out_shardings=(None, sharding))
        value, gradient = step(params, parallel.global_batch({"x": rows}, mesh))
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        assert gradient["kernel"].sharding.is_fully_replicated == (not fsdp)
        gradients.append(np.asarray(gradient["kernel"]))
    np.testing.assert_allclose(gradients[1], gradients[0], atol=1e-7)
    np.testing.assert_allclose(gradients[2], gradients[0], atol=1e-7)


def test_batch_size_must_divide():
    mesh = parallel.make_mesh()
    parallel.check_batch_size(2, mesh)
    parallel.check_batch_size(16, mesh)
    with pytest.raises(UserError, match=r"--batch_size=15 .* 2 devices: use 14 or 16\."):
        parallel.check_batch_size(15, mesh)
    with pytest.raises(UserError, match=r"use 2\."):
        parallel.check_batch_size(1, mesh)
    with pytest.raises(UserError, match=r"use 2\."):
        parallel.check_batch_size(0, mesh)
    alone = parallel.make_mesh(jax.devices()[:1])
    parallel.check_batch_size(1, alone)
    with pytest.raises(UserError, match="at least 1"):
        parallel.check_batch_size(0, alone)
