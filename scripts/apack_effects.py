#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What block size, number of coders and table do to APack's size, beside order-0 entropy, on real tensors.

``python scripts/apack_effects.py [file ...]``: .npz and other files of tensors; without one, the demo's. Tensors of 8 bits are counted.
All figures are bits a value of the whole image: index, payload and table (48 bytes a tensor). The columns of a part are means, weighted
by size, over the tensors of a kind. "Other data": the table comes from the first half of each tensor (`profile`, of a batch of
activations the first inputs), and the second half is counted; beside it, that half with its own table.

``--ideal`` prints instead, for each file and kind, how far one coder over whole tensors is from what 16 ranges can give at best: shares are
rounded to 1024ths, the coder has 16 bits, and each of its two streams ends on a word. Index and table are left out of these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))

from tensorpress.codecs import Coding, encode  # noqa: E402
from tensorpress.codecs.apack import fast_encode  # noqa: E402
from tensorpress.demo import DEMO_TENSORS  # noqa: E402
from tensorpress.errors import TensorpressError  # noqa: E402
from tensorpress.peers import entropy_bits  # noqa: E402
from tensorpress.tables import Table, cost_bits, histogram, optimal_table, paper_table, profile, table_bytes  # noqa: E402
from tensorpress.tensors import load_tensors  # noqa: E402

WIDTH = 8
BLOCK, CODERS = 4096, 8
BLOCKS = (512, 1024, 2048, 4096, 8192, 16384)
ALL_CODERS = (1, 4, 8, 10, 16)
ENTROPY_BOUND, EXCESS_BOUND = 3.0, 0.02

Values = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tensor:
    """The unsigned values of a tensor, flat."""

    file: str
    name: str
    kind: str
    values: Values


def entropy(values: Values) -> float:
    """Order-0 entropy in bits a value."""
    return entropy_bits(histogram(values, WIDTH)) / len(values)


def bits(values: Values, table: Table, *, block: int = BLOCK, coders: int = CODERS) -> float:
    """Bits a value of index, payload and table."""
    coded = encode(values, Coding("apack", width=WIDTH, block_values=block, coders=coders, table=table))
    return 8 * (coded.nbytes + table_bytes(WIDTH)) / len(values)


def own_table(values: Values) -> Table:
    """The best table of these values."""
    return optimal_table(histogram(values, WIDTH), WIDTH)


def ideal_bits(values: Values, table: Table) -> float:
    """What the values take with the ranges of a table when every range has exactly the share that it needs."""
    counts = np.add.reduceat(histogram(values, WIDTH), np.array(table.vmin))
    used = counts > 0
    return float(np.sum(counts * np.array(table.ol)) - np.sum(counts[used] * np.log2(counts[used] / len(values))))


