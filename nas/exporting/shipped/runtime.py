"""Runs the networks of this folder; it needs only numpy and the package of one runtime."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # old boards have Python 3.8 and a numpy without it
    from numpy.typing import NDArray

MANIFEST, FORMAT = "manifest.json", 3
SUITE, SUITE_FORMAT = "suite.json", 2
OLD_SUITE, OLD_SUITE_FORMAT = "kit.json", 1
"""Of version 0.1, which called the benchmarks pieces; both names are read."""
MOST_THREADS = 256

Native = Any
"""An array of the type and order that a file takes or gives."""
ELSEWHERE = {"ethos_u": "an Arm Ethos-U", "coreml": "an Apple device"}
"""Targets whose files do not run on this machine, and what they run on."""
MICRO = ("tflm",)
"""Targets whose files run here, at a speed that says nothing of the chip."""
INTEGERS = ("int8", "uint8")
LEAST_SCORE = 1e-30
"""A score below it counts as this, where scores are turned into logits."""
SCORES = "scores"
MOST_OF_A_MESSAGE = 200


class Refused(Exception):
    """A one-line error for the user: what, where, what is allowed."""


@dataclass(frozen=True)
class Port:
    """An input or output of a file.

    Attributes:
        name: In the file.
        order: Of an input: NCHW or NHWC.
        type: float32, int8 or uint8.
        scale: Of integers: value = scale * (integer - zero); None for floats.
        zero: See scale.
    """

    name: str
    order: str
    type: str
    scale: float | None = None
    zero: int = 0


@dataclass(frozen=True)
class Pixels:
    """The normalisation that a file does itself: it takes pixels / 255.

    Attributes:
        mean: Mean per channel that it subtracts.
        std: Standard deviation per channel that it divides by.
        channels: That it takes: 3 for grey networks that take red, green, blue.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int


@dataclass(frozen=True)
class Loaded:
    """A network in its runtime: one image (1, C, H, W), normalised -> its logits (1, number of classes).

    Logits of a file that gives scores are their logarithms.

    Attributes:
        run: The file itself: what it takes -> what it gives.
        input: What it takes.
        output: What it gives.
        pixels: None for a file that takes normalised images.
    """

    run: Callable[[Native], Native]
    input: Port
    output: Port
    pixels: Pixels | None = None

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of an image."""
        return self.taken(self.run(self.given(image)))

    def given(self, image: NDArray[np.float32]) -> Native:
        """What the file takes, of a normalised image (1, C, H, W)."""
        if self.pixels is not None:
            shape = (1, -1, 1, 1)
            mean = np.array(self.pixels.mean, np.float32).reshape(shape)
            std = np.array(self.pixels.std, np.float32).reshape(shape)
            image = image * std + mean
            if image.shape[1] < self.pixels.channels:
                image = np.repeat(image, self.pixels.channels, axis=1)
        if self.input.order == "NHWC":
            image = image.transpose(0, 2, 3, 1)
        if self.input.scale is not None:
            steps = np.rint(image / np.float32(self.input.scale)) + self.input.zero
            range_ = np.iinfo(self.input.type)
            image = steps.clip(range_.min, range_.max).astype(self.input.type)
        return np.ascontiguousarray(image)

    def taken(self, given: Native) -> NDArray[np.float32]:
        """Logits, of what the file gives."""
        values = np.asarray(given, dtype=np.float32)
        if self.output.scale is not None:
            values = (values - self.output.zero) * np.float32(self.output.scale)
        if self.output.name == SCORES:
            values = np.log(np.maximum(values, np.float32(LEAST_SCORE)))
        return values


def shortened(error: BaseException) -> str:
    """The message of a runtime in one line; a long one loses its middle, since the reason comes last."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    if len(text) <= MOST_OF_A_MESSAGE:
        return text
    half = MOST_OF_A_MESSAGE // 2
    return f"{text[:half]} ... {text[-half:]}"


