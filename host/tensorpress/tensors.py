# SPDX-License-Identifier: Apache-2.0
"""Read tensors from .npy, .npz, .safetensors and .tpz files, with what is known about each: kind, zero point, channel axis.

Metadata comes, in this order, from a manifest that is given, from ``metadata.json`` inside the file (a member of the .npz, a key of the
.tpz's metadata), or from a ``manifest.json`` beside the file or one folder up. A manifest is
``{"models": [{"npz": "path/from/the/manifest.npz", "model": "name", "tensors": [...]}]}``, and a ``metadata.json`` is one of those models.
Each entry of ``tensors`` has ``key`` and may have

=================  ==================================================================================================
``kind``           ``weight`` or ``act``
``dtype``          overrides the array's own: ``bf16`` stored as uint16, ``int4``/``uint4`` stored as int8/uint8
``bits``           4, 8, 16 or 32; 4 means one value a byte in the file, two a byte in the raw image
``zero_point``     integer, as the dtype counts (signed dtypes: may be negative)
``channel_axis``   axis of the channels; ``qdim`` is understood too
``shape``          checked against the array
``input``          the input that an activation comes from
``op``             the operation that makes an activation or uses a weight
``consumers``      the operations that read an activation
=================  ==================================================================================================

Without metadata the kind is the first part of a name such as ``act/conv1`` and the zero point is unknown.
"""

from __future__ import annotations

import fnmatch
import json
import mmap
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tensorpress.errors import InputError

SUFFIXES = (".npy", ".npz", ".safetensors", ".tpz")
METADATA_MEMBER = "metadata.json"

_NATIVE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32")
_ALIASES = {"bf16": "bfloat16", "fp16": "float16", "f16": "float16", "f32": "float32", "fp32": "float32"}
_CONTAINERS = {"bfloat16": "uint16", "int4": "int8", "uint4": "uint8"}  # dtypes numpy lacks, and what holds them
_WIDTHS = {"int4": 4, "uint4": 4, "bfloat16": 16}
_SAFETENSORS = {
    "BF16": ("bfloat16", "<u2"), "F16": ("float16", "<f2"), "F32": ("float32", "<f4"), "I8": ("int8", "i1"), "U8": ("uint8", "u1"),
    "I16": ("int16", "<i2"), "U16": ("uint16", "<u2"), "I32": ("int32", "<i4"), "U32": ("uint32", "<u4"),
}  # fmt: skip
_SAFETENSORS_HEADER_LIMIT = 100_000_000  # bytes, the limit of the format


class NoMatchError(InputError):
    """No tensor of a file has a wanted name."""


