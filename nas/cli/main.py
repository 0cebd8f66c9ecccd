"""Entry point: commands in, exit codes out.

0: done. 1: the work failed, or was interrupted. 2: the request was wrong; one line says what, where and
what is allowed. A traceback is a bug.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from blocks.errors import InvalidInput
from blocks.plugins import blame
from nas.cli.group import CommandGroup
from nas.errors import WorkFailed
from nas.naming import command_line

TYPER_INTERRUPTED = 130
"""What typer answers when Ctrl-C reaches it."""

app = typer.Typer(
    name="nas",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _nas() -> None:
    """Search lightweight networks made of Selective-Kernel units, and export the one you pick."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command_line():
        return _run(words)


def _run(words: list[str]) -> int:
    try:
        code = app(args=words or ["--help"], standalone_mode=False, prog_name="nas")
    except InvalidInput as error:
        return _complain(str(error), 2)
    except typer.TyperException as error:
        return _complain(_named_as_in_help(error), 2)
    except WorkFailed as error:
        return _complain(str(error), 1)
    except FloatingPointError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except SystemExit as end:  # of completion
        return end.code if isinstance(end.code, int) else 0
    except typer.Abort as abort:
        # Typer asks nothing here, so what it takes for a person's end of input is an error to be seen.
        raise abort.__cause__ or abort from None
    except OSError as error:
        # Of two, the second is the file that was to be replaced.
        named = error.filename2 or error.filename
        where = f"{named}: " if named else ""
        return _complain(f"{where}{error.strerror or error}", 1)
    except Exception as error:
        if _is_of_a_database(error):
            cause = error.__cause__ or error
            return _complain(f"the study: {getattr(cause, 'orig', None) or cause}", 1)
        said = blame(error)
        if said is None:
            raise
        return _complain(said, 2)
    if code == TYPER_INTERRUPTED:
        return _complain("interrupted", 1)
    return code if isinstance(code, int) else 0


def _named_as_in_help(error: typer.TyperException) -> str:
    """The message of a wrong command line; typer calls the argument RUN ``run``."""
    message = error.format_message()
    parameter = getattr(error, "param", None)
    if parameter is not None and parameter.param_type_name == "argument":
        shown = parameter.metavar or parameter.name.upper()
        for quoted in (f"'{parameter.name}'", f"'{shown}'"):
            message = message.replace(quoted, shown)
    return message


def _is_of_a_database(error: Exception) -> bool:
    """Whether SQLAlchemy, or Optuna's storage, raised it; imports neither."""
    for module, name in (
        ("sqlalchemy.exc", "SQLAlchemyError"),
        ("optuna.exceptions", "StorageInternalError"),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return True
    return False


def _complain(message: str, code: int) -> int:
    with suppress(OSError):  # the terminal is closed
        print(f"nas: {' '.join(message.split())}", file=sys.stderr)
    return code
