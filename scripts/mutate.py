#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the tests: makes one small fault at a time in a copy of the RTL and checks that the named test finds it.

``python scripts/mutate.py [word ...]`` runs the mutants whose file or description contains one of the words; ``--list`` names them.
Every test that is used must first pass on the unchanged copy. A mutant that does not build, or whose text is not in the file exactly
once, is an error of this table, not a success. The copy is ``build/mutants``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "mutants"
PARTS = ("rtl", "cores", "host", "scripts", "tests/rtl", "fusesoc.core", "fusesoc.conf", "pyproject.toml")
TIMEOUT = 900.0
FOUND = "cocotb tests failed"  # in the message of a run that built, ran and failed


@dataclass(frozen=True)
class Mutant:
    """One fault: in `file`, `old` becomes `new`; then `test` must fail."""

    what: str
    file: str
    old: str
    new: str
    test: str

    @property
    def name(self) -> str:
        """For example ``lane_feeder: B always waits for A``."""
        return f"{Path(self.file).stem}: {self.what}"


def _lane(what: str, module: str, old: str, new: str, variant: str = "verilator") -> Mutant:
    return Mutant(what, f"rtl/lane/{module}.v", old, new, f"tests/rtl/lane/test_{module}.py::test_{module}[{variant}]")


def _ahead(what: str, old: str, new: str) -> Mutant:
    return Mutant(f"ahead: {what}", "rtl/lane/lane.v", old, new, "tests/rtl/lane/test_lane_ahead.py::test_lane_ahead[verilator]")


def _engine(what: str, module: str, old: str, new: str, variant: str = "verilator-3") -> Mutant:
    return Mutant(what, f"rtl/engine/{module}.v", old, new, f"tests/rtl/engine/test_{module}.py::test_{module}[{variant}]")


def _codec(what: str, module: str, old: str, new: str, test: str) -> Mutant:
    codec = module.split("_")[0]
    return Mutant(what, f"rtl/codec/{codec}/{module}.v", old, new, f"tests/rtl/codec/{codec}/test_{test}.py::test_{test}")


def _table(what: str, old: str, new: str) -> Mutant:
    test = "tests/rtl/codec/apack/test_apack_table.py::test_apack_table[verilator]"
    return Mutant(what, "rtl/codec/apack/apack_table.v", old, new, test)


def _cutter(what: str, old: str, new: str) -> Mutant:
    return Mutant(what, "rtl/common/unit_cutter.v", old, new, "tests/rtl/common/test_unit_cutter.py::test_unit_cutter[verilator-16]")


