"""``nas demo``: serves the page of a bundle on loopback alone, and nothing else of the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas.cli.main import main
from tests.nas.exporting.example_helpers import described, write_web_bundle

BOUND = 120
DIST = "node_modules/onnxruntime-web/dist"

pytestmark = pytest.mark.integration


@pytest.fixture
def web_bundle(made_once: Callable[..., Path], tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    made = made_once("web-3", lambda: write_web_bundle(Path.cwd(), 3))
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what stands for onnxruntime-web."""
    folder = tmp_path / "here"
    (folder / DIST).mkdir(parents=True)
    (folder / DIST / "ort.wasm.min.mjs").write_text("export {};")
    (folder / DIST / "ort.wasm").write_bytes(b"\0asm")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def demo(web_bundle: Path, here: Path) -> Iterator[tuple[str, psutil.Process]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "demo", str(web_bundle), "--no-open"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "300", "PYTHONUNBUFFERED": "1"},
        # Tests that run in the background have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, line
    yield found[0], psutil.Process(process.pid)
    process.kill()
    process.wait()
    process.stdout.close()


def fetch(address: str) -> tuple[str, str, bytes]:
    with urllib.request.urlopen(address, timeout=BOUND) as answer:
        return answer.url, answer.headers["Content-Type"], answer.read()


def test_it_serves_the_page_and_nothing_else(
    demo: tuple[str, psutil.Process], web_bundle: Path
) -> None:
    address, process = demo
    listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    url, kind, page = fetch(address)
    assert url == f"{address}examples/browser/index.html"
    assert kind == "text/html"
    assert b"5 classes, RGB, 24 x 24 pixels" in page
    assert fetch(f"{address}model.onnx")[2] == (web_bundle / "model.onnx").read_bytes()
    wasm = fetch(f"{address}examples/browser/{DIST}/ort.wasm")
    assert wasm[1:] == ("application/wasm", b"\0asm")
    for other in (
        "manifest.json",
        "predict.py",
        "examples/../manifest.json",
        "examples/",
        "%2e%2e/x",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(address + other)
        assert refused.value.code == 404


def test_it_ends_by_ctrl_c(demo: tuple[str, psutil.Process]) -> None:
    _, process = demo
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 0


def refusal(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    assert main(["demo", *words, "--no-open"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_what_is_missing_is_said_in_one_line(
    web_bundle: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = str(web_bundle)
    assert "allowed: a folder that nas export wrote" in refusal(["nowhere"], capfd)
    assert "no ort.wasm.min.mjs" in refusal([bundle, "--ort", "nowhere"], capfd)
    shutil.rmtree(here / "node_modules")
    assert "npm install onnxruntime-web" in refusal([bundle], capfd)


def test_a_changed_network_is_refused(
    web_bundle: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (web_bundle / "model.onnx").open("ab") as file:
        file.write(b"more")
    assert "its checksum differs" in refusal([str(web_bundle)], capfd)


@pytest.mark.parametrize("damage", [{"spec": 5}, {"spec": None}, {"class_names": [1]}])
def test_a_damaged_manifest_is_refused(
    damage: dict[str, Any], web_bundle: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = web_bundle / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | damage))
    assert "manifest.json" in refusal([str(web_bundle)], capfd)


def test_a_bundle_without_a_network_for_browsers_is_refused(
    tmp_path: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = described()
    manifest["artifacts"] = [one for one in manifest["artifacts"] if one["target"] == "ncnn"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert "--targets onnx" in refusal([str(tmp_path)], capfd)


def test_a_port_in_use_is_refused(
    demo: tuple[str, psutil.Process], web_bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port = demo[0].split(":")[-1].rstrip("/")
    line = refusal([str(web_bundle), "--port", port], capfd)
    assert line == f"nas: --port {port}: Address already in use; allowed: one that is free"


def test_it_loads_no_torch(web_bundle: Path) -> None:
    program = "import sys; from nas.cli import main; main.main(sys.argv[1:]); "
    program += "print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program, "demo", str(web_bundle), "--ort", "nowhere"],
        capture_output=True, text=True, check=False, timeout=BOUND,
    )  # fmt: skip
    assert answer.stdout == "False\n", answer
