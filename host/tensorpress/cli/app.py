# SPDX-License-Identifier: Apache-2.0
"""The program: its commands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from tensorpress.cli import experiments, files, hardware
from tensorpress.cli.console import CheckError, err
from tensorpress.cli.report import report
from tensorpress.errors import DeviceError, MismatchError, TensorpressError

OK, FAILED, USAGE, DEVICE, INTERRUPTED = 0, 1, 2, 3, 130


class Program(TyperGroup):
    """A command group whose errors are lines beginning with ``error:``, with the exit codes of this package."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run, and end the process with the exit code (or return it)."""
        code = self._run(*args, **extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(self, *args: Any, **extra: Any) -> int:
        try:
            result = super().main(*args, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
            code = result if isinstance(result, int) else OK
            return _say("interrupted", code) if code == INTERRUPTED else code  # typer turns Ctrl-C into this code
        except typer.Exit as done:
            return int(done.exit_code)
        except (KeyboardInterrupt, typer.Abort):
            return _say("interrupted", INTERRUPTED)
        except BrokenPipeError:  # the reader of our output went away (| head): nobody is left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return OK
        except TensorpressError as error:
            return _say(
                str(error),
                FAILED if isinstance(error, (MismatchError, CheckError)) else DEVICE if isinstance(error, DeviceError) else USAGE,
            )
        except OSError as error:
            place = f"{error.filename}: " if error.filename is not None else ""
            return _say(f"{place}{error.strerror or error}", USAGE)
        except MemoryError:
            return _say("out of memory", USAGE)
        except Exception as error:
            if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):  # not a usage error of the parser
                raise
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context is not None else ""
            return _say(f"{error.format_message().rstrip('.')}{hint}", USAGE)


def _say(message: str, code: int) -> int:
    if os.environ.get("TENSORPRESS_DEBUG"):
        traceback.print_exc()
    err().print(f"error: {message}", markup=False, style="bold red", soft_wrap=True)
    return code


app = typer.Typer(
    name="tensorpress",
    cls=Program,
    help="Lossless compression of tensors: files, software models, and the FPGA engine on a simulator or a board.",
    epilog="Exit codes: 0 all well, 1 a check failed, 2 wrong usage or input, 3 device error. TENSORPRESS_DEBUG=1 shows tracebacks.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from tensorpress import __version__

        print(f"tensorpress {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def program(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and leave."),
) -> None:
    """Show the help when no command is given."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


for _command in (
    files.compress,
    files.decompress,
    files.inspect,
    files.profile,
    report,
    hardware.run,
    hardware.bench,
    hardware.selftest,
    hardware.demo,
):
    app.command(no_args_is_help=False)(_command)
app.add_typer(experiments.group)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="tensorpress")
