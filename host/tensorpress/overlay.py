# SPDX-License-Identifier: Apache-2.0
"""The driver that pynq binds to the engine by itself (entry point ``pynq.lib``), in the user's own overlay as well::

    from pynq import Overlay
    from tensorpress.engine import Engine

    overlay = Overlay("design.bit")
    with overlay.engine.open() as device, Engine(device) as engine:
        result = engine.compress(values, coding)

``overlay.engine`` is the name that the block has in the design; its VLNV decides. ``register_map``, ``mmio`` and ``irq`` are there as with
every driver of pynq.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pynq import DefaultIP

from tensorpress.device.pynq import PynqDevice
from tensorpress.engine import Capabilities, Job, Result
from tensorpress.errors import DeviceError, DeviceNotFoundError
from tensorpress.hwh import ENGINE_VLNV
from tensorpress.registers import ID, REG

if TYPE_CHECKING:
    from pynq import Overlay

CHECKED: dict[str, Callable[[Capabilities], int]] = {
    "ENCODE_LANES": lambda can: can.encode_lanes,
    "DECODE_LANES": lambda can: can.decode_lanes,
    "BLOCK_BYTES": lambda can: can.block_bytes,
    "MEMORY_PORTS": lambda can: can.memory_ports,
}
"""Parameters of a .hwh that the engine's own registers state as well."""


class TensorpressIP(DefaultIP):  # type: ignore[misc]
    """The engine in an overlay.

    Attributes
    ----------
    capabilities : Capabilities
        What the engine can do.
    overlay : pynq.Overlay or None
        The overlay, where :func:`tensorpress.device.pynq.open_pynq` loaded it.
    """

    bindto = [ENGINE_VLNV]  # noqa: RUF012

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description=description)
        self.overlay: Overlay | None = None
        self._parameters = description.get("parameters", {})
        self._fullname = description.get("fullpath", "engine")

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return Capabilities.from_words(self.read(REG["CAPABILITIES"].offset), self.read(REG["DIRECTIONS"].offset))

    def open(
        self, *, clock_mhz: float | None = None, interrupt: bool = True, cacheable: bool = True, origin: str = "the bitstream"
    ) -> PynqDevice:
        """The engine as a device for :class:`tensorpress.engine.Engine`.

        Parameters
        ----------
        clock_mhz, interrupt, cacheable, origin
            See :func:`tensorpress.device.pynq.open_pynq`.

        Raises
        ------
        DeviceNotFoundError
            The registers are not those of this driver, or not of the build that the .hwh describes.
        DeviceError
            The board cannot be set up.
        """
        most = float(self._parameters["CLOCK_MHZ"]) if "CLOCK_MHZ" in self._parameters else None
        device = PynqDevice(
            self.mmio,
            device=self.device,
            interrupt=getattr(self, "irq", None) if interrupt else None,
            clock_mhz=clock_mhz,
            most_mhz=most,
            cacheable=cacheable,
            origin=origin,
        )
        can = self.capabilities
        for name, value in CHECKED.items():
            told = self._parameters.get(name)
            if told is not None and int(told, 0) != value(can):
                device.close()
                raise DeviceNotFoundError(
                    f"{origin}: its .hwh says {name} = {told}, the engine {value(can)}: it is the .hwh of another build"
                )
        return device

    def __repr__(self) -> str:
        word = self.read(REG["ID"].offset)
        return f"<{self._fullname}: {self.capabilities if word == ID else f'no engine, ID reads 0x{word:08x}'}>"


async def run_async(job: Job, timeout: float | None = None) -> Result:
    """Start a job, wait for its end while other tasks of the event loop run, and fetch its result.

    Parameters
    ----------
    job : Job
        On a :class:`~tensorpress.device.pynq.PynqDevice`, with its data placed.
    timeout : float, optional
        Seconds; default 10.

    Raises
    ------
    JobError, DeviceTimeoutError
        See :meth:`tensorpress.engine.Job.wait`.
    """
    device = job.engine.device
    if not isinstance(device, PynqDevice):
        raise DeviceError(f"device {device.name!r} cannot wait in an event loop")
    job.start()
    try:
        await device.wait_async(10.0 if timeout is None else timeout)
    except BaseException:
        job.engine.reset()
        raise
    job.wait(0.0)
    return job.result()