MUTANTS = (
    _lane("B waits for the end of A", "lane_feeder", "!(a_want && turn_q)", "!a_want"),
    _lane("B reads a word that is not there yet", "lane_feeder", "(b_next_q < available)", "(b_next_q <= available)"),
    _lane("B has one word too few", "lane_feeder", "b_left_q   <= words - a_words;", "b_left_q   <= words - a_words - 1'b1;"),
    _lane("size is one word late", "lane_collector", "{1'b0, s_a_taddress} + 1'b1;", "{1'b0, s_a_taddress};"),
    _lane("strobes are not reversed", "lane_collector", "{s_a_tstrb[0], s_a_tstrb[1], s_a_tstrb[2], s_a_tstrb[3]}", "s_a_tstrb"),
    _lane("A is taken under B", "lane_collector", "s_a_tvalid && !s_b_tvalid", "s_a_tvalid"),
    _lane("the other slot is released", "lane", "occupied_q[drain_q] <= 1'b0;", "occupied_q[!drain_q] <= 1'b0;"),
    _lane("coded as large as raw is kept", "lane", "judged_q >= {1'b0", "judged_q > {1'b0"),
    _lane("no abort at the raw size, nor at a limit", "lane", "(limit_q || judged_q", "(limit_q && judged_q"),
    _lane("the encoder's last words are not counted", "lane", "JUDGE:   state_d = COMPARE;", "JUDGE:   state_d = WAIT_FULL;"),
    _ahead("a block with another table is begun", "loaded_q && number_q == table_q[next_slot_q]", "1'b1"),
    _ahead("a block of another codec is begun", "codec_q[next_slot_q] == code_codec_q && other_table_same", "other_table_same"),
    _ahead("the block that has just been coded is begun", "occupied_q[next_slot_q] && !coded_q[next_slot_q]", "occupied_q[next_slot_q]"),
    _ahead("what was begun outlives an abort", "(state_q == RUN && too_large_q && !coder_done)", "1'b0"),
    _ahead("the raw size is the next block's", "coded_size >= {1'b0, limit_words_q}", "coded_size >= {1'b0, code_words_q}"),
    _ahead("the size goes on from block to block", "coder_load || finish_ahead", "coder_load"),
    _engine("no tail mask", "fill_router", "if (!last) keep", "if (!last || tail != 3'd0) keep"),
    _engine("lanes are swapped", "fill_router", "17'd1 << tag[3:0]", "17'd1 << (tag[3:0] ^ 4'd1)"),
    _engine("blocks of two jobs are counted together", "fill_router", "(job == tag[11:7] ? blocks : 32'd0)", "blocks"),
    _engine(
        "turn one word early",
        "drain_reader",
        "up_left_q == {{ADDRESS_WIDTH{1'b0}}, 1'b1}",
        "up_left_q == {{ADDRESS_WIDTH - 1{1'b0}}, 2'd2}",
    ),
    _engine("released at the turn", "drain_reader", "drain_last    <= final_word;", "drain_last    <= turn;"),
    _engine("a read without a place", "drain_reader", "PLACES = 5'd16", "PLACES = 5'd18"),
    _engine("the last batch is forgotten", "drain_sequencer", "batch_count_q == BATCH || last_q", "batch_count_q == BATCH"),
    _engine("batches of 17", "drain_sequencer", "batch_count_q == BATCH || last_q", "batch_count_q == BATCH + 5'd1 || last_q"),
    _engine(
        "halt between write and read-out", "drain_sequencer", "state_q == STATUS_WRITE))", "state_q == STATUS_WRITE || state_q == READ))"
    ),
    _engine(
        "lanes in the wrong order",
        "drain_sequencer",
        "last_lane ? 4'd0 : lane_q + 1'b1",
        "last_lane ? 4'd0 : lane_q + 4'd2",
    ),
    _engine(
        "an exactly full region is refused", "drain_sequencer", "end_q > {1'b0, job_payload_words}", "end_q >= {1'b0, job_payload_words}"
    ),
    _engine("halt is not seen", "fill_sequencer", "if (halt && state_q != IDLE)", "if (halt && state_q == DONE)"),
    _engine("a block as large as raw passes", "fill_sequencer", "words_q >= raw_words", "words_q > raw_words"),
    _engine(
        "the last word outside passes", "fill_sequencer", "end_q > {1'b0, job_payload_words}", "end_q > {1'b0, job_payload_words} + 33'd1"
    ),
    _engine("a batch without places", "index_fetch", "reserved_q <= 6'd16", "reserved_q <= 6'd20", "verilator"),
    _engine(
        "an over-run in every block", "stream_source", "!s_axis_tlast && final_q && job_last_q", "!s_axis_tlast && final_q", "verilator"
    ),
    _engine("more jobs than numbers", "job_intake", "ahead_q < MOST", "ahead_q != 5'd31", "verilator"),
    _engine(
        "an index up to the very end is refused",
        "job_intake",
        "index_end_q > 33'h1_0000_0000",
        "index_end_q >= 33'h1_0000_0000",
        "verilator",
    ),
    _engine(
        "blocked and starved are swapped",
        "job_counters",
        "lanes_blocked,\n            lanes_starved,",
        "lanes_starved,\n            lanes_blocked,",
    ),
    _engine("an error of a later job ends this one", "job_end", "read_q && read_job_q == job;", "read_q;", "verilator"),
    _engine(
        "marks of memory and stream are swapped",
        "job_end",
        "? stream_there_q : memory_there_q",
        "? memory_there_q : stream_there_q",
        "verilator",
    ),
    _engine("marks outlive their queue", "job_end", "if (rst || clear) begin", "if (rst) begin", "verilator"),
    _engine("a write error is always this job's", "job_end", "writes_q && marks_before_error_q == 6'd0", "writes_q", "verilator"),
    _engine(
        "a write error's block is always that of the drain",
        "job_end",
        "<= write_drain_q ? write_block_q : drained_blocks;",
        "<= write_block_q;",
        "verilator",
    ),
    _engine("a write error meets a job that writes nothing", "job_end", "write_q && writes_q &&", "write_q &&", "verilator"),
    _engine("clears before all is quiet", "job_end", "HALT:    if (quiet) state_d", "HALT:    state_d", "verilator"),
    _engine("writes the status of a descriptor it never read", "job_end", " && !(intake_here_q && intake_nowhere)", "", "verilator"),
    _engine("the status's own write error is lost", "job_end", "state_d = write_error ? HALT : NEXT", "state_d = NEXT", "verilator"),
    _engine("errors outlive their queue", "job_end", "clear_errors = rst || state_q == IDLE", "clear_errors = rst", "verilator"),
    _engine("does not wait for the job's look-up", "job_end", "if (settled) state_d = RUN", "state_d = RUN", "verilator"),
    _engine("an aborted job leaves no status", "job_end", "<= fault && queued_q &&", "<= fault && !abort_q && queued_q &&", "verilator"),
    _engine("stops the fill of another job", "job_end", "index_q && index_job_q == fill_job", "index_q", "verilator"),
    _engine(
        "no status after an abort before it is written",
        "job_end",
        "unwritten_q <= 1'b1;  // in",
        "unwritten_q <= 1'b0;  // in",
        "verilator",
    ),
    _codec(
        "a coder's queue of places overflows", "apack_encoder", "waiting_parts >= MOST_PARTS", "waiting_parts >= 4'd15", "apack_encoder"
    ),
    _codec(
        "done before the last part is taken", "apack_emitter", "{1'b0, part_valid_q} + {1'b0, m_valid}", "{1'b0, m_valid}", "apack_encoder"
    ),
    _codec("an aborted block ends the next one", "apack_encoder", "pads_behind && busy_q && !(|kind_q)", "pads_behind", "apack_encoder"),
    _codec(
        "the last block's words are the next one's",
        "apack_encoder",
        "a_words_q   <= emitter_words",
        "a_words_q   <= a_words_q",
        "apack_encoder",
    ),
    _codec("the limit outlives its block", "apack_encoder", "      limit_q <= 1'b0;", "      limit_q <= limit_q && !rst;", "apack_encoder"),
    _codec("end of a row is that of the next one", "apack_encoder", "end_memory[load_before]", "end_memory[load_row_q]", "apack_encoder"),
    _codec("the pending limit is not seen", "apack_encode_loop", "value_5_q && pending[6] &&", "value_5_q && 1'b0 &&", "apack_encoder"),
    _codec("flush by another bit", "apack_encode_loop", "flush_4 && low_4_q[14]", "flush_4 && low_4_q[13]", "apack_encoder"),
    _codec("last word of A is filled too late", "apack_emitter", "pad && |place_q[1:0]", "pad && &place_q[1:0]", "apack_encoder"),
    _codec("the queue of events overflows", "apack_emitter", "!(|level[5:4])", "!level[5]", "apack_encoder"),
    _codec("last shifts ask for no part", "apack_decoder", "tail_slots_q <= CODERS_COUNT;", "tail_slots_q <= 5'd2;", "apack_decoder"),
    _codec("the queue of rows overflows", "apack_decoder", "rows_level < ROWS_DEPTH - 2", "rows_level <= ROWS_DEPTH", "apack_decoder"),
    _codec(
        "goes on with no part there",
        "apack_decoder",
        "(part_valid && (part_more || !(part_take && enable_q)))",
        "part_valid",
        "apack_decoder",
    ),
    _codec("last row is the one before", "apack_decoder", ".last(left_q == {VW{1'b0}})", ".last(left_q == VALUE_ONE)", "apack_decoder"),
    _codec("empty slots take parts", "apack_decode_loop", "(active_q[CODERS-1] && ahead_left[4])", "ahead_left[4]", "apack_decoder"),
    _codec("a missing offset is not seen", "apack_offset_reader", "missing_q <= take && (", "missing_q <= 1'b0 && (", "apack_decoder"),
    _codec(
        "the last word keeps old values",
        "apack_offset_adder",
        "else if (place_q == {PW{1'b0}}) place_value_q",
        "else if (place_q == {PW{1'b1}}) place_value_q",
        "apack_decoder",
    ),
    _codec("row 15 has no length", "apack_rows", "span_row_q <= end_q ? 4'd15", "span_row_q <= end_q ? 4'd14", "apack_decoder"),
    _table("either column may stand still", "vmin_rises_q && cum_rises_q", "vmin_rises_q || cum_rises_q"),
    _table("a row that went bad in mid-load is not told", "error_q <= bad_q;", "error_q <= bad_q && !end_send_q;"),
    _table("a bad table goes out", "end_q && !end_send_q && !bad_q;", "end_q && !end_send_q;"),
    _codec("a run counts as a second plane", "ebpc_plane_parser", "raw_two_d && !after_raw[RUN]", "raw_two_d", "ebpc_decoder"),
    _codec(
        "the last bit counts as missing",
        "ebpc_plane_window",
        "pointer_q > POINTER_END[PW-1:0]",
        "pointer_q >= POINTER_END[PW-1:0]",
        "ebpc_decoder",
    ),
    _codec("missing planes are not told", "ebpc_decoder", "flag_bad || (flag_nonzero && u_bad)", "flag_bad", "ebpc_decoder"),
    _codec(
        "an exact end of A is corrupt",
        "ebpc_run_flags",
        "window_available < window_consume",
        "window_available <= window_consume",
        "ebpc_decoder",
    ),
    _cutter("the end comes before the last unit", "s_end && !s_valid && !valid_q", "s_end && !s_valid"),
    _cutter("old bits while no unit is here", "s_valid ? part : {UNIT{1'b0}}", "part"),
)


