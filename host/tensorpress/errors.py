"""Every error that tensorpress raises on purpose. All derive from :class:`TensorpressError`, whose text is meant for the user."""

from __future__ import annotations

from typing import Any


class TensorpressError(Exception):
    """Base of all errors of this package: the message names the thing and the place."""


class InputError(TensorpressError, ValueError):
    """A tensor, parameter or file given by the caller cannot be used (dtype, emptiness, NaN, range, missing file)."""


class TableError(InputError):
    """An APack table breaks a rule of FORMAT.md section 3."""


class FormatError(TensorpressError, ValueError):
    """Stored bytes break a rule of FORMAT.md: a container, an index entry or a coded block.

    Attributes
    ----------
    tensor : str or None
        Name of the tensor, where known.
    block : int or None
        Number of the block, where known.
    """

    def __init__(self, message: str, *, tensor: str | None = None, block: int | None = None) -> None:
        self.tensor, self.block, self.detail = tensor, block, message
        where = ", ".join(
            part for part in (f"tensor {tensor!r}" if tensor is not None else "", f"block {block}" if block is not None else "") if part
        )
        super().__init__(f"{where}: {message}" if where else message)


class DeviceError(TensorpressError):
    """The device could not do what was asked.

    Attributes
    ----------
    status : dict
        Registers and counters at the time of the error (empty when the device could not be read).
    """

    def __init__(self, message: str, *, status: dict[str, Any] | None = None) -> None:
        self.status = dict(status or {})
        super().__init__(message)


class DeviceNotFoundError(DeviceError):
    """No such device here: no board, no compiler, wrong bitstream. The message says what is missing."""


class BuildError(DeviceError):
    """The simulated device could not be built; the message holds the end of the tool's output."""


class DeviceTimeoutError(DeviceError, TimeoutError):
    """The device did not finish in time; `status` holds its registers and counters."""


class JobError(DeviceError):
    """A job ended with an error code (see REGISTERS.md).

    Attributes
    ----------
    code : int
        Error code as in the register STATUS.ERROR_CODE.
    name : str
        Name of the code.
    block : int
        Block at which the first error was seen.
    job : int or None
        Number of the job in its queue, from 0; None outside a queue.
    """

    def __init__(
        self, code: int, name: str, block: int, meaning: str, *, status: dict[str, Any] | None = None, job: int | None = None
    ) -> None:
        self.code, self.name, self.block, self.job = code, name, block, job
        what = "job" if job is None else f"job {job} of the queue"
        super().__init__(f"{what} failed at block {block}: {name} ({meaning})", status=status)


class ProtocolError(DeviceError):
    """The simulated memory saw a bus rule broken or an access outside the job's buffers: a fault of the design, never of the data."""


class MismatchError(TensorpressError):
    """The device's result differs from the software model; names the tensor, the region and the first differing byte."""
