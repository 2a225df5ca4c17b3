# SPDX-License-Identifier: Apache-2.0
"""How far the tensors of networks shrink: every codec and peer on every tensor, as CSV, JSON, pictures and one HTML page.

>>> from tensorpress.report import measure_all, settings_for
>>> import numpy as np
>>> from tensorpress.tensors import NamedTensor
>>> one = NamedTensor("act/x", np.zeros((4, 64), np.uint8), "act", "net", 0, None, "uint8")
>>> settings, missing = settings_for()
>>> measure_all([one], settings)[0].sizes["zvc"]
48

joblib carries the work. Within ``with joblib.parallel_config("dask"):`` (or ``"ray"``), :func:`measure_all` runs on that cluster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tensorpress.errors import InputError

from . import plots
from .hardware import Hardware, Timed
from .measure import Measured, Settings, measure, measure_all, settings_for, spread
from .page import page
from .summary import as_json, hardware_csv, networks_csv, tensors_csv

__all__ = ["Hardware", "Measured", "Settings", "Timed", "measure", "measure_all", "pictures", "settings_for", "write_report"]

PAGE, TENSORS, NETWORKS, JSON, PLOTS = "index.html", "tensors.csv", "networks.csv", "report.json", "plots"
HARDWARE = "hardware.csv"
FILES = (PAGE, TENSORS, NETWORKS, JSON, PLOTS)
"""What every report has; with a device there is :data:`HARDWARE`, too."""


def pictures(measured: Sequence[Measured], *, jobs: int = 1) -> dict[str, bytes]:
    """All plots: name -> PNG. Those of one network are called ``<network>/<what>``.

    Parameters
    ----------
    measured : sequence of Measured
    jobs : int
        Processes, a network each.
    """
    names = list(dict.fromkeys(one.network for one in measured))
    made = {"ratio by method": plots.comparison(measured)}
    if len(names) > 1:
        made["ratio by network"] = plots.networks(measured)
    members = [[replace(one, packed=None) for one in measured if one.network == network] for network in names]
    for part in spread(_pictures_of, members, jobs):
        made.update(part)
    return made


def _pictures_of(members: Sequence[Measured]) -> dict[str, bytes]:
    """The plots of one network."""
    network = members[0].network
    made = {
        f"{network}/ratio by layer": plots.ratios(network, members),
        f"{network}/memory traffic by layer": plots.traffic(network, members),
    }
    for kind in ("weight", "activation", "tensor"):
        tables = [one for one in members if one.kind == kind and one.table is not None]
        if tables:
            made[f"{network}/values of the largest {kind}"] = plots.histogram(max(tables, key=lambda one: one.values))
    return made


def write_report(
    folder: str | Path,
    measured: Sequence[Measured],
    *,
    files: Sequence[str] = (),
    notes: Sequence[str] = (),
    faults: Sequence[str] = (),
    jobs: int = 1,
    hardware: Hardware | None = None,
) -> Path:
    """Write the page, the tables and the pictures into a folder; files of those names are replaced.

    Parameters
    ----------
    folder : str or Path
        Made when missing; its parent must be there.
    measured : sequence of Measured
        At least one.
    files : sequence of str
        The files that were asked for, for the JSON.
    notes, faults : sequence of str
        What a reader should know; what could not be read.
    jobs : int
        Processes, for the pictures.
    hardware : Hardware, optional
        What a device did with the tensors.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        Nothing was measured, or a package is missing.
    OSError
        The folder cannot be written.
    """
    if not measured:
        raise InputError("a report needs at least one tensor")
    target = Path(folder)
    made = pictures(measured, jobs=jobs)
    text = page(measured, made, notes=notes, faults=faults, hardware=hardware)
    (target / PLOTS).mkdir(parents=True, exist_ok=True)
    for name, data in made.items():
        (target / PLOTS / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.png").write_bytes(data)
    (target / TENSORS).write_text(tensors_csv(measured))
    (target / NETWORKS).write_text(networks_csv(measured))
    (target / JSON).write_text(as_json(measured, files=files, notes=notes, faults=faults, hardware=hardware))
    if hardware is not None and hardware.rows:
        (target / HARDWARE).write_text(hardware_csv(hardware))
    else:
        (target / HARDWARE).unlink(missing_ok=True)  # of an earlier report
    (target / PAGE).write_text(text, encoding="utf-8")
    return target / PAGE
