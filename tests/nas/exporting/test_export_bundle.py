"""The folder that goes to the device: complete, checked, and running without PyTorch."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from blocks import ArchSpec
from nas.cli.main import main
from nas.cost import count
from nas.data import DataConfig, load_data
from nas.exporting import Manifest
from nas.exporting.bundle import TOLERANCE
from nas.exporting.places import copy_programs
from nas.exporting.shipped.runtime import artifacts_of

pytestmark = pytest.mark.integration

NETWORKS = [
    "onnx-fp32", "onnx-int8", "executorch-fp32", "executorch-int8", "litert-fp32", "litert-int8",
    "ncnn-fp32", "ncnn-int8",
]  # fmt: skip
WITHOUT_TORCH = [name for name in NETWORKS if not name.startswith("executorch")]


def manifest_of(bundle: Path) -> Manifest:
    return Manifest.model_validate_json((bundle / "manifest.json").read_text())


def run(python: Path | str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def refusal(answer: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert answer.returncode == 2, answer
    assert answer.stdout == ""
    (line,) = answer.stderr.strip().splitlines()
    return line


@pytest.fixture
def digit_files(bundle: Path, tmp_path: Path) -> tuple[list[Path], NDArray[np.float32]]:
    """Ten held-out digits as image files, and as the network sees them."""
    data = load_data(DataConfig(name="digits"))
    images, _ = next(iter(data.val_batches(10, torch.device("cpu"))))
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (data.info.mean, data.info.std))
    paths = []
    for index, pixels in enumerate((255 * (images * std + mean)).round().byte()):
        paths.append(tmp_path / f"digit{index}.png")
        Image.fromarray(pixels[0].numpy()).save(paths[-1])
    return paths, images.contiguous().numpy()


@pytest.mark.slow
def test_the_manifest_tells_all(bundle: Path) -> None:
    manifest = manifest_of(bundle)
    counts = count(manifest.spec)
    assert manifest.spec == ArchSpec.from_yaml(bundle / "arch.yaml")
    assert (manifest.params, manifest.mflops) == (counts.params, counts.mflops)
    assert manifest.peak_activation_bytes > 4 * 8 * 8
    assert [artifact.name for artifact in manifest.artifacts] == NETWORKS
    # Trained on the validation images too.
    assert manifest.val_error is None
    assert manifest.test_error is not None
    assert manifest.accuracy.split == "test"
    assert manifest.accuracy.top1 == pytest.approx(1 - manifest.test_error)
    assert manifest.accuracy.top1 > 0.95
    for artifact in manifest.artifacts:
        assert artifact.accuracy is not None
        assert artifact.parity is not None
        assert artifact.accuracy.images == artifact.parity.images == manifest.accuracy.images
        assert artifact.latency is not None
        assert 0 < artifact.latency.least <= artifact.latency.p50 <= artifact.latency.p90
        assert all((bundle / file.name).stat().st_size == file.bytes for file in artifact.files)
        if artifact.precision == "fp32":
            assert artifact.parity.top1_agreement == 1
            assert artifact.parity.max_abs_difference < 100 * TOLERANCE["fp32"]
            assert artifact.accuracy.top1 == manifest.accuracy.top1
        else:
            assert artifact.parity.max_abs_difference > 0
            assert artifact.accuracy.top1 > manifest.accuracy.top1 - 0.02
        if artifact.target == "executorch":
            assert artifact.undelegated == ()
    sizes = {artifact.name: artifact.bytes for artifact in manifest.artifacts}
    for target in ("onnx", "executorch", "litert"):
        assert sizes[f"{target}-int8"] < 0.7 * sizes[f"{target}-fp32"]
    assert {"onnxruntime", "executorch", "litert-torch", "ncnn"} <= set(manifest.versions)


@pytest.mark.slow
def test_the_card_says_what_the_manifest_says(bundle: Path) -> None:
    card = (bundle / "MODEL_CARD.md").read_text()
    manifest = manifest_of(bundle)
    assert f"{manifest.params:,}" in card
    for artifact in manifest.artifacts:
        assert f"| {artifact.name} |" in card
        assert f"{artifact.bytes:,}" in card
        assert artifact.accuracy is not None
        assert f"{100 * artifact.accuracy.top1:.2f}" in card


@pytest.mark.slow
def test_predictions_need_neither_pytorch_nor_this_project(
    bundle: Path, bare_python: Path, digit_files: tuple[list[Path], NDArray[np.float32]]
) -> None:
    for package in ("torch", "nas", "blocks"):
        assert run(bare_python, "-I", "-c", f"import {package}").returncode == 1
    paths, images = digit_files
    for name in WITHOUT_TORCH:
        options = ("--network", name, "--top", "10", "--json")
        answer = run(bare_python, bundle / "predict.py", *options, *paths)
        assert answer.returncode == 0, answer.stderr
        (artifact,) = artifacts_of(bundle, name)
        network = artifact.open()
        for line, path, image in zip(answer.stdout.splitlines(), paths, images, strict=True):
            said = json.loads(line)
            assert said["image"] == str(path)
            assert said["network"] == name
            scores = {one["label"]: one["score"] for one in said["labels"]}
            wanted = torch.from_numpy(network(image[None])).softmax(1)[0]
            got = [scores[label] for label in manifest_of(bundle).class_names]
            np.testing.assert_allclose(got, wanted, atol=1e-3 if name.endswith("fp32") else 0.05)


@pytest.mark.slow
def test_executorch_predicts_where_pytorch_is(
    bundle: Path, digit_files: tuple[list[Path], NDArray[np.float32]]
) -> None:
    paths, _ = digit_files
    said = [
        run(sys.executable, bundle / "predict.py", "--network", name, *paths).stdout
        for name in ("onnx-fp32", "executorch-fp32")
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 10


@pytest.mark.slow
def test_the_bundles_own_bench_runs_where_pytorch_is_not(bundle: Path, bare_python: Path) -> None:
    answer = run(bare_python, bundle / "bench.py", "--seconds", "0.05", "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert [one["network"] for one in document["latencies"]] == WITHOUT_TORCH
    assert all(one["n"] >= 100 for one in document["latencies"])
    assert {one["key"] for one in document["latencies"]} == {manifest_of(bundle).key}
    assert document["device"]["architecture"]
    assert document["setting"]["threads"] == 1


@pytest.mark.slow
def test_two_bundles_of_one_network_are_two(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    options = ("--networks", "onnx-fp32", "--seconds", "0.05", "--json")
    answer = run(sys.executable, bundle / "bench.py", bundle, copy, *options)
    folders = [one["folder"] for one in json.loads(answer.stdout)["latencies"]]
    assert folders == [str(bundle), str(copy)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--threads", "100000000000"), ("--seconds", "inf"), ("--runs", "0")]
)
def test_figures_out_of_range_are_refused(options: tuple[str, str], bundle: Path) -> None:
    answer = run(sys.executable, bundle / "bench.py", "--networks", "onnx", *options)
    assert "allowed" in refusal(answer)


@pytest.mark.slow
def test_nas_bench_measures_every_network(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["bench", str(bundle), "--seconds", "0.05", "--networks", "onnx,ncnn", "--json"]) == 0
    )
    names = [one["network"] for one in json.loads(capfd.readouterr().out)["latencies"]]
    assert names == ["onnx-fp32", "onnx-int8", "ncnn-fp32", "ncnn-int8"]


def spoil(name: str, content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(bundle: Path) -> None:
        path = bundle / name
        path.write_bytes(content(path.read_bytes()))

    return change


BROKEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a text file named .onnx": (spoil("model.onnx", lambda _: b"hello"), "onnx", "checksum"),
    "a truncated .pte": (spoil("model.pte", lambda b: b[: len(b) // 2]), "executorch", "checksum"),
    "an empty .tflite": (spoil("model.tflite", lambda _: b""), "litert", "checksum"),
    "weights of ncnn": (spoil("model.ncnn.bin", lambda b: b[:-4]), "ncnn", "checksum"),
    "a missing file": (lambda bundle: (bundle / "model.onnx").unlink(), "onnx", "missing"),
    "a broken manifest": (spoil("manifest.json", lambda b: b[:100]), "onnx", "missing or damaged"),
    "a wrong type": (
        spoil("manifest.json", lambda b: b.replace(b'"resize": 16', b'"resize": "16"')),
        "onnx",
        "missing or damaged",
    ),
    "another format": (
        spoil("manifest.json", lambda b: b.replace(b'"format": 3', b'"format": 99')),
        "onnx",
        "format 99",
    ),
    "an unknown network": (lambda bundle: None, "tflite", "no such network"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_damaged_bundle_is_refused_in_one_line(
    case: str,
    bundle: Path,
    tmp_path: Path,
    digit_files: tuple[list[Path], NDArray[np.float32]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    damage, network, words = BROKEN[case]
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    damage(copy)
    paths, _ = digit_files
    assert words in refusal(
        run(sys.executable, copy / "predict.py", "--network", network, paths[0])
    )
    capfd.readouterr()
    assert main(["bench", str(copy), "--networks", network, "--seconds", "0.05"]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("nas: ")
    assert words in line


def png_that_claims(side: int) -> bytes:
    """The header of a grey PNG of this size, and no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def thirty_two_bits() -> bytes:
    """A TIFF file whose white point is unknown."""
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save(file, format="TIFF")
    return file.getvalue()


