"""The examples of a bundle: filled in from its manifest, and compiled where a compiler is at hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data.photo import centre_crop, read_reduced
from nas.exporting.examples import write_examples
from nas.exporting.examples.templates import in_kotlin, in_swift
from tests.nas.exporting.example_helpers import LABELS, described

CPP = {"cpp/classify.h", "cpp/network.h", "cpp/photo.h"}
OF = {
    "onnx": {"browser/index.html", "browser/page.js", "browser/classifier.js", "cpp/onnx.cc"} | CPP,
    "ncnn": {"cpp/ncnn.cc"} | CPP,
    "litert": {"android/Classifier.kt", "ios/Classifier.swift"},
    "tflm": {f"microcontroller/{name}" for name in ("main.cc", "network.h", "photo.h")},
    "executorch": set(),
}
needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")

STUBS = Path(__file__).with_name("cpp_stubs")
"""Headers with the names that the programs use, to check them; no package has the real ones."""


def written(manifest: dict[str, Any], folder: Path) -> set[str]:
    write_examples(manifest, folder)
    root = folder / "examples"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def compiled(program: Path, *options: str | Path) -> None:
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", *map(str, options), str(program)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("target", OF)
def test_a_target_brings_its_examples_alone(target: str, tmp_path: Path) -> None:
    manifest = described()
    manifest["artifacts"] = [one for one in manifest["artifacts"] if one["target"] == target]
    assert written(manifest, tmp_path) == OF[target]


def test_every_example_names_the_files_and_sizes_of_its_bundle(tmp_path: Path) -> None:
    assert written(described(), tmp_path) == set().union(*OF.values())

    def text(name: str) -> str:
        return (tmp_path / "examples" / name).read_text(encoding="utf-8")

    assert '"model.int8.tflite"' in text("android/Classifier.kt")
    assert 'forResource: "model.int8", ofType: "tflite"' in text("ios/Classifier.swift")
    assert "../../model.int8.onnx" in text("cpp/onnx.cc")
    assert "../../model.ncnn.bin" in text("cpp/ncnn.cc")
    assert "kArenaBytes = 1500;" in text("microcontroller/main.cc")
    assert "resolver.AddPadV2()" in text("microcontroller/main.cc")
    for name in ("android/Classifier.kt", "ios/Classifier.swift", "browser/classifier.js"):
        assert re.search(r"(?i)\bsize = 24\b", text(name))
        assert re.search(r"(?i)\bresize = 28\b", text(name))
        assert re.search(r"(?i)\bread_?side = 40\b", text(name))
    for name in OF["onnx"] | OF["litert"] | {"cpp/ncnn.cc", "microcontroller/main.cc"}:
        if name not in CPP | {"browser/page.js"}:
            assert "Run: " in text(name), f"{name} does not say whether it was run"


@pytest.mark.parametrize("kind", ["float32", "uint8", "int8"])
def test_bytes_go_in_as_the_file_takes_them(kind: str, tmp_path: Path) -> None:
    manifest = described()
    for one in manifest["artifacts"]:
        if one["pixels"]:
            one["input"] = {**one["input"], "type": kind}
            one["output"] = {**one["output"], "type": kind}
    written(manifest, tmp_path)
    kotlin = (tmp_path / "examples/android/Classifier.kt").read_text()
    bytes_each = {"float32": 4, "uint8": 1, "int8": 1}[kind]
    assert f"SIZE * SIZE * 3 * {bytes_each}" in kotlin
    assert ("pixel / 255f" in kotlin) == (kind == "float32")
    assert ("(pixel - 128).toByte()" in kotlin) == (kind == "int8")


@pytest.mark.integration
@needs_gxx
def test_labels_are_the_same_in_every_language(tmp_path: Path) -> None:
    written(described(), tmp_path)
    show = (
        '#include "network.h"\n#include <cstdio>\nint main() { for (auto one : network::kLabels) '
    )
    (tmp_path / "show.cc").write_text(show + 'std::printf("%s%c", one, 0); }')
    compiled(tmp_path / "show.cc", "-I", tmp_path / "examples/cpp", "-o", tmp_path / "show")
    answer = subprocess.run([tmp_path / "show"], capture_output=True, check=True, timeout=60)
    assert tuple(answer.stdout.decode().split("\0")[:-1]) == LABELS
    for label in LABELS:
        kotlin = in_kotlin(label)
        assert not re.search(r"(?<!\\)\$", kotlin)
        assert json.loads(kotlin.replace("\\$", "$")) == label
        swift = in_swift(label)[1:-1]
        plain = re.sub(r"\\u\{(\w+)\}", lambda found: chr(int(found[1], 16)), swift)
        assert re.sub(r"\\(.)", r"\1", plain) == label
    # A label cannot end the script or become an element of the page.
    assert "</script><b>" not in (tmp_path / "examples/browser/classifier.js").read_text()


@pytest.mark.integration
@needs_gxx
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("read_side", [None, 40])
def test_pixels_in_cpp_are_those_of_the_training(
    channels: int, read_side: int | None, tmp_path: Path
) -> None:
    manifest = described()
    manifest["preprocessing"] |= {"channels": channels, "read_side": read_side}
    written(manifest, tmp_path)
    (tmp_path / "show.cc").write_text(
        '#include "classify.h"\nint main(int, char** words) {\n'
        "  const Image image = Prepared(ReadPpm(words[1]));\n"
        "  std::fwrite(image.pixels.data(), 1, image.pixels.size(), stdout);\n}\n"
    )
    compiled(tmp_path / "show.cc", "-O2", "-I", tmp_path / "examples/cpp", "-o", tmp_path / "show")
    random = np.random.default_rng(0)
    photo = tmp_path / "photo.ppm"
    for width, height in ((100, 80), (80, 100), (28, 28), (9, 13), (41, 300), (300, 41), (57, 58)):
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photo)
        image = read_reduced(photo, read_side)
        wanted = np.asarray(centre_crop(image.convert("L") if channels == 1 else image, 24, 28))
        answer = subprocess.run(
            [tmp_path / "show", photo], capture_output=True, check=True, timeout=60
        )
        seen = np.frombuffer(answer.stdout, np.uint8).reshape(wanted.shape)
        # Versions of Pillow differ in a rounding of tall images.
        assert np.abs(seen.astype(int) - wanted).max() <= 1, (width, height)
        if width >= height:
            np.testing.assert_array_equal(seen, wanted, err_msg=f"{width} x {height}")


@pytest.mark.integration
@needs_gxx
@pytest.mark.parametrize("kind", ["float32", "uint8", "int8"])
def test_cpp_programs_have_no_errors(kind: str, tmp_path: Path) -> None:
    manifest = described()
    for one in manifest["artifacts"]:
        if one["pixels"]:
            one["input"] = {**one["input"], "type": kind}
            one["output"] = {**one["output"], "type": kind}
        elif one["target"] == "onnx" and kind == "uint8":
            one["input"] = {**one["input"], "type": kind}
    written(manifest, tmp_path)
    for name in ("cpp/onnx.cc", "cpp/ncnn.cc", "microcontroller/main.cc"):
        compiled(tmp_path / "examples" / name, "-fsyntax-only", "-isystem", STUBS)


def test_an_exported_bundle_has_them(bundle: Path) -> None:
    root = bundle / "examples"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == OF["onnx"] | OF["ncnn"] | OF["litert"]
    kotlin = (root / "android/Classifier.kt").read_text()
    assert "SIZE = 16 " in kotlin
    assert "SIZE * SIZE * 1 * 1" in kotlin
    assert 'input("in0"' in (root / "cpp/ncnn.cc").read_text().replace("extractor.", "")
