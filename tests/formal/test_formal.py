# SPDX-License-Identifier: Apache-2.0
"""Every proof passes; and the runner tells a failing proof from a passing one."""

from __future__ import annotations

import formal
import pytest

SELFTEST = """
[tasks]
holds
broken

[options]
mode bmc
depth 5

[engines]
smtbmc z3

[script]
read_verilog -formal top.v
broken: no_such_command
prep -top top

[file top.v]
module top (input wire clk);
  reg [3:0] count = 4'd0;
  always @(posedge clk) count <= count + 4'd1;
  always @* assert (count <= LIMIT);
  parameter LIMIT = 3;
endmodule
"""


@pytest.mark.parametrize("proof", formal.proofs(), ids=lambda proof: proof.name.replace("/", "."))
def test_proof(proof: formal.Proof) -> None:
    outcome = formal.run(proof)
    assert outcome.passed, f"{proof.name}: {outcome.status}\n" + "\n".join(outcome.log.splitlines()[-40:])


def test_there_are_proofs() -> None:
    assert {"common/fifo:prove", "common/skid_buffer:prove"} <= {proof.name for proof in formal.proofs()}


@pytest.mark.parametrize(("limit", "status"), [(15, "PASS"), (3, "FAIL")])
def test_runner_tells_pass_from_fail(monkeypatch: pytest.MonkeyPatch, limit: int, status: str) -> None:
    folder = formal.WORK / "selftest"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"limit_{limit}.sby"
    file.write_text(SELFTEST.replace("LIMIT = 3", f"LIMIT = {limit}"))
    monkeypatch.setattr(formal, "PROOFS", folder)
    assert [proof.task for proof in formal.proofs() if proof.file == file] == ["holds", "broken"]
    outcome = formal.run(formal.Proof(file, "holds"))
    assert (outcome.status, outcome.passed) == (status, status == "PASS")


def test_runner_sees_a_broken_script(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = formal.WORK / "selftest"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "broken.sby"
    file.write_text(SELFTEST)
    monkeypatch.setattr(formal, "PROOFS", folder)
    assert formal.run(formal.Proof(file, "broken")).status == "ERROR"
