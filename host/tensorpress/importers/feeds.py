# SPDX-License-Identifier: Apache-2.0
"""Inputs for a model: the user's arrays and images, or random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorpress.errors import InputError

from .model import shape_text

ARRAYS = (".npy", ".npz")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".gif", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Feed:
    """One input of a model.

    Attributes
    ----------
    name : str
        The stem of its file, or ``random``.
    path : Path or None
        None: random numbers.
    """

    name: str
    path: Path | None = None


RANDOM = Feed("random")


@dataclass(frozen=True)
class Slot:
    """An input tensor of a model.

    Attributes
    ----------
    name : str
    shape : tuple of int or None
        None where the model leaves a size open.
    dtype : numpy.dtype
    scale, zero_point : float or None, int
        How real numbers become integers there; None where the model does not say.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    scale: float | None = None
    zero_point: int = 0


def find_feeds(paths: Sequence[Path]) -> list[Feed]:
    """The inputs in files and folders (the usable files in them, by name).

    Raises
    ------
    InputError
        Something does not exist, has an unknown suffix, or a folder holds no usable file.
    """
    files: list[Path] = []
    known = (*ARRAYS, *IMAGES)
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in known and not file.name.startswith("."))
            if not inside:
                raise InputError(f"{path}: holds no input; usable are {', '.join(known)}")
            files += inside
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder")
        elif path.suffix.lower() not in known:
            raise InputError(f"{path}: unknown kind of input; usable are {', '.join(known)}")
        else:
            files.append(path)
    stems = [file.stem for file in files]
    return [Feed(file.name if stems.count(file.stem) > 1 else file.stem, file) for file in files]


def arrays_for(feed: Feed, slots: Sequence[Slot]) -> dict[str, npt.NDArray[Any]]:
    """An array for each input tensor of a model.

    Files ``.npz`` hold an array for each, by its name; of a model with one input, any one array will do. An image is scaled to the model's
    height and width; its bytes go into uint8 tensors as they are, into int8 ones less 128, into floating-point ones divided by 255.
    Real numbers for an integer tensor are quantised with the parameters of the model.

    Raises
    ------
    InputError
        Naming the file, the input tensor and what does not fit.
    """
    if feed.path is None:
        return {slot.name: _random(slot, number) for number, slot in enumerate(slots)}
    suffix = feed.path.suffix.lower()
    try:
        if suffix in ARRAYS:
            content = np.load(feed.path, allow_pickle=False)
            held = dict(content) if suffix == ".npz" else {"": content}
        elif len(slots) != 1:
            raise InputError(f"{feed.path}: the model has {len(slots)} inputs, an image is one; use a .npz with {_names(slots)}")
        else:
            return {slots[0].name: _image(feed.path, slots[0])}
    except InputError:
        raise
    except Exception as error:  # numpy and PIL raise many kinds for damaged files
        raise InputError(f"{feed.path}: cannot be read: {str(error).strip() or type(error).__name__}") from error
    if len(slots) == 1 and len(held) == 1:
        held = {slots[0].name: next(iter(held.values()))}
    missing = [slot for slot in slots if slot.name not in held]
    if missing:
        raise InputError(f"{feed.path}: has no array {_names(missing)}")
    return {slot.name: _fitted(held[slot.name], slot, str(feed.path)) for slot in slots}


def _names(slots: Sequence[Slot]) -> str:
    return ", ".join(repr(slot.name) for slot in slots)


def _random(slot: Slot, number: int) -> npt.NDArray[Any]:
    """Uniform integers, standard normal reals; sizes that are open are 1."""
    rng = np.random.default_rng(number)
    shape = tuple(1 if size is None else size for size in slot.shape)
    if slot.dtype.kind in "iu":
        if slot.dtype.itemsize > 2:  # token numbers, positions: no range is known
            return np.zeros(shape, slot.dtype)
        limits = np.iinfo(slot.dtype)
        return rng.integers(limits.min, limits.max + 1, shape).astype(slot.dtype)
    if slot.dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.normal(size=shape).astype(slot.dtype)


def _image(path: Path, slot: Slot) -> npt.NDArray[Any]:
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(f"{path}: images need the package pillow: pip install 'tensorpress[models]'") from error
    shape = slot.shape[1:] if len(slot.shape) == 4 else slot.shape
    if len(shape) == 3 and shape[2] in (1, 3):
        height, width, channels, first = shape[0], shape[1], shape[2], False
    elif len(shape) == 3 and shape[0] in (1, 3):
        channels, height, width, first = shape[0], shape[1], shape[2], True
    else:
        raise InputError(f"{path}: input {slot.name!r} of shape {shape_text(slot.shape)} takes no image")
    with Image.open(path) as opened:
        picture = opened.convert("RGB" if channels == 3 else "L")
    size = (picture.width if width is None else width, picture.height if height is None else height)
    pixels = np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR))
    if first:
        pixels = np.moveaxis(pixels, -1, 0) if channels == 3 else pixels[None]
    elif channels == 1:
        pixels = pixels[..., None]
    if len(slot.shape) == 4:
        pixels = pixels[None]
    if slot.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if slot.dtype == np.int8:
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    if slot.dtype.kind == "f":
        return (pixels / 255).astype(slot.dtype)
    raise InputError(f"{path}: input {slot.name!r} of dtype {slot.dtype} takes no image")


def _fitted(array: npt.NDArray[Any], slot: Slot, where: str) -> npt.NDArray[Any]:
    """The array in the dtype and with the axes of the input tensor."""
    place = f"{where}: array for input {slot.name!r}"
    if array.dtype.kind not in "iufb":
        raise InputError(f"{place} has dtype {array.dtype}")
    if slot.dtype.kind in "iu" and array.dtype.kind == "f":
        if not slot.scale:
            raise InputError(f"{place} is of real numbers, and the model does not say how to quantise them; give {slot.dtype}")
        if not np.isfinite(array).all():
            raise InputError(f"{place} holds NaN or infinity")
        limits = np.iinfo(slot.dtype)
        array = np.clip(np.rint(array / slot.scale) + slot.zero_point, limits.min, limits.max)
    elif slot.dtype.kind in "iu" and array.size:
        limits = np.iinfo(slot.dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise InputError(f"{place} holds {int(array.min())}..{int(array.max())}, {slot.dtype} has {limits.min}..{limits.max}")
    shaped = array.astype(slot.dtype)
    while shaped.ndim > len(slot.shape) and 1 in shaped.shape[1:]:
        shaped = shaped.squeeze(shaped.shape.index(1, 1))
    if shaped.ndim == len(slot.shape) - 1 and slot.shape[0] in (None, 1):
        shaped = shaped[None]
    rest = [(have, want) for have, want in zip(shaped.shape[1:], slot.shape[1:], strict=False) if want is not None and have != want]
    if shaped.ndim != len(slot.shape) or rest or math.prod(shaped.shape) == 0:
        raise InputError(f"{place} has shape {shape_text(array.shape)}, the model takes {shape_text(slot.shape)}")
    return np.ascontiguousarray(shaped)
