"""Weights files, written by hand byte by byte, and the files that must be refused."""

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import ClassVar

import ml_dtypes
import numpy as np
import pytest

from jaxgan.errors import UserError
from jaxgan.weights import read_weights, sha256


class Storage:
    """What torch keeps beneath a tensor; pickled as a persistent id."""

    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values

    @property
    def persistent_id(self):
        return ("storage", Global("torch", self.kind), self.key, "cpu", self.values.size)


class Global:
    """A name that the pickle asks the reader to import."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    """Pickled as the call that torch.save writes."""

    def __init__(self, storage, size, stride, offset=0, metadata=()):
        self.arguments = (storage, offset, size, stride, False, OrderedDict(), *metadata)


class Call:
    """Pickled as a call of a named function."""

    def __init__(self, module, name, arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Writer(pickle._Pickler):
    """Writes what torch.save would, without torch: names and calls go out as bare opcodes."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def persistent_id(self, obj):
        return obj.persistent_id if isinstance(obj, Storage) else None

    def save_global_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def save_call(self, obj):
        self.save_global_name(obj)
        self.save(obj.arguments)
        self.write(pickle.REDUCE)

    def save_tensor(self, obj):
        self.save_call(Call("torch._utils", "_rebuild_tensor_v2", obj.arguments))

    dispatch[Global] = save_global_name
    dispatch[Call] = save_call
    dispatch[Tensor] = save_tensor


def write_pytorch(path, contents, storages, *, compression=zipfile.ZIP_STORED, extra=()):
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(contents)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.values.tobytes())
        archive.writestr("archive/version", "3\n")
        for name, content in extra:
            archive.writestr(name, content)
    return path


def write_safetensors(path, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def contiguous(storage, array):
    stride = tuple(s // array.itemsize for s in array.strides)
    return Tensor(storage, array.shape, stride)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DoubleStorage", np.float64),
        ("FloatStorage", np.float32),
        ("HalfStorage", np.float16),
        ("BFloat16Storage", ml_dtypes.bfloat16),
        ("LongStorage", np.int64),
        ("ByteStorage", np.uint8),
        ("BoolStorage", np.bool_),
    ],
)
def test_pytorch_dtypes(tmp_path, kind, dtype):
    values = np.array([0, 1, 2, 0, 5, 7]).astype(dtype)
    storage = Storage(kind, "0", values)
    contents = OrderedDict(weight=contiguous(storage, values.reshape(2, 3)))
    got = read_weights(write_pytorch(tmp_path / "w.pth", contents, [storage]))
    assert list(got) == ["weight"]
    assert got["weight"].dtype == dtype
    np.testing.assert_array_equal(got["weight"], values.reshape(2, 3))
    assert got["weight"].flags.c_contiguous and got["weight"].flags.writeable


def test_pytorch_views_of_one_storage(tmp_path):
    values = np.arange(24, dtype=np.float32)
    storage = Storage("FloatStorage", "7", values)
    contents = OrderedDict(
        transposed=Tensor(storage, (3, 4), (1, 3), 12),
        channels_last=Tensor(storage, (1, 2, 3, 4), (24, 1, 8, 2)),
        column=Tensor(storage, (4,), (6,), 5),
        number=Tensor(storage, (), (), 23),
        nothing=Tensor(storage, (0, 3), (3, 1), 24),
        expanded=Tensor(storage, (1000, 2), (0, 1), 3),
    )
    got = read_weights(write_pytorch(tmp_path / "w.pt", contents, [storage]))
    np.testing.assert_array_equal(got["transposed"], values[12:].reshape(4, 3).T)
    np.testing.assert_array_equal(
        got["channels_last"], values.reshape(1, 3, 4, 2).transpose(0, 3, 1, 2)
    )
    np.testing.assert_array_equal(got["column"], [5, 11, 17, 23])
    assert got["number"].shape == () and got["number"] == 23
    assert got["nothing"].shape == (0, 3)
    np.testing.assert_array_equal(got["expanded"], np.tile([3, 4], (1000, 1)))


def test_pytorch_nested_dictionaries_and_what_is_no_tensor(tmp_path):
    storage = Storage("FloatStorage", "0", np.arange(3, dtype=np.float32))
    tensor = contiguous(storage, storage.values)
    contents = {
        "params": OrderedDict([("conv.weight", tensor), ("conv.bias", tensor)]),
        "step": 12,
        "optimiser": {"lr": 0.1, "betas": [0.9, 0.99], "moment": {0: tensor}},
        "note": None,
    }
    got = read_weights(write_pytorch(tmp_path / "w.pth", contents, [storage]))
    assert list(got) == ["params.conv.weight", "params.conv.bias", "optimiser.moment.0"]