@dataclass(frozen=True)
class Artifact:
    """The network for one runtime.

    Attributes:
        target: The runtime: onnx, executorch, litert, ncnn or tflm.
        precision: fp32, fp16 or int8.
        files: The files; the runtime loads the first one.
        sha256: Checksum of each file.
        pixels: The normalisation that the files do themselves; None: they take normalised images.
    """

    target: str
    precision: str
    files: tuple[Path, ...]
    sha256: tuple[str, ...]
    pixels: Pixels | None = None

    @property
    def name(self) -> str:
        """Such as onnx-int8."""
        return f"{self.target}-{self.precision}"

    @property
    def can_run(self) -> bool:
        """Whether the runtime's package is installed."""
        return any(find_spec(name) is not None for name in MODULES[self.target][0])

    def check(self) -> None:
        """Raise Refused when a file is missing or differs from the exported one."""
        for path, wanted in zip(self.files, self.sha256):  # noqa: B905  # Python 3.8
            if not path.is_file():
                raise Refused(f"{path}: missing; export it again")
            if hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
                raise Refused(f"{path}: not the file that was exported; its checksum differs")

    def open(self, threads: int = 1) -> Loaded:
        """Check the files, and load the network to run on ``threads`` threads."""
        if not 1 <= threads <= MOST_THREADS:
            raise Refused(f"--threads {threads}: allowed: 1 to {MOST_THREADS}")
        self.check()
        if not self.can_run:
            raise Refused(
                f"{self.name}: its runtime is missing; pip install {MODULES[self.target][1]}"
            )
        try:
            return replace(LOADERS[self.target](self.files[0], threads), pixels=self.pixels)
        except Exception as error:  # a runtime may raise anything
            reason = shortened(error)
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
    for entry in _here(manifest["artifacts"]):
        files = [(file["name"], file["sha256"]) for file in entry["files"]]
        texts += [entry["precision"], *(text for pair in files for text in pair)]
        pixels = entry.get("pixels")
        if pixels is not None:
            _pixels(pixels)
            if not len(pixels["mean"]) == len(pixels["std"]) == how["channels"]:
                raise ValueError("pixels of an artifact")
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
            _pixels(entry.get("pixels")),
        )
        for entry in _here(read_manifest(bundle)["artifacts"])
    ]
    if only is None:
        return found
    chosen = []
    for wanted in only.split(","):
        fitting = [one for one in found if wanted.strip() in (one.name, one.target)]
        if not fitting:
            raise Refused(_not_there(bundle, wanted.strip(), found))
        chosen += fitting
    return chosen


def elsewhere(bundle: Path) -> dict[str, str]:
    """The networks in ``bundle`` that do not run on this machine, by name, and what they run on."""
    return {
        f"{entry['target']}-{entry['precision']}": ELSEWHERE[entry["target"]]
        for entry in read_manifest(bundle)["artifacts"]
        if entry["target"] in ELSEWHERE
    }


def runnable(bundle: Path, only: str | None = None) -> list[Artifact]:
    """As ``artifacts_of``, of a bundle that has a network for this machine."""
    found = artifacts_of(bundle, only)
    if not found:
        raise Refused(nothing_runs(bundle))
    return found


def nothing_runs(bundle: Path) -> str:
    """Why no network of ``bundle`` runs on this machine."""
    others = [f"{name} runs on {machine}" for name, machine in elsewhere(bundle).items()]
    return f"{bundle}: no network runs on this machine: {', '.join(others) or 'there is none'}"


def _not_there(bundle: Path, wanted: str, found: list[Artifact]) -> str:
    """Why a network that was asked for cannot be taken, and which can."""
    names = ", ".join(one.name for one in found)
    for name, machine in elsewhere(bundle).items():
        if wanted in (name, name.rpartition("-")[0]):
            allowed = f"allowed: {names}" if names else "no network of this folder does"
            return f"{wanted}: runs on {machine}, not on this machine; {allowed}"
    if not names:
        return nothing_runs(bundle)
    return f"{wanted}: no such network in {bundle}; allowed: {names}"


