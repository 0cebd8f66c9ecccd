"""The browser page of a bundle, served on this machine alone."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from blocks.errors import InvalidInput
from nas.exporting.examples import EXAMPLES, browser_page
from nas.exporting.shipped.runtime import MANIFEST, Refused, artifacts_of, read_manifest

HOST = "127.0.0.1"
PACKAGE = "onnxruntime-web"
MODULE = "ort.wasm.min.mjs"
"""What the page imports; it loads the others itself."""
KINDS = {".wasm": "application/wasm", ".mjs": "text/javascript", ".js": "text/javascript"}
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src blob: data:"
)
"""What the page may load: what is served here."""


@dataclass(frozen=True)
class Site:
    """What is served.

    Attributes:
        files: Path in the address -> the content, or a file with it.
        start: Path of the page.
    """

    files: Mapping[str, bytes | Path]
    start: str


def demo_site(bundle: Path, ort: Path | None = None) -> Site:
    """The page of a bundle with its networks and onnxruntime-web.

    The page is written anew from the manifest: no program of the bundle runs. The networks are compared
    with their checksums.

    Args:
        bundle: Folder of the bundle.
        ort: Folder of the npm package onnxruntime-web, or one with it in node_modules; None: the
            current folder and those above it are looked through.

    Raises:
        InvalidInput: The bundle is damaged or has no ONNX network, or the package is missing.
    """
    try:
        manifest = read_manifest(bundle)
        networks = artifacts_of(bundle, "onnx") if _has_onnx(manifest) else []
        for one in networks:
            one.check()
        page = browser_page(manifest)
    except Refused as refused:
        raise InvalidInput(str(refused)) from None
    except (LookupError, TypeError, ValueError, AttributeError):
        # What no other program of the bundle reads, and so is not checked above.
        raise InvalidInput(
            f"{bundle / MANIFEST}: damaged; allowed: a folder that nas export wrote"
        ) from None
    if not networks:
        raise InvalidInput(
            f"{bundle}: no network for a browser; export it again with --targets onnx"
        )
    files: dict[str, bytes | Path] = {
        f"/{EXAMPLES}/{name}": text.encode() for name, text in page.items()
    }
    files |= {f"/{file.name}": file for one in networks for file in one.files}
    served = f"/{EXAMPLES}/browser/node_modules/{PACKAGE}/dist"
    for file in _distribution(ort).iterdir():
        if file.suffix in KINDS:
            files[f"{served}/{file.name}"] = file
    return Site(files, f"/{EXAMPLES}/browser/index.html")


def _has_onnx(manifest: Mapping[str, Any]) -> bool:
    return any(one["target"] == "onnx" for one in manifest["artifacts"])


def _distribution(ort: Path | None) -> Path:
    """The folder with the files of onnxruntime-web."""
    inside = Path("node_modules", PACKAGE, "dist")
    if ort is not None:
        places = [ort, ort / "dist", ort / inside]
        missing = f"--ort {ort}: no {MODULE}; allowed: a folder of the npm package {PACKAGE}"
    else:
        here = Path.cwd()
        places = [place / inside for place in (here, *here.parents)]
        missing = (
            f"the npm package {PACKAGE} is not found in the current folder or above; "
            f"npm install {PACKAGE}, or --ort FOLDER"
        )
    for place in places:
        if (place / MODULE).is_file():
            return place
    raise InvalidInput(missing)


def make_server(site: Site, port: int = 0) -> ThreadingHTTPServer:
    """A server of ``site`` on loopback; port 0 is any that is free.

    Raises:
        InvalidInput: The port is in use, or needs rights.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(site))
    except OSError as error:
        raise InvalidInput(f"--port {port}: {error.strerror}; allowed: one that is free") from None
    server.daemon_threads = True
    return server


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers with the files of the site alone."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/":
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", site.start)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            try:
                found = site.files[path]
                content = found if isinstance(found, bytes) else found.read_bytes()
            except (KeyError, OSError):  # a file of a bundle that was removed since
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", _kind(path))
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            with suppress(ConnectionError):  # a page that was closed
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return Handler


def _kind(path: str) -> str:
    suffix = Path(path).suffix
    return KINDS.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
