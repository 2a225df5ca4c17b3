# SPDX-License-Identifier: Apache-2.0
"""The devices that the commands can open, with the options that each of them takes. A new device is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tensorpress.cli.console import err
from tensorpress.device import Device, open_device
from tensorpress.engine import Engine
from tensorpress.errors import InputError

DEFAULT = "verilated"


@dataclass(frozen=True)
class Setup:
    """What a command says about a device; None: the device's own default.

    Attributes
    ----------
    lanes, coders : int or None
        Lanes of the engine, and coders of an apack block.
    latency : int or None
        Cycles from a read address to its first data, and from the last written data to the response.
    stalls : str or None
        Random pauses on every channel: ``none``, ``light``, ``heavy``, ``long``.
    build : str or None
        Name of a build of ``cores/builds.toml``.
    clock : float or None
        Clock of the engine in MHz, where it is simulated or a board's.
    bitstream : str or None
        The ``.bit`` file to load on a board.
    hwh : bool or None
        Read the ``.hwh`` beside the bitstream.
    """

    lanes: int | None = None
    coders: int | None = None
    latency: int | None = None
    stalls: str | None = None
    build: str | None = None
    clock: float | None = None
    bitstream: str | None = None
    hwh: bool | None = None

    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}


def _open_model(setup: Setup) -> Device:
    names = {"lanes": "lanes", "coders": "apack_coders", "build": "build"}
    return open_device("model", **{names[name]: value for name, value in setup.given().items()})


def _timing(setup: Setup) -> Any:
    from tensorpress.device import verilated

    profiles = {
        "none": verilated.NO_STALLS,
        "light": verilated.LIGHT_STALLS,
        "heavy": verilated.HEAVY_STALLS,
        "long": verilated.LONG_STALLS,
    }
    if setup.stalls is not None and setup.stalls not in profiles:
        raise InputError(f"stalls {setup.stalls!r} is not one of {', '.join(profiles)}")
    options: dict[str, Any] = {"stalls": profiles[setup.stalls or "none"]}
    if setup.build is not None:  # what the named builds are meant for: a port of the PS, which takes as many bursts
        options.update(read_outstanding=verilated.PORT_OUTSTANDING, write_outstanding=verilated.PORT_OUTSTANDING)
    if setup.latency is not None:
        options.update(read_latency=setup.latency, write_latency=setup.latency)
    return verilated.Timing(**options)


def _open_pynq(setup: Setup) -> Device:
    names = {"bitstream": "bitstream", "clock": "clock_mhz", "hwh": "hwh"}
    return open_device("pynq", **{names[name]: value for name, value in setup.given().items()})


def _open_verilated(setup: Setup) -> Device:
    return _open_simulated("verilated", setup)


def _open_pynq_sim(setup: Setup) -> Device:
    return _open_simulated("pynq-sim", setup)


def _open_simulated(name: str, setup: Setup) -> Device:
    asked: dict[str, Any] = {"timing": _timing(setup)}
    names = {"lanes": "lanes", "coders": "apack_coders", "build": "build", "clock": "clock_mhz", "bitstream": "bitstream"}
    asked |= {names[option]: value for option, value in setup.given().items() if option in names}
    console = err()
    with console.status("") as status:

        def show(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                console.print(text, markup=False, soft_wrap=True)

        return open_device(name, progress=show, **asked)


@dataclass(frozen=True)
class Entry:
    """A device of the command line.

    Attributes
    ----------
    summary : str
        What it is, for the help.
    options : tuple of str
        Names of :class:`Setup` that it takes.
    open : callable
        Setup -> Device.
    """

    summary: str
    options: tuple[str, ...]
    open: Callable[[Setup], Device]


DEVICES: dict[str, Entry] = {
    "model": Entry("the software model behind the engine's registers; no cycles", ("lanes", "coders", "build"), _open_model),
    "verilated": Entry(
        "the RTL, compiled by Verilator at first use; cycle-exact",
        ("lanes", "coders", "latency", "stalls", "build", "clock"),
        _open_verilated,
    ),
    "pynq": Entry("a PYNQ-Z2 or PYNQ-Z1", ("bitstream", "clock", "hwh"), _open_pynq),
    "pynq-sim": Entry(
        "the same driver on a PC, the PL Verilated", ("lanes", "coders", "latency", "stalls", "bitstream", "clock"), _open_pynq_sim
    ),
}


def check_device(name: str, setup: Setup | None = None, *, others: tuple[str, ...] = ()) -> None:
    """See that a device is known and takes the options given.

    Raises
    ------
    InputError
        It is not, or does not.
    """
    known = (*others, *DEVICES)
    if name not in known:
        raise InputError(f"no device is called {name!r}; there are {', '.join(known)}")
    for option in (setup or Setup()).given():
        if name in others or option not in DEVICES[name].options:
            raise InputError(f"device {name} takes no {'--no-hwh' if option == 'hwh' else f'--{option}'}")
    if setup is not None:
        for option, lowest, highest in (("lanes", 1, 16), ("coders", 1, 16), ("latency", 0, 100_000), ("clock", 1, 525)):
            value = getattr(setup, option)
            if value is not None and not lowest <= value <= highest:
                raise InputError(f"--{option} {value} is not in {lowest}..{highest}")


@contextmanager
def open_engine(name: str, setup: Setup) -> Iterator[Engine]:
    """Open a device and its engine; both are closed at the end, whatever happens."""
    check_device(name, setup)
    with DEVICES[name].open(setup) as device, Engine(device) as engine:  # type: ignore[attr-defined]
        yield engine


def devices_help(*others: str) -> str:
    """The devices and what they are, for an option's help."""
    return "; ".join([*others, *(f"{name}: {entry.summary}" for name, entry in DEVICES.items())])
