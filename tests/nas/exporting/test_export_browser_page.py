"""The browser page of a bundle in a real Chromium, with the real onnxruntime-web, against predict.py."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from nas.exporting.demo import demo_site, make_server
from nas.exporting.examples import write_examples
from tests.nas.exporting.example_helpers import described, write_web_bundle
from tests.nas.report.browser import ABSENT, BROWSER, Tab

VERSION = "1.30.0"
CACHE = Path.home() / ".cache/sknas-tests"
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
ROWS = "[...document.querySelectorAll('#scores li')].map(one => [one.dataset.label, +one.dataset.score])"
LINE = "document.querySelector('#line').textContent"
NETWORK = "document.querySelector('#scores').dataset.network"
TURN = "document.querySelector('#scores').dataset.turn"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=ABSENT),
    pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm on this machine"),
]


@pytest.fixture(scope="session")
def ort() -> Path:
    """A folder with onnxruntime-web in node_modules, installed once on this machine."""
    folder = CACHE / f"onnxruntime-web-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
            command += ["--ignore-scripts", f"onnxruntime-web@{VERSION}"]
            answer = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=300
            )
            assert answer.returncode == 0, answer.stderr
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session", params=[3, 1], ids=["rgb", "grey"])
def web_bundle(request: pytest.FixtureRequest, made_once: Callable[..., Path]) -> Path:
    channels = int(request.param)
    return made_once(f"web-{channels}", lambda: write_web_bundle(Path.cwd(), channels))


@pytest.fixture(scope="session")
def rgb_bundle(made_once: Callable[..., Path]) -> Path:
    return made_once("web-3", lambda: write_web_bundle(Path.cwd(), 3))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Five images of different shapes; the last one is a tall one with transparent pixels."""
    random = np.random.default_rng(0)
    paths = []
    for number, (width, height) in enumerate(((90, 60), (28, 28), (19, 12), (301, 157), (50, 120))):
        small = random.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        if number == 4:
            image.putalpha(
                Image.linear_gradient("L").resize((width, height)).point(lambda a: a & 128)
            )
        paths.append(tmp_path / f"{number}.png")
        image.save(paths[-1])
    return paths


@contextmanager
def page(
    server: ThreadingHTTPServer, profile: Path, path: str = "/", **options: object
) -> Iterator[Tab]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with Tab(profile, **options) as tab:  # type: ignore[arg-type]
            tab.open(f"http://127.0.0.1:{server.server_port}{path}")
            yield tab
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until_ready(tab: Tab) -> None:
    tab.wait(lambda: tab.run("document.body.dataset.ready") == "yes")


def choose_file(tab: Tab, photo: Path) -> None:
    root = tab.call("DOM.getDocument")["root"]["nodeId"]
    node = tab.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    tab.call("DOM.setFileInputFiles", files=[str(photo)], nodeId=node)


def predicted(bundle: Path, network: str, photo: Path) -> dict[str, float]:
    words = [
        sys.executable,
        str(bundle / "predict.py"),
        "--json",
        "--top",
        "5",
        "--network",
        network,
    ]
    answer = subprocess.run(
        [*words, str(photo)], capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return {one["label"]: one["score"] for one in json.loads(answer.stdout)["labels"]}


def test_it_gives_the_scores_of_predict_py(
    web_bundle: Path, ort: Path, photos: list[Path], tmp_path: Path
) -> None:
    server = make_server(demo_site(web_bundle, ort))
    with page(server, tmp_path / "profile") as tab:
        wait_until_ready(tab)
        for network, tolerance in (("onnx-fp32", 1e-4), ("onnx-int8", 0.02)):
            tab.click(f"document.querySelector('#networks input[value={network}]')")
            if tab.run(TURN):  # the image that is shown is classified by the other network
                tab.wait(lambda network=network: tab.run(NETWORK) == network)  # type: ignore[misc]
            for photo in photos:
                before = tab.run(TURN)
                choose_file(tab, photo)
                tab.wait(lambda before=before: tab.run(TURN) != before)  # type: ignore[misc]
                shown, wanted = dict(tab.run(ROWS)), predicted(web_bundle, network, photo)
                assert shown == pytest.approx(wanted, abs=tolerance), (network, photo)
                assert next(iter(shown)) == next(iter(wanted)), (network, photo)
                assert network in tab.run(LINE)
        assert tab.errors == []
        own = f"http://127.0.0.1:{server.server_port}/"
        assert [one for one in tab.requests if not one.startswith((own, "blob:", "data:"))] == []


def test_images_come_by_drop_and_from_the_camera(
    rgb_bundle: Path, ort: Path, photos: list[Path], tmp_path: Path
) -> None:
    server = make_server(demo_site(rgb_bundle, ort))
    with page(server, tmp_path / "profile", flags=CAMERA, width=390, height=844, touch=True) as tab:
        wait_until_ready(tab)
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        for name, content in (("0.png", photos[0].read_bytes()), ("notes.txt", b"no image")):
            tab.run(
                f"""{{
                const text = atob("{base64.b64encode(content).decode()}");
                const bytes = Uint8Array.from(text, one => one.charCodeAt(0));
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([bytes], "{name}"));
                document.dispatchEvent(new DragEvent("drop", {{ dataTransfer }}));
                }}"""
            )
            if name == "0.png":
                tab.wait(lambda: tab.run(TURN) is not None)
            else:
                tab.wait(lambda: "notes.txt: this browser cannot read it" in tab.run(LINE))
        assert dict(tab.run(ROWS)) == pytest.approx(
            predicted(rgb_bundle, "onnx-fp32", photos[0]), abs=1e-4
        )
        before = int(tab.run(TURN))
        tab.click("document.querySelector('#camera')")
        tab.wait(lambda: int(tab.run(TURN)) >= before + 3)
        tab.click("document.querySelector('#camera')")
        tab.wait(lambda: tab.run("document.querySelector('#video').srcObject === null"))
        assert sum(score for _, score in tab.run(ROWS)) == pytest.approx(1, abs=1e-6)
        assert tab.errors == []


def test_the_page_says_when_its_package_is_missing(tmp_path: Path) -> None:
    write_examples(described(), tmp_path / "bundle")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "bundle"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with page(server, tmp_path / "profile", "/examples/browser/") as tab:
        tab.wait(lambda: "npm install onnxruntime-web" in tab.run(LINE))
