"""Reading weights that other programs saved, without running anything that a file says.

`read_weights` understands NumPy's .npz, .safetensors and PyTorch's .pth/.pt (the zip format and
the one before PyTorch 1.6), and needs neither PyTorch nor safetensors. Every fault of a file is a
UserError that names it.
"""

import hashlib
import io
import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxgan.errors import UserError

SAFETENSORS_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
STORAGE_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
# What begins a file that PyTorch wrote before it wrote zip archives: a number, pickled.
_OLD_MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def sha256(path: str | Path) -> str:
    """The file's SHA-256 in hexadecimal; UserError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror}") from error


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a weights file, by name.

    A .pth/.pt file may hold a state_dict or nested dictionaries of them: names are then joined by
    dots, as in 'params.conv1.weight'. What is no tensor (a step number, an optimiser's settings) is
    left out.

    Args:
      path: ends in .npz, .safetensors, .pth or .pt.

    Returns:
      name -> array, in the file's order, shapes and dtypes as saved (bfloat16 as
      ml_dtypes.bfloat16).

    Raises:
      UserError: if the file is missing, of another kind, truncated or inconsistent, or if it is a
        pickle that asks for anything but tensors; nothing in it has then been executed.
    """
    path = Path(path)
    readers = {
        ".npz": _read_npz,
        ".safetensors": _read_safetensors,
        ".pth": _read_pytorch,
        ".pt": _read_pytorch,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(
            f"cannot read the weights {path}: the name must end in {', '.join(readers)}"
        )
    try:
        with open(path, "rb") as file:
            return reader(file)
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror or error}") from error
    except UserError as error:
        raise UserError(f"cannot read the weights {path}: {error}") from error
    # A damaged file makes the parsers beneath raise nearly anything; to the user it is one mistake.
    except Exception as error:
        raise UserError(
            f"cannot read the weights {path}: damaged or not of this kind "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def _read_npz(file: IO[bytes]) -> dict[str, np.ndarray]:
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError("it holds one array, not an .npz archive of named ones")
    return {name: archive[name] for name in archive.files}


def _read_safetensors(file: IO[bytes]) -> dict[str, np.ndarray]:
    content = memoryview(file.read())
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or len(content) - 8 < length:
        raise UserError("the file is truncated: copy it again")
    header = json.loads(bytes(content[8 : 8 + length]))
    header.pop("__metadata__", None)
    data = content[8 + length :]
    arrays, spans = {}, []
    for name, entry in header.items():
        if entry["dtype"] not in SAFETENSORS_DTYPES:
            raise UserError(f"{name!r} is of type {entry['dtype']}, which jaxgan does not read")
        dtype = np.dtype(SAFETENSORS_DTYPES[entry["dtype"]])
        shape, (start, stop) = _sizes(entry["shape"]), _sizes(entry["data_offsets"])
        if stop - start != math.prod(shape) * dtype.itemsize:
            raise UserError(f"{name!r} of shape {shape} does not fit its {stop - start} bytes")
        if stop > len(data):
            raise UserError(f"the file is truncated before the end of {name!r}: copy it again")
        spans.append((start, stop, name))
        arrays[name] = np.frombuffer(data[start:stop], dtype).reshape(shape).copy()
    # The format has no holes: an overlap or a gap means that the header is not of these bytes.
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise UserError(f"the bytes of {name!r} overlap others, or leave a gap before them")
        end = stop
    if end != len(data):
        raise UserError(f"{len(data) - end} bytes at the end belong to no array")
    return arrays


def _sizes(values: Any) -> tuple[int, ...]:
    """`values` as a tuple of integers of at least 0."""
    sizes = tuple(values)
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise UserError(f"{values!r} is no list of sizes")
    return sizes


def _read_pytorch(file: IO[bytes]) -> dict[str, np.ndarray]:
    if file.read(len(_OLD_MAGIC)) == _OLD_MAGIC:
        tensors = _read_old_pytorch(file)
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            tensors = dict(_tensors("", _TensorLoader(archive).load()))
    else:
        raise UserError("not a zip archive, nor PyTorch's format before 1.6: get the file again")
    if not tensors:
        raise UserError("there is no tensor in it; save a model's state_dict()")
    return tensors


def _read_old_pytorch(file: IO[bytes]) -> dict[str, np.ndarray]:
    """After the magic number: a version, the machine, the tensors, then what lies beneath them."""
    size = file.seek(0, os.SEEK_END)
    file.seek(len(_OLD_MAGIC))
    version, machine = _Tensors(file).load(), _Tensors(file).load()
    if version != 1001 or not isinstance(machine, dict) or not machine.get("little_endian"):
        raise UserError("it was saved by another version, or on a big-endian machine")
    start = file.tell()
    # Which storages there are, and how large, only the tensors say: they are built again once the
    # numbers are there.
    storages: dict[str, _Storage] = {}
    _OldTensorLoader(file, storages, size).load()
    keys = _Tensors(file).load()
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise UserError("its storages are not those that its tensors name")
    for key in keys:
        values = storages[key].values
        count = int.from_bytes(file.read(8), "little")
        content = file.read(values.nbytes)
        if count != values.size or len(content) != values.nbytes:
            raise UserError(f"storage {key} is cut off or has another size: get the file again")
        values[:] = np.frombuffer(content, values.dtype)
    file.seek(start)
    return dict(_tensors("", _OldTensorLoader(file, storages, size).load()))


def _tensors(prefix: str, value: Any) -> list[tuple[str, np.ndarray]]:
    if isinstance(value, np.ndarray):
        return [(prefix.removesuffix("."), value)]
    if isinstance(value, Mapping):
        return [pair for key in value for pair in _tensors(f"{prefix}{key}.", value[key])]
    return []


class _StorageType(NamedTuple):
    """Stands for torch.FloatStorage and its kin: it knows a dtype and does nothing."""

    dtype: np.dtype


class _Storage(NamedTuple):
    """The numbers beneath tensors, `[n]`.

    A type of its own: an expanded view in its place would pass the bounds check and be read beyond.
    """

    values: np.ndarray


class _RebuildTensor:
    """Stands for torch._utils._rebuild_tensor_v2.

    An instance rather than a function: a pickle may set attributes on what it was given, and here
    there are none.
    """

    __slots__ = ()

    def __call__(
        self,
        storage: _Storage,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        requires_grad: bool,
        backward_hooks: Any,
        metadata: Any = None,
    ) -> np.ndarray:
        if not isinstance(storage, _Storage):
            raise UserError("a tensor in it has no storage")
        values = storage.values
        if metadata:
            raise UserError("a tensor in it is a conjugated or negated view: save a copy of it")
        (offset,), size, stride = _sizes((offset,)), _sizes(size), _sizes(stride)
        if len(size) != len(stride):
            raise UserError(f"a tensor of size {size} cannot have the stride {stride}")
        if math.prod(size):
            last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            if last >= values.size:
                raise UserError(f"a tensor of size {size} reaches beyond its storage's end")
        else:
            offset = 0
        view = np.lib.stride_tricks.as_strided(
            values[offset:], size, [step * values.itemsize for step in stride], writeable=False
        )
        # An expanded tensor repeats few numbers many times: copying could fill the memory.
        return view if view.size > values.size else view.copy()


class _Tensors(pickle.Unpickler):
    """Refuses every name but those of tensors."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if module == "torch" and name in STORAGE_DTYPES:
            return _StorageType(np.dtype(STORAGE_DTYPES[name]))
        raise UserError(
            f"it asks for {module}.{name}, and jaxgan reads nothing but tensors; save the model's "
            "state_dict() alone, and only open files whose source you trust"
        )


class _OldTensorLoader(_Tensors):
    """Reads the tensors of a file from before the zip format; storages that are new are zeros."""

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage], size: int):
        self.storages = storages
        self.size = size
        super().__init__(file)

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _, count, view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or view is not None:
            raise UserError("a storage in it is described in an unknown way")
        dtype, (count,) = storage_type.dtype, _sizes((count,))
        if count * dtype.itemsize > self.size:
            raise UserError(f"storage {key} of {count} {dtype} is larger than the file")
        storage = self.storages.setdefault(key, _Storage(np.zeros(count, dtype)))
        if (storage.values.dtype, storage.values.size) != (dtype, count):
            raise UserError(f"storage {key} is used with two types")
        return storage


class _TensorLoader(_Tensors):
    """Reads the pickle of a PyTorch archive."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        roots = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
        if len(roots) != 1:
            raise UserError("this zip archive was not written by torch.save")
        self.root = roots[0].removesuffix("data.pkl")
        if f"{self.root}byteorder" in archive.namelist() and self._bytes("byteorder") != b"little":
            raise UserError("it was saved on a big-endian machine, which jaxgan does not read")
        self.storages: dict[str, _Storage] = {}
        super().__init__(io.BytesIO(self._bytes("data.pkl")))

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _, count = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or type(key) is not str:
            raise UserError("a storage in it is described in an unknown way")
        if key not in self.storages:
            dtype = storage_type.dtype
            content = self._bytes(f"data/{key}")
            if len(content) != _sizes((count,))[0] * dtype.itemsize:
                raise UserError(f"storage {key} holds {len(content)} bytes, not {count} {dtype}")
            self.storages[key] = _Storage(np.frombuffer(content, dtype))
        if self.storages[key].values.dtype != storage_type.dtype:
            raise UserError(f"storage {key} is used with two types")
        return self.storages[key]

    def _bytes(self, name: str) -> bytes:
        entry = self.archive.getinfo(self.root + name)
        # torch.save never compresses, and a compressed entry could unpack to fill the memory.
        if entry.compress_type != zipfile.ZIP_STORED:
            raise UserError("it is compressed, as torch.save never does")
        return self.archive.read(entry)