def test_state_dict_with_metadata_attribute(tmp_path):
    # module.state_dict() carries `_metadata` as an attribute, set by BUILD.
    storage = Storage("FloatStorage", "0", np.ones(2, np.float32))
    state = OrderedDict(weight=contiguous(storage, storage.values))
    state._metadata = OrderedDict([("", {"version": 1})])
    got = read_weights(write_pytorch(tmp_path / "w.pth", state, [storage]))
    assert list(got) == ["weight"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "load"),
        ("torch", "FloatStorage.mro"),
        ("torch._utils", "_rebuild_parameter"),
        ("numpy", "load"),
        ("pickle", "loads"),
    ],
)
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, module, name):
    marker = tmp_path / "executed"
    program = f"touch {marker}" if name == "system" else f"open({str(marker)!r}, 'w')"
    call = Call(module, name, (program,))
    path = write_pytorch(tmp_path / "evil.pth", {"weight": call}, [])
    with pytest.raises(UserError, match=rf"evil\.pth.*asks for {module}\.{name}"):
        read_weights(path)
    assert not marker.exists()


def test_python_own_pickler_of_a_reduce_is_refused(tmp_path):
    marker = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    path = tmp_path / "evil.pt"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", pickle.dumps({"weight": Evil()}, protocol))
        with pytest.raises(UserError, match="nothing but tensors"):
            read_weights(path)
    assert not marker.exists()


def test_a_pickle_cannot_change_what_it_was_given(tmp_path):
    # BUILD with attributes to set, on the names that the reader hands out.
    for target in ("collections\nOrderedDict", "torch._utils\n_rebuild_tensor_v2"):
        program = b"\x80\x02c" + target.encode() + b"\nN}X\x03\x00\x00\x00dirK\x01s\x86b."
        with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
            archive.writestr("a/data.pkl", program)
        with pytest.raises(UserError, match="damaged"):
            read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (lambda s: Tensor(s, (5,), (1,)), "beyond its storage"),
        (lambda s: Tensor(s, (2, 2), (4, 1)), "beyond its storage"),
        (lambda s: Tensor(s, (1,), (1,), 4), "beyond its storage"),
        (lambda s: Tensor(s, (2,), (1,), -1), "no list of sizes"),
        (lambda s: Tensor(s, (2,), (-1,), 3), "no list of sizes"),
        (lambda s: Tensor(s, (2, 2), (1,)), "cannot have the stride"),
        (lambda s: Tensor(s, (2,), (1,), 0, ({"neg": True},)), "conjugated or negated"),
        (lambda s: Tensor(None, (2,), (1,)), "no storage"),
        (lambda s: Tensor(Global("torch", "FloatStorage"), (2,), (1,)), "no storage"),
        # A view in the place of a storage: its bounds would not be those of the memory beneath.
        (lambda s: Tensor(Tensor(s, (1000,), (0,)), (1000,), (1,)), "no storage"),
        (lambda s: {"step": 3}, "no tensor"),
    ],
)
def test_impossible_tensors(tmp_path, tensor, reason):
    storage = Storage("FloatStorage", "0", np.arange(4, dtype=np.float32))
    path = write_pytorch(tmp_path / "w.pth", {"w": tensor(storage)}, [storage])
    with pytest.raises(UserError, match=reason):
        read_weights(path)


