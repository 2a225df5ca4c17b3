# SPDX-License-Identifier: Apache-2.0
"""AXI ports as the stream drivers look for them."""

from __future__ import annotations

import re
from typing import Any


class AxiNames:
    """A module whose ``s_axi_aw_valid`` is the port ``s_axi_awvalid``, and so on for all channels."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dut, re.sub(r"^(s_axi_(?:aw|ar|w|b|r))_", r"\1", name))
