"""``nas attention`` as a user runs it, on digits."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.analysis import Request, analyse, paired_shift
from nas.cli.main import main
from nas.data import DataConfig, load_data

MakeCheckpoint = Callable[..., Path]
FILES = {
    "attention.csv", "shift.csv", "classes.csv", "channels.csv", "attention.json", "attention.html",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def said(capfd: pytest.CaptureFixture[str]) -> str:
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    (line,) = captured.err.strip().splitlines()
    return line


def test_tables_hold_what_was_read(
    make_checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_checkpoint(Path("w.pt"), dilations=(1, 2), stages={4: {"dilations": (1, 2, 3)}})
    command = ["attention", "w.pt", "--limit", "40", "--out", "a", "--scales", "2,1,1.5"]
    assert main(command) == 0
    out = capfd.readouterr().out
    assert "40 images of digits, split: validation\n" in out
    assert out.count("the shift to the larger kernel") == 3
    assert "for this one training" in out
    assert {file.name for file in Path("a").iterdir()} == FILES

    analysis = analyse(Request(path, limit=40))
    attention = {(row["unit"], row["scale"]): row for row in rows(Path("a/attention.csv"))}
    shift = {(row["unit"], row["to_scale"]): row for row in rows(Path("a/shift.csv"))}
    classes = rows(Path("a/classes.csv"))
    channels = rows(Path("a/channels.csv"))
    assert len(attention) == 3 * 19
    assert len(shift) == 2 * 19
    assert len(channels) == 3 * sum(one.unit.channels for one in analysis.attention.units)
    for one in analysis.attention.units:
        name, difference = one.unit.name, one.difference
        for number, scale in enumerate(("1", "1.5", "2")):
            row = attention[name, scale]
            assert row["kernels"] == ("3 5 7" if one.unit.stage == 4 else "3 5")
            assert row["images"] == "40"
            assert float(row["mean_difference"]) == pytest.approx(difference[number].mean())
            assert float(row["std"]) == pytest.approx(difference[number].std(ddof=1))
            means = [float(row[f"attention_{i}"]) for i in (1, 2, 3) if row[f"attention_{i}"]]
            assert len(means) == len(one.unit.kernels)
            assert sum(means) == pytest.approx(1)
            assert means[-1] - means[0] == pytest.approx(difference[number].mean(), abs=1e-9)
            of_unit = [r for r in classes if r["unit"] == name and r["scale"] == scale]
            counts = [int(r["images"]) for r in of_unit]
            assert sum(counts) == 40
            weighted = np.average([float(r["mean_difference"]) for r in of_unit], weights=counts)
            assert weighted == pytest.approx(difference[number].mean(), abs=1e-9)
            values = [
                float(r["attention_of_larger"])
                for r in channels
                if r["unit"] == name and r["scale"] == scale
            ]
            assert np.mean(values) == pytest.approx(means[-1], abs=1e-9)
        expected = paired_shift(difference[0], difference[2])
        row = shift[name, "2"]
        assert (row["from_scale"], row["images"]) == ("1", "40")
        figures = [float(row[key]) for key in ("mean_shift", "low", "high")]
        assert figures == pytest.approx([expected.mean, expected.low, expected.high])
        assert row["excludes_0"] == str(expected.excludes_0).lower()


def test_images_are_the_validation_images_in_their_order(make_checkpoint: MakeCheckpoint) -> None:
    data = load_data(DataConfig(name="digits"))
    _, labels = next(iter(data.val_batches(1000, torch.device("cpu"))))
    path = make_checkpoint(Path("w.pt"), jitter=0.3)
    few, named = analyse(Request(path, limit=30)), analyse(Request(path, "digits", limit=30))
    assert few.attention.labels.tolist() == labels[:30].tolist()
    # Jitter belongs to the training: an object somewhere in the image cannot be enlarged in its middle.
    plain = analyse(Request(make_checkpoint(Path("v.pt")), limit=30))
    for one, other, third in zip(
        few.attention.units, named.attention.units, plain.attention.units, strict=True
    ):
        assert np.array_equal(one.branches, other.branches)
        assert np.array_equal(one.branches, third.branches)


def test_json_and_a_single_image(
    make_checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(Path("w.pt"), full=True)
    assert main(["attention", "w.pt", "--limit", "1", "--json", "--scales", "1,1.5"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["folder"] == "w-attention"
    assert document["split"] == "validation (also trained on)"
    assert (document["images"], document["scales"]) == (1, [1.0, 1.5])
    assert [stage["stage"] for stage in document["stages"]] == [2, 3, 4]
    assert document["units"][0]["shifts"][0]["low"] is None
    written = json.loads(Path("w-attention/attention.json").read_text())
    assert document == written | {"folder": "w-attention", "page": "w-attention/attention.html"}
    assert rows(Path("w-attention/attention.csv"))[0]["std"] == ""
    assert {row["excludes_0"] for row in rows(Path("w-attention/shift.csv"))} == {"false"}


def test_of_a_run_the_trial_and_then_its_full_training(
    make_checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(Path("runs/first/trials/0003/checkpoint.pt"))
    Path("runs/first/search.yaml").touch()
    command = ["attention", "first", "--trial", "3", "--limit", "2", "--json"]
    assert main(command) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["checkpoint"] == "runs/first/trials/0003/checkpoint.pt"
    assert document["folder"] == "runs/first/attention/0003"
    make_checkpoint(Path("runs/first/train/0003/checkpoint.pt"), full=True)
    Path("runs/first/train/0003/result.json").touch()
    assert main(command) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["checkpoint"] == "runs/first/train/0003/checkpoint.pt"
    assert document["folder"] == "runs/first/attention/0003"
    assert {file.name for file in Path("runs/first/attention/0003").iterdir()} == FILES


CASES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "a single branch": ({"dilations": (1,)}, [], "w.pt: the network has no attention between kernels"),
    "no unit": ({"kind": "none"}, [], "no attention between kernels (unit: none)"),
    "another kind": ({"kind": "se"}, [], "allowed: kind sk with two or more branches"),
    "branches summed up": ({"select": "sum"}, [], "allowed: kind sk with two or more branches"),
    "other classes": ({"num_classes": 7}, [], "num_classes 7, the data digits has 10"),
    "another size": ({"input_size": 32}, [], "input_size 32, the data digits has 16"),
    "unknown data": ({}, ["--data", "mnist"], "unknown data set 'mnist'; allowed are digits"),
    "no such folder": ({}, ["--data", "imagefolder:/no/such"], "/no/such does not exist"),
    "limit 0": ({}, ["--limit", "0"], "--limit 0: allowed: 1 or more"),
    "a scale below 1": ({}, ["--scales", "1,0.5"], "--scales 0.5: allowed: 1 to 8 for 16 pixels"),
    "no scale to compare with": ({}, ["--scales", "1.5,2"], "--scales: allowed: 1.0, the reference"),
    "scales that are words": ({}, ["--scales", "1,two"], "--scales 1,two: allowed: numbers with"),
    "an unknown unit": ({}, ["--unit", "SK_5_3"], "--unit SK_5_3: allowed: SK_2_1s, SK_2_1"),
    "a file for a folder": ({}, ["--out", "w.pt"], "w.pt: a file; allowed: a new"),
    "a folder in a file": ({}, ["--out", "w.pt/a"], "w.pt: a file; allowed: a new"),
    "a trial of a file": ({}, ["--trial", "1"], "w.pt is a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_a_wrong_request_gets_one_line_and_writes_nothing(
    case: str, make_checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    fields, options, says = CASES[case]
    make_checkpoint(Path("w.pt"), **fields)
    assert main(["attention", "w.pt", *options]) == 2
    assert says in said(capfd)
    assert [path.name for path in Path().iterdir()] == ["w.pt"]


def test_no_such_file_and_no_checkpoint(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["attention", "w.pt"]) == 2
    assert "w.pt: no such file" in said(capfd)
    Path("w.pt").write_text("hello")
    assert main(["attention", "w.pt"]) == 2
    assert "w.pt: not a checkpoint" in said(capfd)
    assert main(["attention", "first"]) == 2
    assert "there are no runs yet" in said(capfd)


def test_broken_weights_end_the_work(
    make_checkpoint: MakeCheckpoint,
    make_spec: Callable[..., Any],
    make_attending: Callable[..., nn.Module],
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = make_attending(make_spec())
    nn.init.constant_(model.get_parameter("conv1.0.weight"), float("nan"))
    make_checkpoint(Path("w.pt"), model)
    assert main(["attention", "w.pt", "--limit", "2"]) == 1
    assert "the attention is not a number" in said(capfd)
