"""Inception-v3 on random weights against a forward pass in NumPy, and PyTorch's where it is."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgan.errors import UserError
from jaxgan.nets.inception import InceptionV3, load_inception
from jaxgan.ops.resample import bilinear_matrix, resize

# A layer's kernel (rows, columns), channels in and out, as the table of the published weights has
# them; written out here once more so that a slip in the module cannot hide.
STEM = {
    "Conv2d_1a_3x3": (3, 3, 3, 32),
    "Conv2d_2a_3x3": (3, 3, 32, 32),
    "Conv2d_2b_3x3": (3, 3, 32, 64),
    "Conv2d_3b_1x1": (1, 1, 64, 80),
    "Conv2d_4a_3x3": (3, 3, 80, 192),
}


def a(n, pooled):
    return {
        "branch1x1": (1, 1, n, 64),
        "branch5x5_1": (1, 1, n, 48),
        "branch5x5_2": (5, 5, 48, 64),
        "branch3x3dbl_1": (1, 1, n, 64),
        "branch3x3dbl_2": (3, 3, 64, 96),
        "branch3x3dbl_3": (3, 3, 96, 96),
        "branch_pool": (1, 1, n, pooled),
    }


def c(k):
    return {
        "branch1x1": (1, 1, 768, 192),
        "branch7x7_1": (1, 1, 768, k),
        "branch7x7_2": (1, 7, k, k),
        "branch7x7_3": (7, 1, k, 192),
        "branch7x7dbl_1": (1, 1, 768, k),
        "branch7x7dbl_2": (7, 1, k, k),
        "branch7x7dbl_3": (1, 7, k, k),
        "branch7x7dbl_4": (7, 1, k, k),
        "branch7x7dbl_5": (1, 7, k, 192),
        "branch_pool": (1, 1, 768, 192),
    }


def e(n):
    return {
        "branch1x1": (1, 1, n, 320),
        "branch3x3_1": (1, 1, n, 384),
        "branch3x3_2a": (1, 3, 384, 384),
        "branch3x3_2b": (3, 1, 384, 384),
        "branch3x3dbl_1": (1, 1, n, 448),
        "branch3x3dbl_2": (3, 3, 448, 384),
        "branch3x3dbl_3a": (1, 3, 384, 384),
        "branch3x3dbl_3b": (3, 1, 384, 384),
        "branch_pool": (1, 1, n, 192),
    }


BLOCKS = {
    "Mixed_5b": a(192, 32),
    "Mixed_5c": a(256, 64),
    "Mixed_5d": a(288, 64),
    "Mixed_6a": {
        "branch3x3": (3, 3, 288, 384),
        "branch3x3dbl_1": (1, 1, 288, 64),
        "branch3x3dbl_2": (3, 3, 64, 96),
        "branch3x3dbl_3": (3, 3, 96, 96),
    },
    "Mixed_6b": c(128),
    "Mixed_6c": c(160),
    "Mixed_6d": c(160),
    "Mixed_6e": c(192),
    "Mixed_7a": {
        "branch3x3_1": (1, 1, 768, 192),
        "branch3x3_2": (3, 3, 192, 320),
        "branch7x7x3_1": (1, 1, 768, 192),
        "branch7x7x3_2": (1, 7, 192, 192),
        "branch7x7x3_3": (7, 1, 192, 192),
        "branch7x7x3_4": (3, 3, 192, 192),
    },
    "Mixed_7b": e(1280),
    "Mixed_7c": e(2048),
}
# Of the last convolution of each branch, in the order in which they are joined; a tuple splits.
BRANCHES = {
    "5": [
        ["branch1x1"],
        ["branch5x5_1", "branch5x5_2"],
        ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
    ],
    "6a": [["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"]],
    "6": [
        ["branch1x1"],
        ["branch7x7_1", "branch7x7_2", "branch7x7_3"],
        [f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)],
    ],
    "7a": [["branch3x3_1", "branch3x3_2"], [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)]],
    "7": [
        ["branch1x1"],
        ["branch3x3_1", ("branch3x3_2a", "branch3x3_2b")],
        ["branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")],
    ],
}
STRIDED = {
    "Conv2d_1a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
}
UNPADDED = STRIDED | {"Conv2d_2a_3x3", "Conv2d_4a_3x3"}


def layers():
    inner = {f"{b}.{name}": shape for b, block in BLOCKS.items() for name, shape in block.items()}
    return {**STEM, **inner}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    random = np.random.default_rng(0)
    arrays = {}
    for name, (rows, columns, inputs, outputs) in layers().items():
        kernel = random.standard_normal((outputs, inputs, rows, columns), np.float32)
        arrays[f"{name}.conv.weight"] = kernel * np.float32(np.sqrt(2 / (rows * columns * inputs)))
        arrays[f"{name}.bn.weight"] = random.uniform(0.8, 1.2, outputs).astype(np.float32)
        arrays[f"{name}.bn.bias"] = 0.1 * random.standard_normal(outputs, np.float32)
        arrays[f"{name}.bn.running_mean"] = 0.1 * random.standard_normal(outputs, np.float32)
        arrays[f"{name}.bn.running_var"] = random.uniform(0.5, 1.5, outputs).astype(np.float32)
        arrays[f"{name}.bn.num_batches_tracked"] = np.array(0)
    arrays["fc.weight"] = 0.02 * random.standard_normal((1008, 2048), np.float32)
    arrays["fc.bias"] = np.ones(1008, np.float32)
    path = tmp_path_factory.mktemp("inception") / "inception.npz"
    np.savez(path, **arrays)
    return path, arrays


class Reference:
    """float64, channels last, convolutions as matrix products over windows, no flax and no jax."""

    def __init__(self, arrays):
        self.arrays = arrays

    def conv(self, x, name):
        kernel = self.arrays[f"{name}.conv.weight"].astype(np.float64)
        _, _, rows, columns = kernel.shape
        if name not in UNPADDED:
            r, c = rows // 2, columns // 2
            x = np.pad(x, ((0, 0), (r, r), (c, c), (0, 0)))
        step = 2 if name in STRIDED else 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (1, 2))
        y = np.tensordot(windows[:, ::step, ::step], kernel, ((3, 4, 5), (1, 2, 3)))
        scale, shift, mean, variance = (
            self.arrays[f"{name}.bn.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return np.maximum((y - mean) / np.sqrt(variance + 0.001) * scale + shift, 0)

    @staticmethod
    def pool(x, how, step, pad):
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=np.nan)
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
        return how(windows[:, ::step, ::step], (4, 5))

    def block(self, x, name):
        branches = BRANCHES.get(name[6:]) or BRANCHES[name[6]]
        parts = []
        for branch in branches:
            y = x
            for step in branch:
                if isinstance(step, tuple):
                    y = np.concatenate([self.conv(y, f"{name}.{half}") for half in step], -1)
                else:
                    y = self.conv(y, f"{name}.{step}")
            parts.append(y)
        if name in ("Mixed_6a", "Mixed_7a"):
            return np.concatenate([*parts, self.pool(x, np.max, 2, 0)], -1)
        how = np.nanmax if name == "Mixed_7c" else np.nanmean
        return np.concatenate(
            [*parts, self.conv(self.pool(x, how, 1, 1), f"{name}.branch_pool")], -1
        )

    def __call__(self, x):
        outputs = {}
        for name in STEM:
            x = outputs[name] = self.conv(x, name)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = self.pool(x, np.max, 2, 0)
        for name in BLOCKS:
            x = outputs[name] = self.block(x, name)
        features = x.mean((1, 2))
        return features, features @ self.arrays["fc.weight"].astype(np.float64).T, outputs


def pictures(side=107):
    return np.random.default_rng(1).uniform(-1, 1, (2, side, side + 4, 3)).astype(np.float32)


def test_every_layer_equals_the_reference(weights):
    path, arrays = weights
    module, params, digest = load_inception(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    images = pictures()
    (features, logits), seen = jax.jit(
        lambda p, x: module.apply({"params": p}, x, capture_intermediates=True)
    )(params, images)
    want_features, want_logits, outputs = Reference(arrays)(images.astype(np.float64))
    for name, want in outputs.items():
        got = seen["intermediates"][name]["__call__"][0]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=2e-4 * np.abs(want).max(), err_msg=name)
    # More than one pixel is left at the end, so that pooling and its padding matter there.
    assert outputs["Mixed_7c"].shape == (2, 2, 2, 2048)
    assert features.shape == (2, 2048) and logits.shape == (2, 1008)
    np.testing.assert_allclose(features, want_features, atol=2e-4 * want_features.max())
    np.testing.assert_allclose(logits, want_logits, atol=2e-4 * np.abs(want_logits).max())


def test_equals_pytorch(weights):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    _, arrays = weights

    class PyTorch(Reference):
        def conv(self, x, name):
            weight, *rest = (
                torch.from_numpy(self.arrays[f"{name}.{part}"])
                for part in ("conv.weight", "bn.running_mean", "bn.running_var", "bn.weight")
            )
            bias = torch.from_numpy(self.arrays[f"{name}.bn.bias"])
            pad = (0, 0) if name in UNPADDED else (weight.shape[2] // 2, weight.shape[3] // 2)
            y = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))
            y = functional.conv2d(y, weight, stride=2 if name in STRIDED else 1, padding=pad)
            y = functional.batch_norm(y, *rest, bias, eps=0.001)
            return functional.relu(y).numpy().transpose(0, 2, 3, 1)

        @staticmethod
        def pool(x, how, step, pad):
            y = torch.from_numpy(x.transpose(0, 3, 1, 2))
            if how is np.nanmean:
                y = functional.avg_pool2d(y, 3, step, pad, count_include_pad=False)
            else:
                y = functional.max_pool2d(y, 3, step, pad)
            return y.numpy().transpose(0, 2, 3, 1)

    images = pictures()
    want, want_logits, _ = PyTorch(arrays)(images)
    module, params, _ = load_inception(weights[0])
    features, logits = jax.jit(module.apply)({"params": params}, images)
    np.testing.assert_allclose(features, want, atol=2e-4 * want.max())
    np.testing.assert_allclose(logits, want_logits, atol=2e-4 * np.abs(want_logits).max())


def test_parameters_are_those_that_the_module_would_make(weights):
    _, params, _ = load_inception(weights[0])
    image = jax.ShapeDtypeStruct((1, 299, 299, 3), jnp.float32)
    made = jax.eval_shape(InceptionV3().init, jax.random.key(0), image)["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, made)
    # torchvision's has 23 834 568 parameters without its second head: 2 049 000 of the classifier,
    # a scale and a shift for each of 17 216 channels, and the kernels.
    count = sum(int(np.prod(shape)) for shape in layers().values())
    assert sum(p.size for p in jax.tree.leaves(made)) == count + 17_216 + 1008 * 2048
    assert count == 23_834_568 - 2_049_000 - 2 * 17_216


def test_wrong_weights_are_named(tmp_path, weights):
    _, arrays = weights
    small = tmp_path / "w.npz"

    def refused(match, digest=None, **changes):
        np.savez(small, **{k: v for k, v in {**few, **changes}.items() if v is not None})
        with pytest.raises(UserError, match=match) as error:
            load_inception(small, digest)
        assert "\n" not in str(error.value)

    few = {k: v for k, v in arrays.items() if k.startswith("Conv2d_1a_3x3")}
    refused(r"w\.npz is not Inception-v3.*is not there")
    few = arrays
    refused(r"fc\.weight has the shape \(1000, 2048\)", **{"fc.weight": np.ones((1000, 2048))})
    refused(
        r"Mixed_7c\.branch_pool\.bn\.running_var is not there",
        **{"Mixed_7c.branch_pool.bn.running_var": None},
    )
    negative = {"Conv2d_1a_3x3.bn.running_var": -np.ones(32, np.float32)}
    refused(r"running_var has negative", **negative)
    refused(r"not finite", **{"Conv2d_1a_3x3.bn.bias": np.full(32, np.nan, np.float32)})


def test_the_hash_is_checked(tmp_path, weights):
    path, _ = weights
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_inception(path, digest.upper())[2] == digest
    assert load_inception(path, digest[:8])[2] == digest
    with pytest.raises(UserError, match=rf"inception\.npz has the SHA-256 {digest}, not 6726825d"):
        load_inception(path, "6726825d")
    for wrong in ("6726825", "not a hash", "0" * 65):
        with pytest.raises(UserError, match="is no SHA-256"):
            load_inception(path, wrong)
    with pytest.raises(UserError, match="cannot read the weights"):
        load_inception(tmp_path / "none.pth")


@pytest.mark.parametrize("shape", [(1, 74, 75, 3), (1, 75, 75, 1), (75, 75, 3)])
def test_wrong_pictures(shape):
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    with pytest.raises(ValueError, match="75 x 75"):
        jax.eval_shape(InceptionV3().init, jax.random.key(0), image)


@pytest.mark.parametrize(("size", "wanted"), [(28, 299), (1, 5), (7, 7), (400, 299), (13, 3)])
def test_bilinear_resizing(size, wanted):
    image = np.random.default_rng(2).uniform(0, 255, (1, size, 31, 2)).astype(np.float32)
    rows, columns = bilinear_matrix(size, wanted), bilinear_matrix(31, 20)
    np.testing.assert_allclose(rows.sum(1), 1)
    got = np.asarray(resize(jnp.asarray(image), rows, columns))
    # SciPy's linear interpolation at the same places, its border repeated.
    places = [(np.arange(m) + 0.5) * n / m - 0.5 for n, m in ((size, wanted), (31, 20))]
    for channel in range(2):
        want = ndimage.map_coordinates(
            image[0, ..., channel].astype(float),
            np.meshgrid(*places, indexing="ij"),
            order=1,
            mode="nearest",
        )
        np.testing.assert_allclose(got[0, ..., channel], want, atol=2e-3)


def test_bilinear_resizing_equals_pytorch():
    torch = pytest.importorskip("torch")
    for size in (28, 400):
        image = torch.from_numpy(np.random.default_rng(3).random((1, 2, size, 64)))
        want = torch.nn.functional.interpolate(image, (299, 299), mode="bilinear")
        got = bilinear_matrix(size, 299) @ image.numpy() @ bilinear_matrix(64, 299).T
        np.testing.assert_allclose(got, want.numpy(), atol=1e-12)
