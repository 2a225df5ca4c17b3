# SPDX-License-Identifier: Apache-2.0
"""Compressed tensors with their names, shapes and types, and the ``.tpz`` file that holds them (FORMAT.md section 6)."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .codecs import Coded, Coding, check_index, coded_size, decode, encode
from .errors import FormatError, InputError
from .tables import Table, histogram, optimal_table
from .values import UNSIGNED, raw_bytes, raw_image, unsigned_values

MAGIC = b"TPZ1"
FORMAT = 1
ALIGNMENT = 64
_PREFIX_BYTES = 16
_MOST_DIMENSIONS = 32

DTYPES: dict[str, int] = {
    "int4": 4,
    "uint4": 4,
    "int8": 8,
    "uint8": 8,
    "int16": 16,
    "uint16": 16,
    "float16": 16,
    "bfloat16": 16,
    "int32": 32,
    "uint32": 32,
    "float32": 32,
}
"""Names of the element types -> bits of a value."""

_VIEWS = {"bfloat16": ("uint16",), "int4": ("int8",), "uint4": ("uint8",)}


@dataclass
class CompressedTensor:
    """A tensor with all that is needed to get it back.

    Attributes
    ----------
    name : str
        Not empty.
    dtype : str
        One of :data:`DTYPES`.
    shape : tuple of int
        Of the tensor as it was given, before ``order``.
    coding : Coding
        Its width is that of the dtype.
    coded : Coded
        Index and payload.
    order : tuple of int or None
        The axes in the order in which the values are stored (``numpy.transpose(tensor, order)`` in C order); None: as given.
    crc32 : int
        Of the raw image in stored order.

    Raises
    ------
    InputError
        If the parts contradict each other.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    coding: Coding
    coded: Coded
    order: tuple[int, ...] | None
    crc32: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"the name of a tensor is a string that is not empty, got {self.name!r}")
        _check_text(self.name, "the name of a tensor")
        where = f"tensor {self.name!r}"
        if not isinstance(self.dtype, str) or self.dtype not in DTYPES:
            raise InputError(f"{where}: unknown dtype {self.dtype!r} (known: {', '.join(DTYPES)})")
        self.shape = tuple(self.shape)
        if len(self.shape) > _MOST_DIMENSIONS:
            raise InputError(f"{where}: {len(self.shape)} dimensions, at most {_MOST_DIMENSIONS} are possible")
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in self.shape):
            raise InputError(f"{where}: the sizes of a shape are integers from 1 on, got {list(self.shape)}")
        if self.count * self.coding.width >= 1 << 38:
            raise InputError(f"{where}: {self.count} values of {self.coding.width} bits do not fit the 32-bit payload offsets")
        if DTYPES[self.dtype] != self.coding.width:
            raise InputError(f"{where}: dtype {self.dtype} has {DTYPES[self.dtype]} bits, its coding {self.coding.width}")
        if self.order is not None:
            self.order = tuple(self.order)
            if any(isinstance(axis, bool) for axis in self.order) or sorted(self.order, key=repr) != sorted(
                range(len(self.shape)), key=repr
            ):
                raise InputError(f"{where}: order {list(self.order)} is no permutation of {len(self.shape)} axes")
        if isinstance(self.crc32, bool) or not isinstance(self.crc32, int) or not 0 <= self.crc32 < 1 << 32:
            raise InputError(f"{where}: crc32 {self.crc32!r} is no unsigned 32-bit integer")

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the raw image."""
        return raw_bytes(self.count, self.coding.width)

    @property
    def coded_bytes(self) -> int:
        """Bytes of index, payload and table."""
        return coded_size(self.coded, self.coding)

    @property
    def ratio(self) -> float:
        """Raw bytes over coded bytes: above 1 is smaller."""
        return self.raw_bytes / self.coded_bytes


def compress_tensor(
    name: str,
    array: npt.ArrayLike,
    coding: Coding | None = None,
    *,
    order: Sequence[int] | None = None,
    dtype: str | None = None,
    allow_nan: bool = False,
    implementation: str = "auto",
    **options: Any,
) -> CompressedTensor:
    """Compress one tensor.

    Parameters
    ----------
    name : str
        Its name.
    array : array_like
        Elements of one of :data:`DTYPES`, in any shape but empty. bfloat16, int4 and uint4 are ml_dtypes' types; without that package give
        uint16 bit patterns (bfloat16), int8 values -8..7 (int4) or uint8 values 0..15 (uint4) and say so with ``dtype``.
    coding : Coding, optional
        How; without it, one is made of ``options`` (``codec=...`` and the other attributes of :class:`Coding`, the width being that of
        the dtype).
        An ``apack`` without ``table`` gets the optimal table of this tensor.
    order : sequence of int, optional
        Store the values with the axes in this order; ``ebpc`` likes neighbours along the last axis to be alike.
    dtype : str, optional
        What the elements are, where numpy cannot say it.
    allow_nan : bool
        Take floating-point tensors with NaN; their bits are kept as they are.
    implementation : str
        See :func:`tensorpress.codecs.encode`.

    Returns
    -------
    CompressedTensor

    Raises
    ------
    InputError
        Naming the tensor: empty, an unknown dtype, a NaN (with its index), or parameters that do not fit.
    """
    values = np.asarray(array)
    label = dtype if dtype is not None else values.dtype.name
    where = f"tensor {name!r}"
    if label not in DTYPES:
        raise InputError(f"{where}: dtype {label} is not supported (known: {', '.join(DTYPES)})")
    if values.dtype.name != label and values.dtype.name not in _VIEWS.get(label, ()):
        raise InputError(f"{where}: elements of dtype {values.dtype.name} cannot be taken as {label}")
    if values.size == 0:
        raise InputError(f"{where} is empty (shape {list(values.shape)})")
    if not allow_nan:
        _refuse_nan(values, label, where)
    width = DTYPES[label]
    if order is not None:
        order = tuple(int(axis) for axis in order)
        if sorted(order) != list(range(values.ndim)):
            raise InputError(f"{where}: order {list(order)} is no permutation of {values.ndim} axes")
    try:
        stored = values if order is None else values.transpose(order)
        flat = unsigned_values(_as_integers(stored, label), width)
        if coding is None:
            if "codec" not in options:
                raise InputError("name a codec, or give a coding")
            if options["codec"] == "apack" and options.get("table") is None and width < 32:
                options["table"] = optimal_table(histogram(flat, width), width)
            try:
                coding = Coding(**{"width": width, **options})
            except TypeError as error:
                raise InputError(f"unknown option of a coding: {error}") from error
        elif options:
            raise InputError(f"a coding is given, and options as well ({', '.join(options)})")
        if coding.width != width:
            raise InputError(f"dtype {label} has {width} bits, its coding {coding.width}")
        coded = encode(flat, coding, implementation=implementation)
    except InputError as error:
        raise type(error)(f"{where}: {error}") from error
    return CompressedTensor(
        name, label, tuple(int(size) for size in values.shape), coding, coded, order, zlib.crc32(raw_image(flat, width).tobytes())
    )


def decompress_tensor(tensor: CompressedTensor, *, implementation: str = "auto") -> npt.NDArray[Any]:
    """The tensor as it was given to :func:`compress_tensor`.

    Returns
    -------
    numpy.ndarray
        Original shape and dtype. Without ml_dtypes, bfloat16 comes as uint16 bit patterns, int4 as int8 and uint4 as uint8.

    Raises
    ------
    FormatError
        Naming tensor and block, if the coded bytes are damaged; naming the tensor, if the values do not have the CRC that was stored.
    """
    width = tensor.coding.width
    try:
        flat = decode(tensor.coded, tensor.count, tensor.coding, implementation=implementation)
    except FormatError as error:
        raise FormatError(error.detail, tensor=tensor.name, block=error.block) from error
    crc = zlib.crc32(raw_image(flat, width).tobytes())
    if crc != tensor.crc32:
        raise FormatError(f"the values have CRC {crc:#010x}, stored is {tensor.crc32:#010x}", tensor=tensor.name)
    values = _from_integers(flat, tensor.dtype)
    if tensor.order is None:
        return values.reshape(tensor.shape)
    stored = values.reshape([tensor.shape[axis] for axis in tensor.order])
    return np.ascontiguousarray(stored.transpose(np.argsort(tensor.order)))


def _small_dtype(name: str) -> np.dtype[Any] | None:
    """ml_dtypes' dtype of this name, or None where the package is not installed."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return dtype


