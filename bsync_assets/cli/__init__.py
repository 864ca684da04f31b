"""The `bsync` command: one thin function per command, which asks a room of the house and prints what it answers.

Exit codes: 0 = done, 1 = done or tried, but something is wrong that the output names, 2 = not understood: the command line,
the workspace or its catalog. What goes wrong is said in one sentence on stderr. Rooms are imported by the command that needs
them, so that `bsync --help` does not wait for Dagster.
"""

from __future__ import annotations

import os
import sys

import typer

# Each room adds its commands to the application, in the order in which the help shows them.
# isort: off
from bsync_assets.cli import run, ask, explain, decide, outbound, upkeep, keys  # noqa: F401

# isort: on
from bsync_assets.cli.terminal import app

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of `bsync` and `python -m bsync_assets.cli`."""
    try:
        code = app(standalone_mode=False, prog_name="bsync")
    except typer.TyperException as error:
        sentence, context = error.format_message().rstrip("."), getattr(error, "ctx", None)
        if context is not None:
            sentence += f"{' See' if sentence.endswith('?') else '; see'} {context.command_path} --help"
        _complain(sentence)
        code = error.exit_code
    except typer.Abort:
        _complain("stopped")
        code = 130
    except BrokenPipeError:  # `bsync sql ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        known = _known_error(error)
        if known is None:
            raise
        sentence, code = known
        _complain(sentence)
    sys.exit(code)


#: Errors that are the user's to mend: module, class, exit code, what to say first. A module that is not loaded raised none.
_KNOWN_ERRORS = (
    ("bsync_assets.catalog", "CatalogError", 2, "nothing was done, for the catalog has mistakes:\n"),
    ("bsync_assets.runs", "RunRefused", 2, ""),
    ("bsync_assets.importing", "ImportRefused", 1, "nothing was imported: "),
    ("bsync_assets.warehouse.lake", "LakeBusy", 1, ""),
    ("bsync_assets.transport.pgp", "PgpError", 1, ""),
)


def _known_error(error: Exception) -> tuple[str, int] | None:
    """(sentence, exit code) of an error that is the user's to mend; None for a fault of ours, which shows its traceback.

    Dagster wraps what a run raises, so the causes are looked at too.
    """
    for module, name, code, first in _KNOWN_ERRORS:
        cause: BaseException | None = error if module in sys.modules else None
        while cause is not None:
            if isinstance(cause, getattr(sys.modules[module], name)):
                return f"{first}{cause}", code
            cause = cause.__cause__
    if isinstance(error, FileNotFoundError) and error.errno is None:  # ours, with a sentence; the system's have a number
        return str(error), 1
    return None


def _complain(sentence: str) -> None:
    print(f"bsync: {sentence}", file=sys.stderr)