def test_broken_pytorch_archives(tmp_path):
    storage = Storage("FloatStorage", "0", np.arange(400, dtype=np.float32))
    contents = {"w": contiguous(storage, storage.values)}
    path = tmp_path / "w.pth"

    def refused(reason):
        with pytest.raises(UserError, match=rf"w\.pth.*{reason}") as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)

    good = write_pytorch(path, contents, [storage]).read_bytes()
    path.write_bytes(good[: len(good) // 2])
    refused("not a zip archive")
    at = good.index(storage.values.tobytes())
    path.write_bytes(good[:at] + b"\xff" + good[at + 1 :])
    refused("CRC")
    write_pytorch(path, contents, [])
    refused("damaged")
    write_pytorch(path, contents, [Storage("FloatStorage", "0", storage.values[:7])])
    refused("holds 28 bytes, not 400 float32")
    write_pytorch(path, contents, [storage], compression=zipfile.ZIP_DEFLATED)
    refused("compressed")
    write_pytorch(path, contents, [storage], extra=[("archive/byteorder", "big")])
    refused("big-endian")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    refused("not written by torch.save")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}q")
    refused("damaged")
    other = Storage("DoubleStorage", "0", storage.values.view(np.float64))
    both = {"w": contents["w"], "v": contiguous(other, other.values)}
    write_pytorch(path, both, [storage])
    refused("two types")


MAGIC = 0x1950A86A20F9469CFC6C
MACHINE: dict = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


def write_old_pytorch(path, contents, storages, *, version=1001, machine=MACHINE, keys=None):
    """As torch.save wrote before 1.6: five pickles, then each storage with its length."""
    stream = io.BytesIO()
    for part in (MAGIC, version, machine, contents, keys or [s.key for s in storages]):
        Writer(stream, protocol=2).dump(part)
    for storage in storages:
        stream.write(struct.pack("<q", storage.values.size) + storage.values.tobytes())
    path.write_bytes(stream.getvalue())
    return path


class OldStorage(Storage):
    @property
    def persistent_id(self):
        return (*super().persistent_id, None)


def test_pytorchs_old_format(tmp_path):
    first = OldStorage("FloatStorage", "94", np.arange(12, dtype=np.float32))
    second = OldStorage("LongStorage", "95", np.array([7, 8], np.int64))
    contents = OrderedDict(
        weight=contiguous(first, first.values.reshape(3, 4)),
        turned=Tensor(first, (4, 3), (1, 4)),
        part=Tensor(first, (2,), (3,), 5),
        deep={"count": Tensor(second, (), (), 1)},
    )
    arrays = read_weights(write_old_pytorch(tmp_path / "old.pth", contents, [second, first]))
    assert list(arrays) == ["weight", "turned", "part", "deep.count"]
    np.testing.assert_array_equal(arrays["weight"], np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(arrays["turned"], np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(arrays["part"], [5, 8])
    assert arrays["deep.count"] == 8 and arrays["deep.count"].dtype == np.int64


def test_pytorchs_old_format_as_pytorch_writes_it(tmp_path):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Conv2d(3, 4, 2)
    path = tmp_path / "old.pth"
    torch.save(layer.state_dict(), path, _use_new_zipfile_serialization=False)
    arrays = read_weights(path)
    assert list(arrays) == ["weight", "bias"]
    np.testing.assert_array_equal(arrays["weight"], layer.weight.detach().numpy())
    np.testing.assert_array_equal(arrays["bias"], layer.bias.detach().numpy())


def test_broken_files_of_the_old_format(tmp_path):
    storage = OldStorage("FloatStorage", "0", np.arange(40, dtype=np.float32))
    contents = {"w": contiguous(storage, storage.values)}
    path = tmp_path / "old.pth"

    def refused(reason):
        with pytest.raises(UserError, match=rf"old\.pth.*{reason}") as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)

    good = write_old_pytorch(path, contents, [storage]).read_bytes()
    path.write_bytes(good[:-1])
    refused("cut off")
    path.write_bytes(good[:30])
    refused("damaged")
    write_old_pytorch(path, contents, [storage], version=1002)
    refused("another version")
    write_old_pytorch(path, contents, [storage], machine={**MACHINE, "little_endian": False})
    refused("big-endian")
    write_old_pytorch(path, contents, [storage], keys=["1"])
    refused("not those that its tensors name")
    small = OldStorage("FloatStorage", "0", np.arange(39, dtype=np.float32))
    write_old_pytorch(path, contents, [small])
    refused("another size")
    huge = OldStorage("FloatStorage", "0", np.broadcast_to(np.float32(0), (2**40,)))
    write_old_pytorch(path, {"w": Tensor(huge, (1,), (1,))}, [storage])
    refused("larger than the file")
    other = OldStorage("DoubleStorage", "0", storage.values.view(np.float64))
    write_old_pytorch(path, {**contents, "v": contiguous(other, other.values)}, [storage])
    refused("two types")
    write_old_pytorch(path, {"w": Tensor(storage, (41,), (1,))}, [storage])
    refused("beyond its storage")
    write_old_pytorch(
        path, {"w": Tensor(Storage("FloatStorage", "0", storage.values), (1,), (1,))}, []
    )
    refused("damaged")


def test_a_malicious_file_of_the_old_format_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    call = Call("os", "system", (f"touch {marker}",))
    path = tmp_path / "evil.pth"
    for place in ({"contents": call}, {"machine": call}, {"version": call}, {"keys": call}):
        given = {"contents": {}, **place}
        write_old_pytorch(path, given.pop("contents"), [], **given)
        with pytest.raises(UserError, match=r"evil\.pth.*asks for os\.system"):
            read_weights(path)
    assert not marker.exists()


def test_npz(tmp_path):
    arrays = {"a.b": np.arange(6.0).reshape(2, 3), "n": np.array(3, np.int64)}
    np.savez(tmp_path / "w.npz", **arrays)
    got = read_weights(str(tmp_path / "w.npz"))
    assert list(got) == list(arrays)
    for name in arrays:
        assert got[name].dtype == arrays[name].dtype
        np.testing.assert_array_equal(got[name], arrays[name])


def test_npz_with_objects_or_one_array(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([{"x": 1}], object))
    with pytest.raises(UserError, match="allow_pickle"):
        read_weights(tmp_path / "w.npz")
    with open(tmp_path / "w.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="one array"):
        read_weights(tmp_path / "w.npz")


def test_safetensors(tmp_path):
    bfloat = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    header = {
        "__metadata__": {"format": "pt"},
        "second": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
        "first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "number": {"dtype": "I64", "shape": [], "data_offsets": [28, 36]},
        "empty": {"dtype": "F16", "shape": [0, 4], "data_offsets": [36, 36]},
    }
    data = matrix.tobytes() + bfloat.tobytes() + struct.pack("<q", -5)
    # The format pads its header with spaces.
    path = write_safetensors(tmp_path / "w.safetensors", json.dumps(header).encode() + b"   ", data)
    got = read_weights(path)
    assert set(got) == {"first", "second", "number", "empty"}
    np.testing.assert_array_equal(got["first"], matrix)
    np.testing.assert_array_equal(got["second"], bfloat)
    assert got["second"].dtype == ml_dtypes.bfloat16
    assert got["number"] == -5 and got["number"].dtype == np.int64
    assert got["empty"].shape == (0, 4) and got["empty"].dtype == np.float16


def entry(start, stop, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("header", "data", "reason"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12), "overlap"),
        ({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20), "gap"),
        ({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8), "overlap"),
        ({"a": entry(0, 8)}, bytes(7), "truncated before the end of 'a'"),
        ({"a": entry(0, 8)}, bytes(9), "1 bytes at the end"),
        ({"a": entry(0, 8, (3,))}, bytes(8), "does not fit its 8 bytes"),
        ({"a": entry(8, 0)}, bytes(8), "does not fit its -8 bytes"),
        ({"a": entry(-8, 0)}, bytes(8), "no list of sizes"),
        ({"a": entry(0, 8, (-2,))}, bytes(8), "no list of sizes"),
        ({"a": entry(0, 8, (2.0,))}, bytes(8), "no list of sizes"),
        ({"a": entry(0, 8, dtype="F99")}, bytes(8), "F99"),
        ({"a": {"dtype": "F32"}}, bytes(8), "damaged"),
        ([1, 2], bytes(8), "damaged"),
        (b"{not json", bytes(8), "damaged"),
        (b"\xff\xfe{}", bytes(8), "damaged"),
    ],
)
def test_safetensors_that_contradict_themselves(tmp_path, header, data, reason):
    path = write_safetensors(tmp_path / "w.safetensors", header, data)
    with pytest.raises(UserError, match=rf"w\.safetensors.*{reason}"):
        read_weights(path)


@pytest.mark.parametrize("content", [b"", b"\x01\x02", struct.pack("<Q", 2**63), bytes([200] * 9)])
def test_safetensors_cut_in_the_header(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="truncated"):
        read_weights(tmp_path / "w.safetensors")


def test_missing_directory_and_unknown_kind(tmp_path):
    with pytest.raises(UserError, match=r"none\.npz: No such file"):
        read_weights(tmp_path / "none.npz")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(UserError, match="directory"):
        read_weights(tmp_path / "folder.pth")
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(UserError, match=r"must end in \.npz, \.safetensors, \.pth, \.pt"):
        read_weights(tmp_path / "w.h5")
    with pytest.raises(UserError, match=r"none\.npz: No such file"):
        sha256(tmp_path / "none.npz")


def test_sha256(tmp_path):
    content = bytes(range(256)) * 300
    (tmp_path / "w.npz").write_bytes(content)
    assert sha256(tmp_path / "w.npz") == hashlib.sha256(content).hexdigest()
    (tmp_path / "w.npz").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "w.npz") == want
