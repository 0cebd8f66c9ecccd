"""Runs the networks of this folder; it needs only numpy and the package of one runtime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANIFEST, FORMAT = "manifest.json", 3
SUITE, SUITE_FORMAT = "suite.json", 2
OLD_SUITE, OLD_SUITE_FORMAT = "kit.json", 1
"""Of version 0.1, which called the benchmarks pieces; both names are read."""
MOST_THREADS = 256

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""One image (1, C, H, W), normalised -> its logits (1, number of classes)."""


class Refused(Exception):
    """A one-line error for the user: what, where, what is allowed."""


@dataclass(frozen=True)
class Artifact:
    """The network for one runtime.

    Attributes:
        target: The runtime: onnx, executorch, litert or ncnn.
        precision: fp32 or int8.
        files: The files; the runtime loads the first one.
        sha256: Checksum of each file.
    """

    target: str
    precision: str
    files: tuple[Path, ...]
    sha256: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as onnx-int8."""
        return f"{self.target}-{self.precision}"

    @property
    def can_run(self) -> bool:
        """Whether the runtime's package is installed."""
        return find_spec(MODULES[self.target][0]) is not None

    def check(self) -> None:
        """Raise Refused when a file is missing or differs from the exported one."""
        for path, wanted in zip(self.files, self.sha256, strict=True):
            if not path.is_file():
                raise Refused(f"{path}: missing; export it again")
            if hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
                raise Refused(f"{path}: not the file that was exported; its checksum differs")

    def open(self, threads: int = 1) -> Run:
        """Check the files, and load the network to run on ``threads`` threads."""
        if not 1 <= threads <= MOST_THREADS:
            raise Refused(f"--threads {threads}: allowed: 1 to {MOST_THREADS}")
        self.check()
        if not self.can_run:
            raise Refused(
                f"{self.name}: its runtime is missing; pip install {MODULES[self.target][1]}"
            )
        try:
            return LOADERS[self.target](self.files[0], threads)
        except Exception as error:  # a runtime may raise anything
            reason = " ".join(str(error).split())[:200]
            raise Refused(f"{self.files[0]}: its runtime cannot load it ({reason})") from None


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Read manifest.json of the folder ``bundle``; every field that these programs use is checked."""
    path = bundle / MANIFEST
    try:
        manifest = dict(json.loads(path.read_text(encoding="utf-8")))
        _check(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path}: missing or damaged ({why(error)}); allowed: a folder that nas export wrote"
        ) from None
    return manifest


def why(error: Exception) -> str:
    """The reason of an error, without the name of the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"


def _check(manifest: dict[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError for a field that is missing or wrong."""
    how = manifest["preprocessing"]
    sizes = [how["channels"], how["size"], how["resize"], how.get("read_side") or how["resize"]]
    figures = [*how["mean"], *how["std"]]
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']}, these programs read {FORMAT}")
    if not all(type(size) is int and 0 < size <= 10_000 for size in sizes):
        raise ValueError("channels, size, resize or read_side")
    if how["channels"] not in (1, 3) or len(figures) != 2 * how["channels"]:
        raise ValueError("channels, mean or std")
    if how["size"] > how["resize"] or not all(isinstance(one, (int, float)) for one in figures):
        raise ValueError("resize, mean or std")
    temperature = manifest.get("temperature", {"value": 1.0})["value"]  # version 0.1 had none
    if not isinstance(temperature, (int, float)) or not 0 < temperature < 1e6:
        raise ValueError("temperature")
    texts = [manifest["key"], *manifest["class_names"]]
    for entry in manifest["artifacts"]:
        files = [(file["name"], file["sha256"]) for file in entry["files"]]
        texts += [entry["precision"], *(text for pair in files for text in pair)]
        if entry["target"] not in LOADERS or not files:
            raise ValueError("target or files of an artifact")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name is no text")


def artifacts_of(bundle: Path, only: str | None = None) -> list[Artifact]:
    """The networks in ``bundle``; ``only`` selects by name or runtime, such as onnx,ncnn."""
    found = [
        Artifact(
            entry["target"],
            entry["precision"],
            tuple(bundle / Path(file["name"]).name for file in entry["files"]),
            tuple(file["sha256"] for file in entry["files"]),
        )
        for entry in read_manifest(bundle)["artifacts"]
    ]
    if only is None:
        return found
    chosen = []
    for wanted in only.split(","):
        fitting = [one for one in found if wanted.strip() in (one.name, one.target)]
        if not fitting:
            names = ", ".join(one.name for one in found)
            raise Refused(f"{wanted}: no such network in {bundle}; allowed: {names}")
        chosen += fitting
    return chosen


def _onnx(path: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: image})[0], dtype=np.float32)

    return run


def _litert(path: Path, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    taken = interpreter.get_output_details()[0]["index"]

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(given, image)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(taken), dtype=np.float32)

    return run


def _ncnn(path: Path, threads: int) -> Run:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    # ncnn keeps weights in 16 bits by default; the file and its outputs here are float32.
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    net.load_param(str(path))
    net.load_model(str(path.with_suffix(".bin")))

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image[0])))
        _, logits = extractor.extract("out0")
        return np.array(logits, dtype=np.float32)[None]

    return run


def _executorch(path: Path, threads: int) -> Run:
    # ExecuTorch's Python module takes PyTorch tensors; its C++ library on a device does not.
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # The thread pool belongs to the process; there is no other way to set it from Python.
    portable_lib._unsafe_reset_threadpool(threads)
    method = Runtime.get().load_program(path).load_method("forward")

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        plain = torch.from_numpy(image.reshape(-1)).view(image.shape)  # no channels_last strides
        (logits,) = method.execute([plain])
        return np.array(logits.numpy(), dtype=np.float32)  # a copy: the runtime reuses its memory

    return run


LOADERS: dict[str, Callable[[Path, int], Run]] = {
    "onnx": _onnx,
    "litert": _litert,
    "ncnn": _ncnn,
    "executorch": _executorch,
}
MODULES = {
    "onnx": ("onnxruntime", "onnxruntime"),
    "litert": ("ai_edge_litert", "ai-edge-litert"),
    "ncnn": ("ncnn", "ncnn"),
    "executorch": ("executorch", "executorch torch"),
}
"""Runtime -> (module to import, packages to install with pip)."""