def _as_integers(values: npt.NDArray[Any], label: str) -> npt.NDArray[Any]:
    values = np.ascontiguousarray(values)
    if label in ("int4", "uint4"):
        return values.astype(np.int8 if label == "int4" else np.uint8)
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
    return values.view(UNSIGNED[DTYPES[label]])


def _from_integers(flat: npt.NDArray[Any], label: str) -> npt.NDArray[Any]:
    if label in ("int4", "uint4"):
        if label == "int4":
            flat = ((flat ^ 8).astype(np.int8) - np.int8(8)).astype(np.int8)
        small = _small_dtype(label)
        return flat if small is None else flat.astype(small)
    if label == "bfloat16":
        small = _small_dtype(label)
        return flat if small is None else flat.view(small)
    return flat.view(np.dtype(label))


def _refuse_nan(values: npt.NDArray[Any], label: str, where: str) -> None:
    if label == "bfloat16":
        nan = (np.ascontiguousarray(values).view(np.uint16) & 0x7FFF) > 0x7F80
    elif label in ("float16", "float32"):
        nan = np.isnan(values)
    else:
        return
    if nan.any():
        first = np.unravel_index(int(np.argmax(nan)), values.shape)
        raise InputError(f"{where}: NaN at index {[int(k) for k in first]} ({int(nan.sum())} in all); allow_nan keeps them as they are")


