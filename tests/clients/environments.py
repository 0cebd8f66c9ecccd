"""The clients: programs that others wrote, each in a Python environment of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

PROGRAMS = Path(__file__).with_name("programs")
FOLDER = "SKNAS_CLIENTS_DIR"
"""Environment variable: where the environments are kept; default ``~/.cache/sknas/clients``."""
ONNX = ("onnx-fp32", "onnx-int8", "onnx-pixels")
TFLITE = ("tflite-fp32", "tflite-int8", "tflite-uint8")
NCNN = ("ncnn-fp32", "ncnn-fp16", "ncnn-int8")
COREML = ("coreml-fp32", "coreml-fp16")
INSTALLING, RUNNING = 900, 300


@dataclass(frozen=True)
class Client:
    """A program that takes exported files.

    Attributes:
        name: As in the table.
        program: Its script in ``programs``.
        packages: What pip installs: the client first.
        files: That are given to it; see ``test_clients.FILES``.
        newest_python: The last minor version of Python 3 that its packages exist for; None: any.
        options: Further arguments of the script.
    """

    name: str
    program: str
    packages: tuple[str, ...]
    files: tuple[str, ...]
    newest_python: int | None = None
    options: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Of the client itself."""
        return self.packages[0].partition("==")[2]


# Versions are pinned, since what a client cannot do depends on them.
CLIENTS = {
    one.name: one
    for one in (
        Client(
            "ONNX Runtime 1.16", "with_onnxruntime.py", ("onnxruntime==1.16.3", "numpy<2"), ONNX, 11
        ),
        Client("ONNX Runtime", "with_onnxruntime.py", ("onnxruntime==1.31.1",), ONNX),
        Client(
            "tflite-runtime", "with_litert.py", ("tflite-runtime==2.14.0", "numpy<2"), TFLITE, 11
        ),
        Client("LiteRT", "with_litert.py", ("ai-edge-litert==2.3.0",), TFLITE),
        Client("MediaPipe", "with_mediapipe.py", ("mediapipe==1.2.3",), TFLITE),
        Client(
            "TensorFlow Lite Micro",
            "with_tflite_micro.py",
            ("tflite-micro==0.dev20261023182759",),
            TFLITE,
        ),
        Client("Vela", "with_vela.py", ("ethos-u-vela==5.2.0",), TFLITE[1:]),
        Client("OpenVINO", "with_openvino.py", ("openvino==2026.4.1",), ONNX + TFLITE),
        Client("OpenCV 4", "with_opencv.py", ("opencv-python-headless==4.10.0.84",), ONNX + TFLITE),
        Client("OpenCV 5", "with_opencv.py", ("opencv-python-headless==5.0.0.93",), ONNX + TFLITE),
        Client(
            "OpenCV 5, classic engine",
            "with_opencv.py",
            ("opencv-python-headless==5.0.0.93",),
            ONNX,
            options=("classic",),
        ),
        Client("ncnn", "with_ncnn.py", ("ncnn==1.0.20261020",), NCNN),
        Client("coremltools", "with_coremltools.py", ("coremltools==9.0",), COREML),
    )
}


def environment(client: Client) -> Path:
    """Python with the client's packages, made on the first call and kept for later runs."""
    default = Path.home() / ".cache" / "sknas" / "clients"
    root = Path(os.environ.get(FOLDER, default))
    wanted = " ".join((*client.packages, sys.version))
    folder = root / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python, made = folder / "bin/python", folder / "made"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)], INSTALLING)
            # numpy is all that the programs need beside the client.
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            more = () if any(one.startswith("numpy") for one in client.packages) else ("numpy",)
            _run([*pip, *client.packages, *more], INSTALLING)
            made.touch()
    return python


@dataclass(frozen=True)
class Answer:
    """What a client made of a file.

    Attributes:
        said: The JSON of its program; None after a refusal.
        refusal: The reason, in one line; empty without one.
    """

    said: dict[str, list[list[float]]] | None
    refusal: str = ""


def ask(client: Client, file: Path, pixels: Path, how: Path) -> Answer:
    """Run the client on a file: pixels is an array (N, H, W, C), how the normalisation."""
    script = PROGRAMS / client.program
    command = [str(environment(client)), str(script), str(file), str(pixels), str(how)]
    done = subprocess.run(
        [*command, *client.options], capture_output=True, text=True, check=False, timeout=RUNNING
    )
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    if done.returncode < 0:
        return Answer(None, f"the process ends with signal {-done.returncode}")
    if done.returncode:
        return Answer(None, " ".join(lines[-3:]))
    return Answer(json.loads(done.stdout.splitlines()[-1]))


def _run(command: list[str], timeout: int) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stderr[-2000:]
