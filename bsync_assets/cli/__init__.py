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
    ("duckdb", "IOException", 1, "the lake cannot be read or written; docs/operations.md says how to restore it: "),
)
#: Errors of the system about a file or folder that is in the way, or somebody else's.
_IN_THE_WAY = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)


def _known_error(error: Exception) -> tuple[str, int] | None:
    """(sentence, exit code) of an error that is the user's to mend; None for a fault of ours, which shows its traceback.

    Dagster wraps what a run raises, so the causes are looked at too.
    """
    if isinstance(error, FileNotFoundError) and error.errno is None:  # ours, with a sentence; the system's have a number
        return str(error), 1
    cause: BaseException | None = error
    while cause is not None:
        for module, name, code, first in _KNOWN_ERRORS:
            if module in sys.modules and isinstance(cause, getattr(sys.modules[module], name)):
                return f"{first}{cause}", code
        if isinstance(cause, _IN_THE_WAY) and cause.filename is not None:
            return f"{cause.filename}: {cause.strerror}; it has to be a folder or file that bsync may write", 1
        cause = cause.__cause__ or cause.__context__
    return None


def _complain(sentence: str) -> None:
    print(f"bsync: {sentence}", file=sys.stderr)