def _check_text(text: str, what: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{what} is not valid Unicode: {text!r}") from error


def _describe(tensor: CompressedTensor, index: tuple[int, int], payload: tuple[int, int]) -> dict[str, Any]:
    """The tensor's object in the header."""
    coding = tensor.coding
    entry: dict[str, Any] = {
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "codec": coding.codec,
        "W": coding.width,
        "block_values": coding.block_values,
    }
    if tensor.order is not None:
        entry["order"] = list(tensor.order)
    if coding.table is not None:
        entry["S"] = coding.coders
        entry["tables"] = [coding.table.to_json()]
    if coding.definition.uses_zero:
        entry["zero"] = coding.zero
    if coding.definition.uses_signed:
        entry["signed"] = bool(coding.signed)
    return {**entry, "index": list(index), "payload": list(payload), "crc32": tensor.crc32}


def write(
    path: str | os.PathLike[str],
    tensors: Iterable[CompressedTensor] | Mapping[str, CompressedTensor],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a ``.tpz`` file. The file is complete, or it is as it was before.

    Parameters
    ----------
    path : path
        Where; a file that is there is replaced.
    tensors : iterable of CompressedTensor, or mapping of names to them
        The names of a mapping take the place of the tensors' own.
    metadata : mapping of str to str, optional
        Kept with the file.

    Raises
    ------
    InputError
        If two tensors have one name, the metadata are not strings, a tensor's index does not fit its payload, or the file cannot be
        written.
    """
    chosen = [replace(tensor, name=name) for name, tensor in tensors.items()] if isinstance(tensors, Mapping) else list(tensors)
    names = [tensor.name for tensor in chosen]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two tensors are called {name!r}")
    notes = dict(metadata or {})
    for key, value in notes.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InputError(f"metadata are strings, got {key!r}: {value!r}")
        _check_text(key, "a key of the metadata")
        _check_text(value, f"metadata {key!r}")
    for tensor in chosen:
        try:
            check_index(tensor.coded.index, len(tensor.coded.payload), tensor.count, tensor.coding)
        except FormatError as error:
            raise InputError(f"tensor {tensor.name!r} cannot be written: {error}") from error
    regions = [np.ascontiguousarray(part, "<u8") for tensor in chosen for part in (tensor.coded.index, tensor.coded.payload)]

    header_bytes = 0
    while True:
        position, places = _aligned(_PREFIX_BYTES + header_bytes), []
        for region in regions:
            places.append((position, region.nbytes))
            position = _aligned(position + region.nbytes)
        described = {tensor.name: _describe(tensor, *places[2 * k : 2 * k + 2]) for k, tensor in enumerate(chosen)}
        content = {"format": FORMAT, "metadata": notes, "tensors": described}
        header = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        if len(header) <= header_bytes:
            header = header.ljust(header_bytes, b" ")
            break
        header_bytes = _aligned(_PREFIX_BYTES + len(header)) - _PREFIX_BYTES

    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(MAGIC + bytes(4) + len(header).to_bytes(8, "little") + header)
                for (start, _), region in zip(places, regions, strict=True):
                    file.write(bytes(start - file.tell()))
                    file.write(region.tobytes())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise InputError(f"cannot write {target}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class _Entry:
    """A checked entry of the header."""

    dtype: str
    shape: tuple[int, ...]
    coding: Coding
    order: tuple[int, ...] | None
    crc32: int
    index: tuple[int, int]
    payload: tuple[int, int]


class Reader:
    """A ``.tpz`` file, mapped; a context manager, and iterable over its tensors.

    The header is checked when the file is opened, the index of a tensor when it is asked for, its blocks when it is decompressed.
    The arrays of a tensor look into the file: leave it unchanged while they are in use.

    Parameters
    ----------
    path : path
        The file.

    Attributes
    ----------
    names : list of str
        The tensors, in the order of the header.
    metadata : dict of str to str

    Raises
    ------
    InputError
        If the file cannot be opened.
    FormatError
        If it breaks a rule of FORMAT.md section 6; names the tensor where there is one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._map: mmap.mmap | None = None
        try:
            with open(self._path, "rb") as file:
                self._size = os.fstat(file.fileno()).st_size
                if self._size < _PREFIX_BYTES:
                    raise FormatError(f"{self._path} is no .tpz file: it has {self._size} bytes, the start alone takes {_PREFIX_BYTES}")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            if isinstance(error, FormatError):
                raise
            raise InputError(f"cannot read {self._path}: {error}") from error
        try:
            self.metadata, self._entries = self._read_header(self._map)
        except BaseException:
            self.close()
            raise
        self.names = list(self._entries)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[CompressedTensor]:
        for name in self.names:
            yield self.tensor(name)

    def close(self) -> None:
        """Give the file back. Tensors that were read stay usable."""
        mapped, self._map = self._map, None
        if mapped is not None:
            with contextlib.suppress(BufferError):  # arrays still look into it; it goes when they go
                mapped.close()

    def tensor(self, name: str) -> CompressedTensor:
        """One tensor, still compressed.

        Raises
        ------
        InputError
            If there is no such tensor, or the file is closed.
        FormatError
            Naming tensor and block, if an index entry breaks a rule.
        """
        if self._map is None:
            raise InputError(f"{self._path} is closed")
        if name not in self._entries:
            raise InputError(f"{self._path} has no tensor {name!r} (it has {len(self.names)} tensors)")
        entry = self._entries[name]
        index, payload = (
            np.frombuffer(self._map, "<u8", size // 8, start) if size else np.zeros(0, np.uint64)
            for start, size in (entry.index, entry.payload)
        )
        tensor = CompressedTensor(name, entry.dtype, entry.shape, entry.coding, Coded(index, payload), entry.order, entry.crc32)
        try:
            check_index(index, len(payload), tensor.count, entry.coding)
        except FormatError as error:
            raise FormatError(error.detail, tensor=name, block=error.block) from error
        return tensor

    def _read_header(self, mapped: mmap.mmap) -> tuple[dict[str, str], dict[str, _Entry]]:
        if mapped[:4] != MAGIC:
            raise FormatError(f"{self._path} is no .tpz file: it starts with {mapped[:4]!r}")
        if mapped[4:8] != bytes(4):
            raise FormatError("bytes 4 to 7 are not zero")
        length = int.from_bytes(mapped[8:16], "little")
        if length > self._size - _PREFIX_BYTES:
            raise FormatError(f"the header of {length} bytes ends past the file ({self._size} bytes)")
        try:
            text = mapped[_PREFIX_BYTES : _PREFIX_BYTES + length].decode("utf-8")
            header = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"the header is not JSON: {error}") from error
        if not isinstance(header, dict):
            raise FormatError("the header is not an object")
        number = header.get("format")
        if isinstance(number, bool) or not isinstance(number, int) or number != FORMAT:
            raise FormatError(f"format {number!r} is unknown; this version reads {FORMAT}")
        metadata, tensors = header.get("metadata", {}), header.get("tensors")
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise FormatError("metadata is not an object of strings")
        if not isinstance(tensors, dict):
            raise FormatError("there is no object 'tensors'")
        entries = {name: self._read_entry(name, data) for name, data in tensors.items()}
        self._check_regions(entries, _PREFIX_BYTES + length)
        return metadata, entries

    def _read_entry(self, name: str, data: Any) -> _Entry:
        def need(key: str, kind: type) -> Any:
            if key not in data:
                raise FormatError(f"no {key!r}", tensor=name)
            if not isinstance(data[key], kind) or (kind is int and isinstance(data[key], bool)):
                raise FormatError(f"{key!r} is not of type {kind.__name__}: {data[key]!r:.80}", tensor=name)
            return data[key]

        if not isinstance(data, dict):
            raise FormatError("its description is not an object", tensor=name)
        codec = need("codec", str)
        options: dict[str, Any] = {}
        try:
            width, block_values = need("W", int), need("block_values", int)
            if codec == "apack":
                options["coders"] = need("S", int)
                tables = need("tables", list)
                if len(tables) != 1:
                    raise FormatError(f"{len(tables)} tables; format {FORMAT} has one", tensor=name)
                options["table"] = Table.from_json(tables[0], width)
            if codec in ("zvc", "ebpc"):
                options["zero"] = need("zero", int)
            if codec == "ebpc":
                options["signed"] = need("signed", bool)
            coding = Coding(codec, width=width, block_values=block_values, **options)
            order = tuple(need("order", list)) if "order" in data else None
            shape, dtype, crc32 = tuple(need("shape", list)), need("dtype", str), need("crc32", int)
            nothing = np.zeros(0, np.uint64)
            checked = CompressedTensor(name, dtype, shape, coding, Coded(nothing, nothing), order, crc32)
        except InputError as error:
            raise FormatError(str(error), tensor=name) from error
        places = []
        for key in ("index", "payload"):
            place = need(key, list)
            if len(place) != 2 or any(isinstance(number, bool) or not isinstance(number, int) or number < 0 for number in place):
                raise FormatError(f"{key!r} is not [start, bytes]: {place!r:.80}", tensor=name)
            start, size = place
            if start % ALIGNMENT or size % 8:
                raise FormatError(f"{key!r} {place} does not start on {ALIGNMENT} bytes, or is not whole words", tensor=name)
            if start + size > self._size:
                raise FormatError(f"{key!r} {place} ends past the file ({self._size} bytes)", tensor=name)
            places.append((start, size))
        blocks = coding.blocks(checked.count)
        if places[0][1] != 8 * blocks:
            raise FormatError(f"'index' has {places[0][1]} bytes; {blocks} blocks need {8 * blocks}", tensor=name)
        return _Entry(dtype, checked.shape, coding, checked.order, crc32, places[0], places[1])

    def _check_regions(self, entries: dict[str, _Entry], header_end: int) -> None:
        regions = sorted((*place, name) for name, entry in entries.items() for place in (entry.index, entry.payload))
        end = header_end
        for start, size, name in regions:
            if start < end:
                raise FormatError(f"its region [{start}, {size}] overlaps the header or another region", tensor=name)
            end = start + size


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has a key twice")
    return result


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")
