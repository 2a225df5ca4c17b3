# SPDX-License-Identifier: Apache-2.0
"""From a model file to tensors: quantised TFLite and ONNX, with their activations for the user's inputs or for random ones.

The libraries are needed only when such a file is read (``pip install 'tensorpress[models]'``): ai-edge-litert for TFLite, onnx and
onnxruntime for ONNX, pillow for images. Other files of tensors (.npz, .safetensors, ...) are read by :mod:`tensorpress.tensors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tensorpress.errors import InputError
from tensorpress.tensors import NoMatchError, matches

from . import isolated, onnx_model, tflite_model
from .feeds import Feed, find_feeds
from .model import Imported

__all__ = ["MODEL_SUFFIXES", "Feed", "Imported", "find_feeds", "import_model"]

_READERS: dict[str, Callable[[Path, Sequence[Feed], str], Imported]] = {".tflite": tflite_model.read, ".onnx": onnx_model.read}
MODEL_SUFFIXES = tuple(_READERS)


def import_model(
    path: str | Path,
    feeds: Sequence[Feed] = (),
    *,
    names: Sequence[str] | None = None,
    network: str | None = None,
    isolate: bool = True,
) -> Imported:
    """Read the quantised weights of a model, and its activations for some inputs.

    Parameters
    ----------
    path : str or Path
        A .tflite or .onnx file.
    feeds : sequence of Feed
        The inputs (see :func:`find_feeds`). None: one of random numbers, which a note tells.
    names : sequence of str, optional
        Names or shell patterns of the tensors wanted. Default: all.
    network : str, optional
        Name of the network. Default: the file's stem.
    isolate : bool
        Read it in a process of its own, so that a library that crashes on a damaged file takes nothing with it.

    Returns
    -------
    Imported

    Raises
    ------
    InputError
        The file cannot be read, a library is missing, or the model is not quantised; names the file.
    NoMatchError
        No tensor has a wanted name.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise InputError(f"{path}: unknown kind of model; readable are {', '.join(MODEL_SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    reader, arguments = _READERS[path.suffix.lower()], (path, list(feeds), network or path.stem)
    result: Imported = isolated.call(path, reader, *arguments) if isolate else reader(*arguments)
    chosen = [tensor for tensor in result.tensors if matches(tensor.name, list(names or []))]
    if names and not chosen:
        raise NoMatchError(f"{path}: no tensor matches {', '.join(map(repr, names))}")
    return replace(result, tensors=chosen)
