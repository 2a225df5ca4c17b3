# SPDX-License-Identifier: Apache-2.0
"""Run a reader of model files in a process of its own: native libraries may crash on a damaged file, or print."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tensorpress.errors import InputError, TensorpressError

LIMIT_SECONDS = 3600.0
"""Longest time for one model with all its inputs."""


def call(path: Path, function: Callable[..., Any], *arguments: Any, limit_seconds: float = LIMIT_SECONDS) -> Any:
    """``function(*arguments)`` in a new process.

    Parameters
    ----------
    path : Path
        The file, for messages.
    function, arguments
        What can be sent to another process.
    limit_seconds : float
        How long to wait.

    Raises
    ------
    InputError
        The process crashed or took too long.
    TensorpressError
        What the function raised.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, function, arguments), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(limit_seconds):
            raise InputError(f"{path}: was not read in {limit_seconds:g} s")
        try:
            good, answer = here.recv()
        except EOFError:
            process.join()
            raise InputError(f"{path}: the library that reads it crashed (exit code {process.exitcode}); the file may be damaged") from None
    finally:
        here.close()
        if process.is_alive():
            process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
    if good:
        return answer
    if isinstance(answer, TensorpressError):
        raise answer
    raise InputError(f"{path}: cannot be read: {answer}")


def _work(there: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sys.stderr.flush()
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # the libraries print from C++
    try:
        there.send((True, function(*arguments)))
    except TensorpressError as error:
        there.send((False, error))
    except MemoryError:
        there.send((False, "out of memory"))
    except Exception as error:
        there.send((False, f"{type(error).__name__}: {error}"))
    finally:
        there.close()