@dataclass(frozen=True)
class NamedTensor:
    """A tensor and what is known about it.

    Attributes
    ----------
    name : str
        Its key in the file (the file's stem for .npy).
    array : ndarray
        The values in C order, native byte order. bfloat16 is held as uint16 bit patterns, int4/uint4 as int8/uint8, one value an element.
    kind : str
        ``weight``, ``act`` or ``tensor`` (unknown).
    network : str
        Name of the network, or the file's stem.
    zero_point : int or None
        The value that stands for 0, as the dtype counts; None when unknown.
    channel_axis : int or None
        Axis of the channels, where known.
    dtype : str
        numpy name of the dtype, or ``bfloat16``, ``int4``, ``uint4``.
    source : str
        The file, for messages.
    sample : str
        The input that an activation comes from; empty when unknown.
    op : str
        The operation that makes an activation or uses a weight; empty when unknown.
    reads : int
        How many operations read it; 1 when unknown.
    """

    name: str
    array: np.ndarray = field(repr=False)
    kind: str
    network: str
    zero_point: int | None
    channel_axis: int | None
    dtype: str
    source: str = ""
    sample: str = ""
    op: str = ""
    reads: int = 1

    @property
    def layer(self) -> str:
        """The name without the input, so that the activations of one layer share it."""
        return self.name.replace(f"/{self.sample}/", "/", 1) if self.sample else self.name

    @property
    def width(self) -> int:
        """Bits of a value, W."""
        return _WIDTHS.get(self.dtype, self.array.dtype.itemsize * 8)

    @property
    def signed(self) -> bool:
        """Whether the values count as signed integers. False for floats, whose bit patterns are coded."""
        return self.dtype.startswith("int")

    @property
    def raw_bytes(self) -> int:
        """Bytes of the raw image (two int4 values a byte)."""
        return (self.array.size * self.width + 7) // 8

    @property
    def values(self) -> np.ndarray:
        """The array as the codecs take it: integers unchanged, floats as unsigned bit patterns of the same width (a view)."""
        return self.array.view(f"u{self.array.dtype.itemsize}") if self.array.dtype.kind == "f" else self.array

    def zero_code(self, zero: str | int = "auto") -> int:
        """The codec parameter `zero`, in 0..2**W-1.

        Parameters
        ----------
        zero : "auto" or int
            An integer is taken as the dtype counts: -128..127 for int8, 0..255 for uint8, bit patterns for floats. ``auto`` is
            :attr:`zero_point`, and where that is unknown the tensor's most frequent value (the smallest one among equals). Any
            choice is lossless: it decides only how well zvc and ebpc compress.

        Raises
        ------
        InputError
            The integer is not a value of the dtype, or the text is not ``auto``.
        """
        if isinstance(zero, str) and zero == "auto":
            if self.zero_point is not None:
                zero = self.zero_point
            else:
                bits = self.array.reshape(-1).view(f"u{self.array.dtype.itemsize}")
                codes, counts = np.unique(bits, return_counts=True)
                return int(codes[int(counts.argmax())]) & ((1 << self.width) - 1)
        try:
            number = int(zero)
        except ValueError:
            raise InputError(f"zero {zero!r} is neither an integer nor 'auto'") from None
        lowest, highest = (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1) if self.signed else (0, (1 << self.width) - 1)
        if not lowest <= number <= highest:
            raise InputError(f"tensor {self.name!r}: zero {number} is not a value of {self.dtype} ({lowest}..{highest})")
        return number & ((1 << self.width) - 1)

    def order(self, order: str | Sequence[int] | None) -> tuple[int, ...] | None:
        """The axes in the order in which to store them, or None for C order.

        Parameters
        ----------
        order : None, "c", "channel-first", or a permutation of the axes (a sequence, or text such as ``0,3,1,2``)
            ``channel-first`` moves the channel axis (the last one where it is unknown) to the front, behind the batch axis of an
            activation with 4 axes; tensors with fewer than 3 axes stay as they are.

        Raises
        ------
        InputError
            Not a permutation of the tensor's axes.
        """
        axes = self.array.ndim
        if order is None or order == "c":
            return None
        if order == "channel-first":
            if axes < 3:
                return None
            channel = axes - 1 if self.channel_axis is None else self.channel_axis
            front = (0,) if axes >= 4 and channel > 0 and self.kind != "weight" else ()
            chosen = (*front, channel, *(axis for axis in range(axes) if axis != channel and axis not in front))
        else:
            try:
                chosen = tuple(int(part) for part in (order.split(",") if isinstance(order, str) else order))
            except ValueError:
                raise InputError(f"order {order!r} is neither 'channel-first' nor a list of axes such as 0,3,1,2") from None
        if sorted(chosen) != list(range(axes)):
            raise InputError(f"tensor {self.name!r}: order {','.join(map(str, chosen))} is not a permutation of its {axes} axes")
        return None if chosen == tuple(range(axes)) else chosen


def load_tensors(
    path: str | Path,
    *,
    names: str | Sequence[str] | None = None,
    manifest: str | Path | None = None,
    network: str | None = None,
    allow_nan: bool = False,
) -> list[NamedTensor]:
    """Read the tensors of a file.

    Parameters
    ----------
    path : str or Path
        A .npy, .npz, .safetensors or .tpz file.
    names : str or sequence of str, optional
        Names or shell patterns (``act/*``) of the tensors wanted; others are not read. Default: all.
    manifest : str or Path, optional
        A manifest with metadata (see the module), instead of the one that is found.
    network : str, optional
        Name of the network, instead of the one in the metadata.
    allow_nan : bool
        Accept float tensors with NaNs. Off, they are an error: a NaN is nearly always a fault upstream. Codecs keep every bit of one.

    Returns
    -------
    list of NamedTensor
        In the order of the file; at least one.

    Raises
    ------
    InputError
        The file is missing, truncated or of an unknown form; a tensor is empty, has an unusable dtype (objects are never unpickled),
        a NaN, or contradicts its metadata. Names the file and the tensor.
    NoMatchError
        No tensor has a wanted name.
    FormatError
        A .tpz breaks a rule of its format.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: unknown kind of file {suffix or 'without suffix'!r}; readable are {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    patterns = [names] if isinstance(names, str) else list(names or [])
    try:
        model = _read_manifest(Path(manifest), path) if manifest is not None else _find_metadata(path)
        reader = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors, ".tpz": _read_tpz}[suffix]
        entries = {entry["key"]: entry for entry in model.get("tensors", [])}
        where = network or model.get("model") or path.stem
        tensors = [
            _named(path, name, array, dtype, entries.get(name, {}), where, allow_nan) for name, array, dtype in reader(path, patterns)
        ]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not tensors:
        if patterns:
            raise NoMatchError(f"{path}: no tensor matches {', '.join(map(repr, patterns))}")
        raise InputError(f"{path}: holds no tensor")
    return tensors


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a tensor's name is wanted: equal to a pattern or matched by it; no patterns want everything."""
    return not patterns or any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


