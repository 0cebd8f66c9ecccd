"""``nas dashboard``: Optuna's dashboard on a run, live or not."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated
from wsgiref.simple_server import WSGIRequestHandler, make_server

import typer

from blocks.errors import InvalidInput
from nas.api.importing import importing
from nas.cli.completion import complete_runs
from nas.cli.console import say
from nas.runs.folder import RunFolder

HOST = "127.0.0.1"


def dashboard(
    run: Annotated[str, typer.Argument(help="Name of the run.", autocompletion=complete_runs)],
    port: Annotated[int, typer.Option(help="Of this machine.", min=1, max=65535)] = 8080,
) -> None:
    """Open Optuna's dashboard on a run, on this machine alone, until Ctrl-C.

    It only reads, so a search that is under way is not disturbed.

    Example: nas dashboard first
    """
    folder = RunFolder.existing(run)
    try:
        with importing():
            import optuna_dashboard

            from nas.searching import read_config, watch_study
    except ImportError:
        raise InvalidInput(
            "nas dashboard: optuna-dashboard is not installed; pip install 'sknas[dashboard]'"
        ) from None
    storage = watch_study(read_config(folder), folder)
    app = optuna_dashboard.wsgi(storage)
    try:
        server = make_server(HOST, port, app, handler_class=_Quiet)
    except OSError as error:
        raise InvalidInput(f"--port {port}: {error.strerror}; allowed: one that is free") from None
    # In a thread of its own: an interrupt in the midst of an answer would be taken for its error.
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    with suppress(KeyboardInterrupt):
        serving.start()
        say(f"http://{HOST}:{port}/ shows {folder.path}; Ctrl-C ends it")
        serving.join()


class _Quiet(WSGIRequestHandler):
    """Prints no line a request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
