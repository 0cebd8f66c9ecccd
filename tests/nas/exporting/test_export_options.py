"""Options of an export that change no file are refused, and those that change some are explained."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import nas
from blocks.errors import InvalidInput
from nas.cli.main import main
from nas.exporting.targets import TARGETS, Wishes
from nas.exporting.unused import check_colours, check_used
from nas.naming import command_line

REFUSED = [
    ("ncnn", {"io": "uint8"}, "--io uint8: ncnn; allowed: with the targets onnx, litert with --int8"),
    ("onnx", {"io": "int8"}, "--io int8: onnx; allowed: with the targets litert with --int8, tflm"),
    ("litert", {"io": "uint8"}, "--io uint8: litert; allowed: with the targets onnx, litert with"),
    ("coreml", {"io": "float32"}, "--io float32: coreml"),
    ("onnx", {"rgb": True}, "--rgb: onnx; allowed: with the targets litert, tflm, ethos_u or coreml"),
    ("onnx,tflm", {"accelerator": "ethos-u55-64"}, "--accelerator: onnx, tflm; allowed: with the"),
    ("coreml", {"int8": True}, "--int8: coreml; allowed: with the targets onnx, "),
    ("onnx,litert", {"fp16": True}, "--fp16: onnx, litert; allowed: with the targets ncnn or coreml"),
]  # fmt: skip


@pytest.mark.parametrize(("targets", "options", "words"), REFUSED)
def test_an_option_that_no_target_takes_is_refused(
    targets: str,
    options: dict[str, object],
    words: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(InvalidInput, match=rf"^{next(iter(options))}"):
        nas.export(checkpoint, targets=targets, **options)  # type: ignore[arg-type]
    given = [
        word
        for name, value in options.items()
        for word in (f"--{name}", *([] if value is True else [str(value)]))
    ]
    assert main(["export", str(checkpoint), "--targets", targets, *given]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith(f"nas: {words}")


@pytest.mark.parametrize(
    ("names", "wishes", "given", "lines"),
    [
        (["onnx", "litert"], Wishes(int8=True, io="uint8"), ["io"], []),
        (["onnx", "litert"], Wishes(io="uint8"), ["io"], ["--io uint8 changes nothing for litert"]),
        (["tflm", "ncnn"], Wishes(io="float32"), ["io"], ["--io float32 changes nothing for ncnn"]),
        (["tflm", "ethos_u"], Wishes(rgb=True), ["rgb"], []),
        (["tflm"], Wishes(int8=True), ["int8"], []),
        (["tflm", "ethos_u"], Wishes(accelerator="ethos-u55-64"), ["accelerator"], []),
        (["onnx", "coreml"], Wishes(int8=True), ["int8"], ["--int8 changes nothing for coreml"]),
    ],
)
def test_an_option_that_some_targets_take_is_explained(
    names: list[str], wishes: Wishes, given: list[str], lines: list[str]
) -> None:
    with command_line():
        found = check_used(names, wishes, given)
    assert [line.partition(";")[0] for line in found] == lines


def test_the_line_is_a_warning_in_python(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING, "nas.export"),
        pytest.raises(InvalidInput, match="no such"),
    ):
        nas.export(tmp_path / "checkpoint.pt", targets="onnx,ncnn", io="uint8")
    assert caplog.messages == [
        "io='uint8' changes nothing for ncnn; it is for onnx, litert with int8, tflm or ethos_u"
    ]


def test_every_target_says_what_it_takes() -> None:
    assert {name for name in TARGETS if TARGETS[name].accelerators} == {"ethos_u"}
    assert {name for name in TARGETS if not TARGETS[name].has_int8} == {"coreml"}


def test_colours_are_for_grey_networks() -> None:
    check_colours(Wishes(rgb=True), 1)
    check_colours(Wishes(), 3)
    with pytest.raises(InvalidInput, match=r"^rgb: the network takes RGB images; allowed: with a"):
        check_colours(Wishes(rgb=True), 3)
