"""``nas demo``: a bundle's network in a browser of this machine."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from nas.api.importing import importing
from nas.cli.completion import complete_paths
from nas.cli.console import say


def demo(
    bundle: Annotated[
        Path, typer.Argument(help="Folder of the bundle.", autocompletion=complete_paths)
    ],
    port: Annotated[
        int, typer.Option(help="Of this machine; 0: any that is free.", min=0, max=65535)
    ] = 0,
    ort: Annotated[
        Path | None,
        typer.Option(help="Folder of the npm package onnxruntime-web; default: node_modules here."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Try a bundle on images or the camera, in a browser on this machine, until Ctrl-C.

    It needs the npm package onnxruntime-web (npm install onnxruntime-web) and no network.

    Example: nas demo runs/first/export/0017
    """
    with importing():
        from nas.exporting.demo import HOST, demo_site, make_server
    site = demo_site(bundle, ort)
    server = make_server(site, port)
    address = f"http://{HOST}:{server.server_port}/"
    # In a thread of its own: an interrupt in the midst of an answer would be taken for its error.
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    with suppress(KeyboardInterrupt):
        serving.start()
        say(f"{address} shows {bundle}; Ctrl-C ends it")
        if not no_open and not webbrowser.open(address):
            say("no browser was found; open the address in one")
        serving.join()