def whole_bits(values: Values, table: Table) -> float:
    """What one coder makes of a tensor as a single block, longer than the format allows; 8 bits a value where it hits the coder's limit."""
    coding = Coding("apack", width=WIDTH, coders=1, table=table)
    object.__setattr__(coding, "block_values", -(-len(values) // 128) * 128)
    return 64.0 * len(fast_encode(values, coding)[1])


def read(files: Sequence[Path]) -> list[Tensor]:
    """The 8-bit tensors of some files, of at least two values."""
    found = []
    for file in files:
        for tensor in load_tensors(file):
            if tensor.width == WIDTH and tensor.values.size >= 2:
                name = tensor.name if len(files) == 1 else f"{file.stem}/{tensor.name}"
                found.append(Tensor(file.stem, name, tensor.kind, np.ascontiguousarray(tensor.values).ravel().view(np.uint8)))
    return found


def mean(tensors: Sequence[Tensor], measure: Callable[[Values], float]) -> float:
    """A measure in bits a value, weighted by size."""
    return sum(measure(tensor.values) * len(tensor.values) for tensor in tensors) / sum(len(tensor.values) for tensor in tensors)


def rows(tensors: Sequence[Tensor]) -> list[tuple[str, float]]:
    """Name and bits a value of each variant."""
    tables = {id(tensor.values): own_table(tensor.values) for tensor in tensors}
    second = [Tensor(tensor.file, tensor.name, tensor.kind, tensor.values[len(tensor.values) // 2 :]) for tensor in tensors]
    others = {
        id(half.values): optimal_table(profile([tensor.values[: len(tensor.values) // 2]], WIDTH), WIDTH)
        for tensor, half in zip(tensors, second, strict=True)
    }

    def with_own_table(block: int = BLOCK, coders: int = CODERS) -> Callable[[Values], float]:
        return lambda values: bits(values, tables[id(values)], block=block, coders=coders)

    return [
        ("order-0 entropy", mean(tensors, entropy)),
        *((f"blocks of {block} values", mean(tensors, with_own_table(block=block))) for block in BLOCKS),
        *((f"{coders} coder{'s' * (coders > 1)}", mean(tensors, with_own_table(coders=coders))) for coders in ALL_CODERS),
        ("table: optimal", mean(tensors, with_own_table())),
        ("table: paper", mean(tensors, lambda values: bits(values, paper_table(histogram(values, WIDTH), WIDTH)))),
        ("second half, table of this half", mean(second, lambda values: bits(values, own_table(values)))),
        ("second half, table of other data (first half)", mean(second, lambda values: bits(values, others[id(values)]))),
    ]


def print_effects(tensors: Sequence[Tensor]) -> None:
    """The table of means, one column a kind."""
    kinds = sorted({tensor.kind for tensor in tensors})
    groups = [[tensor for tensor in tensors if tensor.kind == kind] for kind in kinds]
    print("| bits a value | " + " | ".join(f"{kind} ({len(group)})" for kind, group in zip(kinds, groups, strict=True)) + " |")
    print("|---|" + "--:|" * len(kinds))
    columns = [rows(group) for group in groups]
    for number, (name, _) in enumerate(columns[0]):
        print(f"| {name} | " + " | ".join(f"{column[number][1]:.3f}" for column in columns) + " |")


def print_excess(tensors: Sequence[Tensor]) -> None:
    """How far each tensor is above its entropy."""
    print(f"\n| tensor | values | entropy | image | above | blocks of {BLOCK} values, {CODERS} coders, own table |")
    print("|---|--:|--:|--:|--:|---|")
    inside = asked = 0
    for tensor in tensors:
        least, most = entropy(tensor.values), bits(tensor.values, own_table(tensor.values))
        excess = most / least - 1 if least else float("inf")
        note = ""
        if least > ENTROPY_BOUND:
            good = excess <= EXCESS_BOUND
            asked, inside = asked + 1, inside + good
            note = "" if good else f"more than {EXCESS_BOUND:.0%}"
        print(f"| {tensor.name} | {len(tensor.values)} | {least:.3f} | {most:.3f} | {excess:+.1%} | {note} |")
    print(f"\nentropy above {ENTROPY_BOUND:g} bits: {asked} tensors, the image of {inside} of them is within {EXCESS_BOUND:.0%} of it")


def print_ideal(groups: Sequence[tuple[str, str, Sequence[Tensor]]]) -> None:
    """One line a file and kind: bits a value, ideal and real, and where the difference comes from."""
    print("| file | kind | tensors | values | 16 ranges, ideal | one coder, whole tensors | above | by shares | by coder and padding |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for file, kind, tensors in groups:
        values = sum(len(tensor.values) for tensor in tensors)
        tables = [own_table(tensor.values) for tensor in tensors]
        ideal, rounded, whole = (
            sum(measure(tensor.values, table) for tensor, table in zip(tensors, tables, strict=True)) / values
            for measure in (ideal_bits, lambda values, table: cost_bits(histogram(values, WIDTH), table), whole_bits)
        )
        shares = f"{rounded / ideal - 1:.2%} | {(whole - rounded) / ideal:.2%}"
        print(f"| {file} | {kind} | {len(tensors)} | {values:,} | {ideal:.3f} | {whole:.3f} | {whole / ideal - 1:.2%} | {shares} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description="What block size, coders and table do to APack's size, beside order-0 entropy.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="tensors (.npz, .npy, .safetensors, .tpz); default: the demo's")
    parser.add_argument("--ideal", action="store_true", help="how far one coder over whole tensors is from the ideal of 16 ranges")
    options = parser.parse_args(arguments)
    try:
        tensors = read(options.files or [Path(DEMO_TENSORS)])
    except TensorpressError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not tensors:
        print("error: no tensor of 8 bits in these files", file=sys.stderr)
        return 2
    if options.ideal:
        kinds = dict.fromkeys((tensor.file, tensor.kind) for tensor in tensors)
        print_ideal([(*key, [tensor for tensor in tensors if (tensor.file, tensor.kind) == key]) for key in kinds])
        return 0
    print_effects(tensors)
    print_excess(tensors)
    return 0


if __name__ == "__main__":
    sys.exit(main())
