# SPDX-License-Identifier: Apache-2.0
"""The DDR3 memory of the Verilated device: its figures, those of a PYNQ-Z2 unless told otherwise.

The model itself is C++ (``cores/verilated/ddr3.h``); ``cores/verilated/README.md`` says where each figure comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from tensorpress.errors import InputError


@dataclass(frozen=True)
class Ddr3:
    """A DDR3 chip, its controller and the way from the port to it.

    Times are in ns and become whole memory clocks, rounded up; ``*_clocks`` are least numbers of clocks beside them.

    Parameters
    ----------
    memory_mhz : float
        Clock of the memory; data moves on both edges.
    bus_bytes : int
        Bytes of the data bus.
    burst : int
        Transfers of a DRAM burst (BL): an access moves ``bus_bytes * burst`` bytes.
    banks : int
        Banks of the chip, 1..64.
    row_bytes : int
        Bytes of a row; consecutive rows of the address space lie in consecutive banks.
    cl, cwl : int
        Clocks from a read, a write command to its data.
    ccd : int
        Clocks between two commands of the same kind.
    rtw_gap : int
        Clocks that the bus stays free between read data and write data.
    t_rcd_ns, t_rp_ns, t_ras_ns, t_rc_ns : float
        Activate to command, precharge to activate, activate to precharge, activate to activate of a bank.
    t_rrd_ns, t_rrd_clocks, t_faw_ns : float
        Activate to activate of another bank; time in which at most four activates come.
    t_wr_ns : float
        End of write data to precharge.
    t_wtr_ns, t_wtr_clocks : float
        End of write data to a read command.
    t_rtp_ns, t_rtp_clocks : float
        Read command to precharge.
    t_rfc_ns, t_refi_ns : float
        Duration and period of a refresh; a period of 0 means none.
    read_queue, write_queue : int
        Accesses that the controller holds of each kind.
    starve : int
        Clocks without service after which a queue becomes critical and takes the bus.
    patience : int
        Clocks after which the oldest access of the queue keeps its bank free of younger ones.
    request_ns, response_ns : float
        Time from the port to the controller's queue, and back.
    read_outstanding, write_outstanding : int
        Bursts that the port has under way.
    """

    memory_mhz: float = 525.0
    bus_bytes: int = 2
    burst: int = 8
    banks: int = 8
    row_bytes: int = 2048
    cl: int = 7
    cwl: int = 6
    ccd: int = 4
    rtw_gap: int = 2
    t_rcd_ns: float = 13.125
    t_rp_ns: float = 13.125
    t_ras_ns: float = 35.0
    t_rc_ns: float = 50.625
    t_rrd_ns: float = 10.0
    t_rrd_clocks: int = 4
    t_faw_ns: float = 40.0
    t_wr_ns: float = 15.0
    t_wtr_ns: float = 7.5
    t_wtr_clocks: int = 4
    t_rtp_ns: float = 7.5
    t_rtp_clocks: int = 4
    t_rfc_ns: float = 260.0
    t_refi_ns: float = 7800.0
    read_queue: int = 32
    write_queue: int = 32
    starve: int = 80
    patience: int = 512
    request_ns: float = 115.0
    response_ns: float = 115.0
    read_outstanding: int = 8
    write_outstanding: int = 8

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name.startswith(("t_", "rtw", "request", "response", "starve", "patience")) else 1
            if not least <= value < 1e9:
                raise InputError(f"DDR3: {field.name} is {value}, at least {least} is needed")
        if self.banks > 64 or self.row_bytes % (self.bus_bytes * self.burst) or self.burst % 2:
            raise InputError(
                f"DDR3: {self.banks} banks with rows of {self.row_bytes} bytes and bursts of {self.burst} * {self.bus_bytes} bytes:"
                " at most 64 banks, an even burst, and rows of whole bursts are needed"
            )
        if self.cl + self.burst // 2 + self.rtw_gap < self.cwl:
            raise InputError(f"DDR3: a write latency of {self.cwl} clocks is longer than a read's way over the bus")

    @property
    def peak_bytes_per_second(self) -> float:
        """What the data bus could carry."""
        return 2e6 * self.memory_mhz * self.bus_bytes

    def settings(self, port_mhz: float) -> dict[str, float]:
        """Return the settings of the C++ side by name, for a port with a clock of `port_mhz`."""
        if not 1 <= port_mhz <= self.memory_mhz:
            raise InputError(
                f"a port of {port_mhz:g} MHz at a memory of {self.memory_mhz:g} MHz: it must have 1 MHz up to the memory's clock"
            )
        result = {f"ddr3_{f.name}": float(getattr(self, f.name)) for f in fields(self) if not f.name.endswith("_outstanding")}
        return {"ddr3_port_mhz": port_mhz, **result, "ddr3": 1.0}
