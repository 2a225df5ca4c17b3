# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that needs nothing else, with its pictures inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from tensorpress import __version__
from tensorpress.errors import InputError

from .hardware import KINDS, Hardware
from .measure import CHANNEL_FIRST, OUR_CODECS, Measured
from .summary import BEST, Total, meaning, methods, samples_of, title, total, totals, traffic

TEMPLATE = "page.html.j2"


def page(
    measured: Sequence[Measured],
    pictures: Mapping[str, bytes],
    *,
    notes: Sequence[str],
    faults: Sequence[str],
    hardware: Hardware | None = None,
) -> str:
    """The page of a report.

    Parameters
    ----------
    measured : sequence of Measured
    pictures : mapping of str to bytes
        Name -> PNG; names as :func:`tensorpress.report.pictures` gives them: a network's begin with its name and a slash.
    notes, faults : sequence of str
        Shown at the top.
    hardware : Hardware, optional
        What a device did.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise InputError("reports need the package jinja2: pip install 'tensorpress[report]'") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    names = methods(measured)
    networks = list(dict.fromkeys(one.network for one in measured))
    codecs = [name for name in (*OUR_CODECS, CHANNEL_FIRST, BEST) if name == BEST or any(name in one.sizes for one in measured)]
    sums = totals(measured)
    kinds = []
    for kind in KINDS:
        rows = [_row(one, one.network, names) for one in sums if one.kind == kind]
        if len(rows) > 1:
            members = [one for one in measured if one.kind == kind]
            rows.append({**_row(total("", kind, members), "all", names), "sum": True})
        if rows:
            kinds.append({"title": KINDS[kind], "rows": rows})
    return template.render(
        version=__version__,
        tensors=len(measured),
        values=sum(one.values for one in measured),
        notes=notes,
        faults=faults,
        methods=[{"title": title(name), "meaning": meaning(name)} for name in names],
        kinds=kinds,
        codecs=[title(name) for name in codecs],
        traffic=[_traffic_row(network, measured, codecs) for network in networks],
        pictures=[_picture(name, data) for name, data in pictures.items() if "/" not in name],
        networks=[{**_network(network, measured, names, pictures), "timed": _timed(network, hardware)} for network in networks],
        hardware=_hardware(hardware),
    )


def _hardware(hardware: Hardware | None) -> dict[str, Any] | None:
    """What the page says of the device; None without rows."""
    if hardware is None or not hardware.rows:
        return None
    rows = [{**one, "kind": KINDS[one["kind"]].lower(), "rates": list(one["rates"].values())} for one in hardware.totals()]
    return {
        "device": hardware.device,
        "limit": hardware.limit,
        "codecs": hardware.codecs(),
        "rows": rows,
        "tensors": hardware.tensors(),
        "wrong": hardware.wrong(),
        "count": len(hardware.rows),
        "clocked": hardware.clocked(),
    }


def _timed(network: str, hardware: Hardware | None) -> list[dict[str, Any]]:
    """The rows of a network's tensors on the device."""
    return [] if hardware is None else [{**one.row(), "ratio": one.raw_bytes / one.coded_bytes} for one in hardware.of(network)]


def _picture(name: str, data: bytes) -> dict[str, str]:
    return {"alt": name.replace("/", ", "), "data": b64encode(data).decode("ascii")}


def _cells(ratios: Sequence[float | None], names: Sequence[str], partial: Sequence[bool]) -> list[dict[str, Any]]:
    real = [ratio for ratio, name in zip(ratios, names, strict=True) if ratio is not None and name not in ("entropy", BEST)]
    return [
        {
            "text": "" if ratio is None else f"{ratio:.2f}{'*' if part else ''}",
            "best": ratio is not None and name not in ("entropy", BEST) and ratio == max(real),
        }
        for ratio, name, part in zip(ratios, names, partial, strict=True)
    ]


def _row(one: Total, name: str, names: Sequence[str]) -> dict[str, Any]:
    cells = _cells([one.ratio(method) for method in names], names, [one.partial(method) for method in names])
    return {"name": name, "number": one.values, "entropy": one.entropy, "cells": cells, "sum": False}


def _traffic_row(network: str, measured: Sequence[Measured], codecs: Sequence[str]) -> dict[str, Any]:
    flow = traffic(network, measured)
    cells = [{"kb": flow.coded[codec] / 1000, "saved": round(100 * flow.saved(codec))} for codec in codecs]
    count = samples_of(one for one in measured if one.network == network)
    return {"network": network, "samples": count, "raw": flow.raw / 1000, "cells": cells}


def answer(network: str, measured: Sequence[Measured]) -> str:
    """In three sentences: what compression does to the network's traffic, and what to build for it."""
    flow = traffic(network, measured)
    change = round(100 * flow.saved(BEST))
    turned = CHANNEL_FIRST if flow.coded[CHANNEL_FIRST] < flow.coded["ebpc"] else "ebpc"
    taken = {codec for one in measured if one.network == network for codec in one.sizes}
    single = {codec: flow.saved(codec) for codec in (turned if codec == "ebpc" else codec for codec in OUR_CODECS) if codec in taken}
    ranked = sorted(single, key=lambda codec: -single[codec])[:2]
    text = (
        f"With the smallest codec for each tensor, {flow.raw / 1000:,.1f} kB of memory traffic at one run become "
        f"{flow.coded[BEST] / 1000:,.1f} kB: {abs(change):.0f} % {'more' if change < 0 else 'less'}. "
    )
    if flow.saved(BEST) < 0.03:
        return text + "That is hardly worth an engine."
    told = [f"{title(codec)} spares {share} %" for codec in ranked if (share := round(100 * single[codec])) > 0]
    return text + (f"One codec for all: {', '.join(told)}." if told else "No single codec for all spares anything.")


def _network(network: str, measured: Sequence[Measured], names: Sequence[str], pictures: Mapping[str, bytes]) -> dict[str, Any]:
    members = [one for one in measured if one.network == network]
    rows = []
    for one in members:
        sizes: dict[str, float] = {**one.sizes, BEST: float(one.best_bytes)}
        ratios = [one.raw_bytes / size if (size := sizes.get(name)) else None for name in names]
        rows.append(
            {
                "name": one.name,
                "sample": one.sample,
                "op": one.op,
                "dtype": one.dtype,
                "shape": "x".join(map(str, one.shape)),
                "raw": one.raw_bytes,
                "zero": f"{'' if one.zero_stated else '~'}{one.zero}",
                "entropy": one.entropy,
                "cells": _cells(ratios, names, [False] * len(names)),
                "best": one.best + ("" if one.best_order is None else f", order {','.join(map(str, one.best_order))}"),
            }
        )
    return {
        "name": network,
        "answer": answer(network, measured),
        "count": len(members),
        "rows": rows,
        "pictures": [_picture(name, data) for name, data in pictures.items() if name.startswith(f"{network}/")],
    }