def _here(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The artifacts without those that these programs cannot run."""
    return [entry for entry in entries if entry["target"] not in ELSEWHERE]


def _pixels(how: dict[str, Any] | None) -> Pixels | None:
    """The normalisation that an entry of the manifest says its file does."""
    if how is None:
        return None
    return Pixels(tuple(how["mean"]), tuple(how["std"]), how["channels"])


def _onnx(path: Path, threads: int) -> Loaded:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    given, taken = session.get_inputs()[0], session.get_outputs()[0]
    port = Port(given.name, "NCHW", "float32")
    if "uint8" in given.type:
        port = Port(given.name, "NCHW", "uint8", scale=1 / 255)
    return Loaded(
        lambda image: session.run(None, {port.name: image})[0],
        port,
        Port(taken.name, "", "float32"),
    )


def _litert(path: Path, threads: int) -> Loaded:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:  # the older name of the package, on boards that still have it
        from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(image: Native) -> Native:
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        return interpreter.get_tensor(taken["index"])

    # Files of version 0.1 take NCHW, and end in logits whose name is the converter's.
    order = "NHWC" if given["name"] == "image" else "NCHW"
    return Loaded(run, _port(given, order), _port(taken, ""))


def _port(about: Any, order: str) -> Port:
    """What the interpreter says about an input or an output."""
    scale, zero = about["quantization"]
    kind = np.dtype(about["dtype"]).name
    return Port(about["name"], order, kind, scale if kind in INTEGERS else None, int(zero))


def _tflm(path: Path, threads: int) -> Loaded:
    """TensorFlow Lite Micro on this machine: the answers are those of the chip, the speed is not."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(path))

    def run(image: Native) -> Native:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0))

    def port(about: Any, name: str, order: str) -> Port:
        how, kind = about["quantization_parameters"], np.dtype(about["dtype"]).name
        if kind not in INTEGERS:
            return Port(name, order, kind)
        return Port(name, order, kind, float(how["scales"][0]), int(how["zero_points"][0]))

    given, taken = interpreter.get_input_details(0), interpreter.get_output_details(0)
    return Loaded(run, port(given, "image", "NHWC"), port(taken, SCORES, ""))


def _ncnn(path: Path, threads: int) -> Loaded:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    # ncnn keeps weights in 16 bits by default; the file and its outputs here are float32.
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    net.load_param(str(path))
    net.load_model(str(path.with_suffix(".bin")))

    def run(image: Native) -> Native:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image[0])))
        _, logits = extractor.extract("out0")
        return np.array(logits, dtype=np.float32)[None]

    return Loaded(run, Port("in0", "NCHW", "float32"), Port("out0", "", "float32"))


def _executorch(path: Path, threads: int) -> Loaded:
    # ExecuTorch's Python module takes PyTorch tensors; its C++ library on a device does not.
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # The thread pool belongs to the process; there is no other way to set it from Python.
    portable_lib._unsafe_reset_threadpool(threads)
    method = Runtime.get().load_program(path).load_method("forward")

    def run(image: Native) -> Native:
        plain = torch.from_numpy(image.reshape(-1)).view(image.shape)  # no channels_last strides
        (logits,) = method.execute([plain])
        return np.array(logits.numpy(), dtype=np.float32)  # a copy: the runtime reuses its memory

    return Loaded(run, Port("0", "NCHW", "float32"), Port("0", "", "float32"))


LOADERS: dict[str, Callable[[Path, int], Loaded]] = {
    "onnx": _onnx,
    "litert": _litert,
    "ncnn": _ncnn,
    "executorch": _executorch,
    "tflm": _tflm,
}
MODULES = {
    "onnx": (("onnxruntime",), "onnxruntime"),
    "litert": (("ai_edge_litert", "tflite_runtime"), "ai-edge-litert"),
    "ncnn": (("ncnn",), "ncnn"),
    "executorch": (("executorch",), "executorch torch"),
    "tflm": (("tflite_micro",), "--pre tflite-micro"),
}
"""Runtime -> (modules of which one is imported, packages to install with pip)."""
