"""Bundles for one kind of device: what they say can be done with them works."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blocks import ArchSpec, UnitSpec
from nas.cli.main import main
from nas.data import DataConfig
from nas.exporting.manifest import Accuracy, Artifact, File, Manifest, Preprocessing
from nas.exporting.model_card import model_card
from nas.exporting.next_steps import next_steps
from nas.exporting.places import copy_programs
from nas.exporting.shipped.runtime import Pixels, Port
from nas.exporting.targets import Arena, Npu

IMAGE = Port("image", "NHWC", "int8", 1 / 255, -128)
SCORES = Port("scores", "", "int8", 1 / 256, -128)
FILES = {
    "onnx": ("model.onnx",),
    "tflm": ("model.tflm.tflite", "model_data.cc", "model_data.h"),
    "ethos_u": ("model.ethos-u55-128.tflite",),
    "coreml": ("model.mlpackage.zip",),
}
CONTENT = b"a network"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def artifact(target: str) -> Artifact:
    files = tuple(File(name=name, bytes=900, sha256=SHA256) for name in FILES[target])
    more: dict[str, Any] = {}
    if target in ("tflm", "ethos_u"):
        more = {"input": IMAGE, "output": SCORES, "pixels": Pixels((0.3,), (0.2,), 1)}
    if target == "onnx":
        floats = ("NCHW", "float32")
        more = {"input": Port("image", *floats), "output": Port("logits", "", "float32")}
    if target == "tflm":
        more |= {"arena": Arena(head=10, tail=20, flash=900, operators=("CONV_2D",))}
    if target == "ethos_u":
        more |= {"npu": Npu("ethos-u55-128", 100, 900, 1, 0.5, 7, 0)}
    return Artifact(
        target=target, precision="fp32" if target in ("onnx", "coreml") else "int8", files=files,
        parity=None, accuracy=None, latency=None, **more,
    )  # fmt: skip


def manifest_for(*targets: str) -> Manifest:
    spec = ArchSpec(
        backbone="mobilenet_v2", width=0.1, num_classes=2, in_channels=1, input_size=16,
        stem_stride=1, unit=UnitSpec(kind="none"),
    )  # fmt: skip
    return Manifest(
        key=spec.key, spec=spec, params=1, mflops=1.0, activations=1, peak_activation_bytes=1,
        class_names=("cat", "dog"), labels="labels.txt",
        preprocessing=Preprocessing(channels=1, size=16, resize=16, mean=(0.3,), std=(0.2,)),
        data=DataConfig(name="digits"), seed=0, epochs=1, val_error=None, test_error=None,
        accuracy=Accuracy(split="val", images=10, top1=0.5), machine="this one",
        versions={"tflite-micro": "0.dev7", "ethos-u-vela": "5.2.0"},
        artifacts=tuple(map(artifact, targets)),
    )  # fmt: skip


def write_bundle(folder: Path, *targets: str) -> Path:
    manifest = manifest_for(*targets)
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    for one in manifest.artifacts:
        for file in one.files:
            (folder / file.name).write_bytes(CONTENT)
    copy_programs(folder)
    return folder


def refused_by(bundle: Path, program: str, *words: str) -> str:
    command = [sys.executable, str(bundle / program), *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 2, answer
    (line,) = answer.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("targets", "words", "not_said"),
    [
        (("ethos_u",), ["model.ethos-u55-128.tflite", "MODEL_CARD.md"], ["bench", "predict.py"]),
        (("coreml",), ["unzip a\\ b/model.mlpackage.zip"], ["bench", "predict.py"]),
        (("tflm",), ["predict.py' IMAGE", "model_data.cc", "microcontroller/main.cc"], ["bench"]),
        (("onnx",), ["nas bench 'a b'; python 'a b/predict.py' IMAGE"], ["main.cc", "MODEL_CARD"]),
        (("onnx", "tflm"), ["nas bench 'a b'", "main.cc"], []),
    ],
)
def test_what_comes_next_is_possible_with_this_bundle(
    targets: tuple[str, ...], words: list[str], not_said: list[str]
) -> None:
    said = "\n".join(next_steps(manifest_for(*targets), Path("a b"))).replace(
        "'a b/model.mlpackage.zip'", "a\\ b/model.mlpackage.zip"
    )
    assert all(word in said for word in words), said
    assert not any(word in said for word in not_said), said


@pytest.mark.parametrize(
    ("targets", "words", "not_said"),
    [
        (
            ("ethos_u",),
            [
                "| ethos_u-int8 | image | NHWC | int8 | pixel - 128; scale 0.00392157, zero point -128 "
                "| scores = (value + 128) × 0.00390625 | int8 |",  # noqa: RUF001
                "Vela 5.2.0",
                "AddEthosU",
                "normalise them inside",
            ],
            ["`examples/`", "nas demo", "python predict.py", "python bench.py", "pip install"],
        ),
        (
            ("tflm",),
            ["tflite-micro 0.dev7", "`examples/`", "pip install numpy pillow --pre tflite-micro"],
            ["nas demo", "python bench.py", "onnxruntime", "PyTorch for"],
        ),
        (
            ("onnx",),
            [
                "nas demo",
                "python bench.py",
                "pip install numpy pillow onnxruntime\n",
                "0.3",
                "browser",
            ],
            ["ncnn", "normalise them inside", "main.cc"],
        ),
    ],
)
def test_the_card_promises_what_is_there(
    targets: tuple[str, ...], words: list[str], not_said: list[str]
) -> None:
    card = model_card(manifest_for(*targets))
    assert "`labels.txt`" in card
    assert [word for word in words if word not in card] == []
    assert [word for word in not_said if word in card] == []


def test_an_unsigned_output_has_no_shift() -> None:
    manifest = manifest_for("ethos_u")
    (one,) = manifest.artifacts
    taken = one.model_copy(
        update={
            "input": Port("image", "NHWC", "uint8", 1 / 255, 0),
            "output": Port("scores", "", "uint8", 1 / 256, 0),
        }
    )
    card = model_card(manifest.model_copy(update={"artifacts": (taken,)}))
    assert "| pixel; scale 0.00392157, zero point 0 | scores = value × 0.00390625 |" in card  # noqa: RUF001


def test_the_size_of_a_microcontrollers_network_is_its_flash_memory() -> None:
    assert artifact("tflm").bytes == 900  # the C array is a copy of it
    assert artifact("onnx").bytes == 900


def test_a_file_for_an_npu_is_refused_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mixed = write_bundle(tmp_path / "mixed", "onnx", "ethos_u")
    image = tmp_path / "image.png"
    image.touch()
    for name in ("ethos_u", "ethos_u-int8"):
        line = refused_by(mixed, "predict.py", "--network", name, str(image))
        assert line == (
            f"predict.py: {name}: runs on an Arm Ethos-U, not on this machine; allowed: onnx-fp32"
        )
    alone = write_bundle(tmp_path / "alone", "ethos_u")
    words = "no network runs on this machine: ethos_u-int8 runs on an Arm Ethos-U"
    assert words in refused_by(alone, "predict.py", str(image))
    assert words in refused_by(alone, "bench.py")
    assert "no network of this folder does" in refused_by(
        alone, "bench.py", "--networks", "ethos_u"
    )
    assert main(["evaluate", str(alone)]) == 2
    assert words in capfd.readouterr().err


def test_the_speed_of_a_microcontrollers_file_is_measured_on_request_alone(tmp_path: Path) -> None:
    line = refused_by(write_bundle(tmp_path / "micro", "tflm"), "bench.py")
    assert "tflm-int8 is for a microcontroller" in line
    assert "--networks tflm-int8 measures it here" in line
    assert "no runtime" not in line
