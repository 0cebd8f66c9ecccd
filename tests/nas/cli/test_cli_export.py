"""What ``nas export`` does with several targets and several networks."""

from __future__ import annotations

import importlib
import io
import json
import logging
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from rich.console import Console

import nas
from nas.cli.main import main
from nas.exporting import Manifest


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ``package`` were not installed."""

    def ask(name: str) -> str:
        if name == package:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.import_module("nas.exporting.targets.target"), "version", ask)


def test_a_missing_runtime_is_said_and_the_others_go_on(
    in_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without("ncnn", monkeypatch)
    words = ["export", "first", "--trial", "0", "--images", "20"]
    assert main([*words, "--targets", "ncnn,onnx"]) == 0
    line, *steps = capfd.readouterr().err.strip().splitlines()
    assert line == ("nas: target ncnn: the package ncnn is missing; pip install 'sknas[deploy]'")
    assert "onnx: float32, tracing the network" in steps
    manifest = json.loads((in_run / "runs/first/export/0000/manifest.json").read_text())
    assert [artifact["target"] for artifact in manifest["artifacts"]] == ["onnx"]
    assert manifest["accuracy"]["images"] == 20
    assert main([*words, "--targets", "ncnn"]) == 2
    assert "the package ncnn is missing" in capfd.readouterr().err


def test_the_steps_are_shown_on_standard_error(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "first", "--trial", "0", "--images", "20", "--targets", "onnx", "--int8"]
    assert main([*words, "--json"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["artifacts"][1]["precision"] == "int8"
    steps = said.err.splitlines()
    assert steps[:3] == [
        "reading training images",
        "onnx: float32, tracing the network",
        "onnx: int8: calibrating on 100 images",
    ]
    assert steps[-3:] == [
        "accuracy of 2 networks on held-out images",
        "memory and figures of the network",
        "latency",
    ]


def test_python_exports_in_silence_unless_asked(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    point = nas.open_run("first")
    point.export(0, images=20)
    assert capfd.readouterr() == ("", "")
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    point.export(0, images=20, int8=True, progress=terminal)
    assert isinstance(terminal.file, io.StringIO)
    assert "onnx: int8" in terminal.file.getvalue()
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_every_point_of_the_front_is_exported(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    front = json.loads((in_run / "runs/first/pareto.json").read_text())["front"]
    assert main(["export", "first", "--front", "--images", "20", "--json"]) == 0
    exported = json.loads(capfd.readouterr().out)
    assert [one["key"] for one in exported] == [point["key"] for point in front]
    for one, point in zip(exported, front, strict=True):
        assert one["bundle"] == f"runs/first/export/{point['trial']:04d}"
        assert (Path(one["bundle"]) / "model.onnx").is_file()


@pytest.mark.parametrize(
    "more", [["--trial", "0"], ["--pick", "knee"], ["--max-mflops", "9"], ["--out", "x"]]
)
def test_the_front_and_a_choice_are_refused(
    more: list[str], in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "first", "--front", *more]) == 2
    assert "--front takes every point" in capfd.readouterr().err


@pytest.mark.integration
def test_the_bench_of_no_folder_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path, words in ((tmp_path / "none", "no such folder"), (tmp_path, "missing or damaged")):
        assert main(["bench", str(path)]) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert words in line


def test_a_target_that_is_none_ends_the_export_before_it_begins(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "first", "--trial", "0", "--targets", "onnx,excutorch"]) == 2
    assert "unknown export target 'excutorch'" in capfd.readouterr().err
    assert not (in_run / "runs/first/export").exists()


def test_an_export_that_is_terminated_leaves_nothing_behind(in_run: Path) -> None:
    command = [sys.executable, "-m", "nas", "export", "first", "--trial", "0"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    folder = in_run / "runs/first/export"
    for _ in range(600):
        if folder.exists() and any(folder.iterdir()):
            break
        time.sleep(0.1)
    process.terminate()
    assert process.wait(60) == 1
    assert list(folder.iterdir()) == []


def test_an_export_with_fewer_targets_names_what_goes(
    in_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = nas.open_run("first")
    with caplog.at_level(logging.WARNING, "nas.export"):
        bundle = run.export(0, images=20, targets="onnx,ncnn")
        (bundle.path / "notes.txt").touch()
        assert caplog.messages == []
        run.export(0, images=20)
    assert caplog.messages == [
        f"{bundle.path}: the former export is replaced; removed: examples/cpp/ncnn.cc, "
        "model.ncnn.bin, model.ncnn.param"
    ]
    assert (bundle.path / "notes.txt").is_file()
    assert (bundle.path / "labels.txt").read_text().splitlines() == list(map(str, range(10)))
    assert bundle.manifest.labels == "labels.txt"


@pytest.mark.slow
def test_targets_made_of_another_share_its_conversion(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite_micro")
    pytest.importorskip("ethosu")
    words = ["export", "first", "--trial", "0", "--images", "20", "--out", "chips"]
    assert main([*words, "--targets", "ethos_u,litert,tflm"]) == 0
    said = capfd.readouterr()
    steps = said.err.splitlines()
    assert steps.count("litert: float32, tracing the network") == 1
    assert sum(step.startswith("litert: int8: calibrating") for step in steps) == 1
    manifest = Manifest.model_validate_json(Path("chips/manifest.json").read_text())
    assert [one.name for one in manifest.artifacts] == ["ethos_u-int8", "litert-fp32", "tflm-int8"]
    npu, lite, micro = manifest.artifacts
    # What Vela has compiled takes and gives the same as the file that it was made of.
    assert npu.input is not None
    assert (npu.input, npu.output, npu.pixels) == (micro.input, micro.output, micro.pixels)
    assert (npu.input.type, npu.input.order, npu.input.zero) == ("int8", "NHWC", -128)
    assert micro.bytes == Path("chips/model.tflm.tflite").stat().st_size
    assert lite.latency is not None
    assert micro.latency is None
    assert not Path("chips/model.int8.tflite").exists()
    shown = " ".join(said.out.split())
    assert (
        "next: nas bench chips; python chips/predict.py IMAGE compile chips/model_data.cc" in shown
    )


def test_what_cannot_be_quantized_is_still_a_float32_file(
    in_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite_micro")

    def fails(*_: object) -> None:
        raise ValueError("a scale of 0")

    monkeypatch.setattr("nas.exporting.making.quantize", fails)
    words = ["export", "first", "--trial", "0", "--images", "20", "--out", "chips"]
    assert main([*words, "--targets", "litert,tflm"]) == 1
    assert "tflm" in (said := capfd.readouterr().err)
    assert "a scale of 0" in said
    manifest = Manifest.model_validate_json(Path("chips/manifest.json").read_text())
    assert [one.name for one in manifest.artifacts] == ["litert-fp32"]
    assert Path("chips/model.tflite").is_file()