# ------------------------------------------------------------------------------------------------------------------- the files

_Tensors = Iterator[tuple[str, np.ndarray, "str | None"]]  # name, array, dtype where numpy has none


def _read_npy(path: Path, patterns: Sequence[str]) -> _Tensors:
    if matches(path.stem, patterns):
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InputError(f"{path}: {_npy_fault(error)}") from error
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: is not a .npy file")
        yield path.stem, array, None


def _read_npz(path: Path, patterns: Sequence[str]) -> _Tensors:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                name = member[:-4]
                if not member.endswith(".npy") or not matches(name, patterns):
                    continue
                try:
                    with archive.open(member) as stream:
                        array = np.lib.format.read_array(stream, allow_pickle=False)
                        if stream.read(1):
                            raise InputError(f"{path}: tensor {name!r}: has more bytes than its header tells")
                except (ValueError, EOFError) as error:
                    if isinstance(error, InputError):
                        raise
                    raise InputError(f"{path}: tensor {name!r}: {_npy_fault(error)}") from error
                except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
                    raise InputError(f"{path}: tensor {name!r}: damaged archive member: {error}") from error
                yield name, array, None
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: is not a whole .npz archive: {error}") from error


def _npy_fault(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else "file ends early"
    if "allow_pickle" in text or "pickle" in text.lower():
        return "holds Python objects, which are never unpickled; save a numeric array"
    return f"not a whole .npy array: {text}"


def _read_safetensors(path: Path, patterns: Sequence[str]) -> _Tensors:
    """The format is an u64 header length, a JSON header and the data; arrays are copied out of a mapping, tensor by tensor."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _SAFETENSORS_HEADER_LIMIT):
            raise InputError(f"{path}: is not a whole .safetensors file: its header is truncated")
        try:
            header = json.loads(stream.read(length))
        except ValueError as error:
            raise InputError(f"{path}: is not a .safetensors file: its header is not JSON") from error
        if not isinstance(header, dict):
            raise InputError(f"{path}: is not a .safetensors file: its header is not a JSON object")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as image:
            for name, entry in header.items():
                if name == "__metadata__" or not matches(name, patterns):
                    continue
                try:
                    kind, shape, (first, last) = entry["dtype"], [int(n) for n in entry["shape"]], entry["data_offsets"]
                    first, last = int(first), int(last)
                except (TypeError, KeyError, ValueError) as error:
                    raise InputError(f"{path}: tensor {name!r}: malformed header entry") from error
                if kind not in _SAFETENSORS:
                    raise InputError(f"{path}: tensor {name!r}: dtype {kind} is not one of {', '.join(_SAFETENSORS)}")
                dtype, stored = _SAFETENSORS[kind]
                count = 1
                for extent in shape:
                    count *= extent
                if min(shape, default=1) < 0 or not 0 <= first <= last or last - first != count * np.dtype(stored).itemsize:
                    raise InputError(f"{path}: tensor {name!r}: its offsets do not fit its shape and dtype")
                if 8 + length + last > size:
                    raise InputError(f"{path}: tensor {name!r}: truncated, its data ends behind the end of the file")
                data = np.frombuffer(image[8 + length + first : 8 + length + last], dtype=stored)
                yield name, data.reshape(shape), dtype


def _read_tpz(path: Path, patterns: Sequence[str]) -> _Tensors:
    from tensorpress.container import Reader, decompress_tensor

    with Reader(path) as reader:
        for name in reader.names:
            if matches(name, patterns):
                tensor = reader.tensor(name)
                array = decompress_tensor(tensor)
                held = _CONTAINERS.get(tensor.dtype)
                if held is not None and array.dtype.name != held:  # the types of ml_dtypes, where it is installed
                    array = array.view(held) if tensor.dtype == "bfloat16" else array.astype(held)
                yield name, array, tensor.dtype


# ---------------------------------------------------------------------------------------------------------------- the metadata


def _find_metadata(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                if METADATA_MEMBER in archive.namelist():
                    model = json.loads(archive.read(METADATA_MEMBER))
                    return _checked_model(model, f"{path}: {METADATA_MEMBER}")
        except (zipfile.BadZipFile, zlib.error, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: is not a whole .npz archive: {error}") from error
    if path.suffix.lower() == ".tpz":
        from tensorpress.container import Reader

        with Reader(path) as reader:
            text = reader.metadata.get(METADATA_MEMBER)
        if text is not None:
            try:
                return _checked_model(json.loads(text), f"{path}: {METADATA_MEMBER}")
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{path}: {METADATA_MEMBER} is not JSON: {error}") from error
        return {}
    for folder in (path.resolve().parent, path.resolve().parent.parent):
        candidate = folder / "manifest.json"
        if candidate.is_file():
            try:
                listing = json.loads(candidate.read_bytes())
            except ValueError:
                continue  # some other tool's file: only a manifest that was asked for must be one
            if isinstance(listing, dict) and isinstance(listing.get("models"), list):
                model = _entry_for(listing, candidate, path)
                if model is not None:
                    return _checked_model(model, str(candidate))
    return {}


def _read_manifest(manifest: Path, path: Path) -> dict[str, Any]:
    try:
        listing = json.loads(manifest.read_bytes())
    except OSError as error:
        raise InputError(f"{manifest}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{manifest}: is not JSON: {error}") from error
    if not isinstance(listing, dict) or not isinstance(listing.get("models"), list):
        raise InputError(f"{manifest}: is not a manifest: it has no list 'models'")
    model = _entry_for(listing, manifest, path)
    if model is None:
        raise InputError(f"{manifest}: has no model whose 'npz' is {path.name}")
    return _checked_model(model, str(manifest))


def _entry_for(listing: dict[str, Any], manifest: Path, path: Path) -> dict[str, Any] | None:
    model: Any
    for model in listing["models"]:
        named = model.get("npz") if isinstance(model, dict) else None
        if isinstance(named, str) and (manifest.resolve().parent / named).resolve() == path.resolve():
            return dict(model)
    return None


def _checked_model(model: Any, where: str) -> dict[str, Any]:
    tensors = model.get("tensors", []) if isinstance(model, dict) else None
    if not isinstance(tensors, list) or not all(isinstance(entry, dict) and isinstance(entry.get("key"), str) for entry in tensors):
        raise InputError(f"{where}: 'tensors' must be a list of objects with a 'key'")
    return dict(model)


def _named(
    path: Path, name: str, array: np.ndarray, dtype: str | None, entry: dict[str, Any], network: str, allow_nan: bool
) -> NamedTensor:
    def fault(text: str) -> InputError:
        return InputError(f"{path}: tensor {name!r}: {text}")

    stated = entry.get("dtype")
    if isinstance(stated, str):
        stated = _ALIASES.get(stated, stated)
    held = array.dtype.newbyteorder("=").name if array.dtype.names is None else "structured"
    if dtype is None:
        dtype = stated if stated in _CONTAINERS and held == _CONTAINERS[stated] else held
    if stated is not None and stated != dtype:
        raise fault(f"the manifest states dtype {stated}, the array is {held}")
    if dtype not in _NATIVE and dtype not in _CONTAINERS:
        raise fault(f"dtype {dtype} cannot be compressed; usable are {', '.join((*_NATIVE, *_CONTAINERS))}")
    if array.size == 0:
        raise fault(f"is empty (shape {'x'.join(map(str, array.shape))})")
    if "shape" in entry and list(array.shape) != entry["shape"]:
        raise fault(f"the manifest states shape {entry['shape']}, the array has {list(array.shape)}")
    width = _WIDTHS.get(dtype, array.dtype.itemsize * 8)
    if entry.get("bits", width) != width:
        raise fault(f"the manifest states {entry['bits']} bits, dtype {dtype} has {width}")
    array = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
    if width == 4:
        lowest, highest = (-8, 7) if dtype == "int4" else (0, 15)
        if int(array.min()) < lowest or int(array.max()) > highest:
            raise fault(f"holds values outside {lowest}..{highest}, the range of {dtype}")
    if not allow_nan and _has_nan(array, dtype):
        raise fault("holds NaN; allow_nan (--allow-nan) accepts it")
    kind = entry.get("kind", name.split("/", 1)[0])
    zero_point = entry.get("zero_point")
    if isinstance(zero_point, bool) or not isinstance(zero_point, int):
        zero_point = None  # one for each channel, or unknown
    channel_axis = entry.get("channel_axis", entry.get("qdim"))
    if not isinstance(channel_axis, int) or not 0 <= channel_axis < array.ndim:
        channel_axis = None
    sample, op = (str(entry[key]) if entry.get(key) else "" for key in ("input", "op"))
    reads = len(entry["consumers"]) if isinstance(entry.get("consumers"), list) else 1
    kind = kind if kind in ("weight", "act") else "tensor"
    tensor = NamedTensor(name, array, kind, network, zero_point, channel_axis, dtype, str(path), sample, op, reads)
    if zero_point is not None:
        tensor.zero_code(zero_point)  # in range
    return tensor


def _has_nan(array: np.ndarray, dtype: str) -> bool:
    if dtype == "bfloat16":
        return bool(np.any((array & np.uint16(0x7FFF)) > 0x7F80))
    return array.dtype.kind == "f" and bool(np.isnan(array).any())