def copy_tree() -> None:
    """Make the copy as the checkout is now; what was built in it stays."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        source, target = ROOT / part, COPY / part
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=ignore)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def run(test: str) -> tuple[int, str]:
    """Run one pytest node in the copy; returns exit code and output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "--slow", test]
    try:
        result = subprocess.run(command, cwd=COPY, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"{test} took more than {TIMEOUT:g} s; is the machine busy?"
    return result.returncode, result.stdout + result.stderr


def try_mutant(mutant: Mutant) -> str:
    """Returns ``found``, ``SURVIVED`` or what is wrong with the mutant."""
    file = COPY / mutant.file
    text = file.read_text()
    count = text.count(mutant.old)
    if count != 1:
        return f"ERROR: its text is {count} times in {mutant.file}"
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        code, output = run(mutant.test)
    finally:
        file.write_text(text)
    if code == 0:
        return "SURVIVED"
    if FOUND in output:
        return "found"
    return "ERROR: it did not build and run\n" + "\n".join(output.splitlines()[-40:])


def main() -> int:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only the mutants whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.words or any(word in mutant.name for word in arguments.words)]
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.name:70} {mutant.test}")
        return 0
    if not chosen:
        print("error: no mutant has such a name", file=sys.stderr)
        return 2
    copy_tree()
    sound: dict[str, bool] = {}
    bad = 0
    for mutant in chosen:
        start = time.monotonic()
        if mutant.test not in sound:
            code, output = run(mutant.test)
            sound[mutant.test] = code == 0
            if code:
                print(f"{mutant.test} fails without a mutant:\n" + "\n".join(output.splitlines()[-40:]))
        outcome = try_mutant(mutant) if sound[mutant.test] else "ERROR: its test fails without it"
        bad += outcome != "found"
        print(f"{mutant.name:70} {outcome} ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} mutants were found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
