# SPDX-License-Identifier: Apache-2.0
"""Devices that hold an engine: the software model, the Verilated RTL, a PYNQ board. All speak :class:`~tensorpress.device.base.Device`."""

from __future__ import annotations

from typing import Any

from tensorpress.device.base import Buffer, BufferPart, Device
from tensorpress.errors import InputError

__all__ = ["DEVICES", "Buffer", "BufferPart", "Device", "open_device"]

DEVICES = ("model", "verilated", "pynq", "pynq-sim")
"""Names that :func:`open_device` knows."""


def open_device(name: str, **options: Any) -> Device:
    """Open a device by its name.

    Parameters
    ----------
    name : str
        One of :data:`DEVICES`.
    **options
        Arguments of the device's class.

    Raises
    ------
    InputError
        No device has this name.
    DeviceNotFoundError
        What the device needs is not on this machine; the message says what.
    """
    if name == "model":
        from tensorpress.device.model import ModelDevice

        return ModelDevice(**options)
    if name == "verilated":
        from tensorpress.device.verilated import VerilatedDevice

        return VerilatedDevice(**options)
    if name == "pynq":
        from tensorpress.device.pynq import open_pynq

        return open_pynq(**options)
    if name == "pynq-sim":
        from tensorpress.device.pynq import import_pynq

        import_pynq()
        from tensorpress.device.pynq_sim import open_simulated

        return open_simulated(**options)
    raise InputError(f"no device is called {name!r}; there are {', '.join(DEVICES)}")
