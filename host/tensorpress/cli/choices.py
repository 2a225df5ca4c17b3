# SPDX-License-Identifier: Apache-2.0
"""What the options and arguments name: codecs, files of tensors, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tensorpress import tables
from tensorpress.choices import AUTO
from tensorpress.codecs import CODECS
from tensorpress.errors import InputError
from tensorpress.importers import MODEL_SUFFIXES, Feed, find_feeds, import_model
from tensorpress.tensors import NamedTensor, NoMatchError, load_tensors

if TYPE_CHECKING:
    from tensorpress.cli.console import Report

EVERY = ("all", AUTO)


def codec_names(given: Sequence[str] | None, default: Sequence[str]) -> list[str]:
    """Codec names from options that may repeat or hold commas; ``all`` and ``auto`` are `default`.

    Raises
    ------
    InputError
        An unknown name.
    """
    names = [part.strip() for text in given or [] for part in text.split(",")]
    if not names:
        return list(default)
    chosen: list[str] = []
    for name in names:
        if name not in (*CODECS, *EVERY):
            raise InputError(f"unknown codec {name!r} (known: {', '.join((*CODECS, *EVERY))})")
        chosen += [one for one in (default if name in EVERY else [name]) if one not in chosen]
    return chosen


def feeds_of(inputs: Sequence[Path] | None, files: Sequence[Path]) -> list[Feed]:
    """The inputs for models.

    Raises
    ------
    InputError
        One cannot be found, or there is no model that takes them.
    """
    if inputs and not any(is_model(path) for path in files):
        raise InputError("--inputs are for models (.tflite, .onnx); no file is one")
    return find_feeds(inputs or [])


def is_model(path: Path) -> bool:
    """Whether a file is to be imported as a model."""
    return path.suffix.lower() in MODEL_SUFFIXES


def load_all(
    files: Sequence[Path],
    *,
    names: Sequence[str] | None,
    manifest: Path | None,
    network: str | None,
    allow_nan: bool = False,
    inputs: Sequence[Path] | None = None,
    report: Report | None = None,
) -> list[NamedTensor]:
    """The tensors of several files. A name pattern must match somewhere, not in every file.

    Models are imported with their inputs; what is to be known of that goes to the report as notes.

    Raises
    ------
    InputError
        A file cannot be read, or a part of a model.
    """
    feeds = feeds_of(inputs, files)
    loaded: list[NamedTensor] = []
    missing: NoMatchError | None = None
    for path in files:
        try:
            if is_model(path):
                imported = import_model(path, feeds, names=names, network=network)
                if report is not None:
                    for note in imported.notes:
                        report.note(note)
                if imported.faults:
                    raise InputError(imported.faults[0])
                loaded += imported.tensors
            else:
                loaded += load_tensors(path, names=names, manifest=manifest, network=network, allow_nan=allow_nan)
        except NoMatchError as error:
            missing = error
    if not loaded and missing is not None:
        raise missing
    return loaded


def load_tables_file(path: Path | None) -> Mapping[str, tables.Table]:
    """The tables of a file that `profile` made; none without a file."""
    return {} if path is None else tables.load_tables(path)