BAD_IMAGES = {
    "no file": (None, "no such file"),
    "0 bytes": (b"", "not a readable image"),
    "text": (b"hello", "not a readable image"),
    "32 bits": (thirty_two_bits(), "allowed: grey of 16 bits, and of 8 bits a channel"),
    "20,000 pixels a side": (png_that_claims(20_000), "20000 x 20000 pixels; allowed"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_is_refused_in_one_line(
    case: str, bundle: Path, bare_python: Path, tmp_path: Path
) -> None:
    content, words = BAD_IMAGES[case]
    path = tmp_path / "image.png"
    if content is not None:
        path.write_bytes(content)
    line = refusal(run(bare_python, bundle / "predict.py", path))
    assert words in line
    assert str(path) in line


@pytest.mark.slow
def test_images_of_other_kinds_and_sizes_are_read(
    bundle: Path, bare_python: Path, digit_files: tuple[list[Path], NDArray[np.float32]]
) -> None:
    paths, _ = digit_files
    original = Image.open(paths[0])
    kinds = {"RGBA": ".png", "RGB": ".bmp", "P": ".gif", "1": ".png", "CMYK": ".jpg"}
    written = []
    for mode, suffix in kinds.items():
        written.append(paths[0].with_name(mode + suffix))
        original.convert(mode).save(written[-1])
    written.append(paths[0].with_name("large.png"))
    original.resize((80, 56)).save(written[-1])
    answer = run(bare_python, bundle / "predict.py", *written)
    assert answer.returncode == 0, answer.stderr
    said = [line.split("  ", 1)[1] for line in answer.stdout.splitlines()]
    assert len(said) == len(written)
    assert said[0] == said[1]  # colours do not change a grey image


def test_photographs_are_prepared_as_in_training(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for part, name in (("train", "a"), ("train", "b"), ("val", "a"), ("val", "b")):
        for index in range(3):
            folder = tmp_path / "set" / part / name
            folder.mkdir(parents=True, exist_ok=True)
            shape = (int(generator.integers(40, 90)), int(generator.integers(40, 90)), 3)
            Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(
                folder / f"{index}.png"
            )
    config = DataConfig(name=f"imagefolder:{tmp_path / 'set'}", input_size=32, workers=0)
    data = load_data(config)
    images, _ = next(iter(data.test_batches(6, torch.device("cpu"))))
    how: dict[str, Any] = {
        "channels": 3,
        "size": 32,
        "resize": data.info.resize,
        "mean": data.info.mean,
        "std": data.info.std,
        "read_side": data.info.read_side,
    }
    shipped = tmp_path / "programs"
    shipped.mkdir()
    copy_programs(shipped)
    code = (
        "import sys, json, numpy\nfrom pathlib import Path\nfrom predict import prepare\n"
        "how = json.loads(sys.argv[1])\n"
        "images = [prepare(Path(path), how) for path in sys.argv[3:]]\n"
        "numpy.save(sys.argv[2], numpy.concatenate(images))\n"
    )
    paths = sorted((tmp_path / "set/val").glob("*/*.png"))
    command = [sys.executable, "-c", code, json.dumps(how), str(tmp_path / "out.npy")]
    subprocess.run([*command, *map(str, paths)], check=True, timeout=120, cwd=shipped)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), images.numpy(), atol=1e-6)
