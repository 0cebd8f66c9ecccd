"""The walk of the user on real images: search, front, count, full training, export, report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from blocks import ArchSpec
from nas.cli.main import main
from nas.data import DataConfig, load_data


def nas(*words: str) -> str:
    """What the command prints, run as its users run it: in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "nas", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def json_of(words: list[str]) -> dict[str, Any]:
    document = json.loads(nas(*words))
    assert isinstance(document, dict)
    return document


def test_a_finished_search_left_what_the_design_promises(in_run: Path) -> None:
    run = in_run / "runs/first"
    names = {path.name for path in run.iterdir()}
    assert {"search.yaml", "study.db", "trials", "pareto.json", "report.html"} <= names
    for number in ("0000", "0001"):
        trial = run / "trials" / number
        spec = ArchSpec.from_yaml(trial / "arch.yaml")
        epochs = [json.loads(line) for line in (trial / "metrics.jsonl").read_text().splitlines()]
        assert [epoch["epoch"] for epoch in epochs] == [1, 2]
        assert all(0 <= epoch["val_error"] <= 1 for epoch in epochs)
        assert (trial / "checkpoint.pt").is_file()
        assert not (trial / "error.txt").exists()
        assert spec.num_classes == 10
    front = json.loads((run / "pareto.json").read_text())
    assert front["objectives"] == ["error", "mflops"]
    assert front["front"]


def test_logs_lie_one_folder_a_trial(finished_run: Path) -> None:
    for trial in ("trial_0000", "trial_0001"):
        assert list((finished_run / "lightning_logs/first" / trial).glob("events.out.*"))


def test_pareto_prints_the_front_and_the_pick(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json_of(["pareto", "first", "--pick", "knee", "--json"])
    stored = json.loads((in_run / "runs/first/pareto.json").read_text())
    for point in (*document["front"], document["pick"]):
        assert point.pop("val_images") == 288
        low, high = point.pop("error_interval")
        assert low < point["values"]["error"] < high
    assert document == stored | {"pick": document["pick"]}
    assert document["pick"] in document["front"]
    assert main(["pareto", "first"]) == 0
    assert "knee" in capfd.readouterr().out


def test_count_agrees_with_fvcore(in_run: Path) -> None:
    document = json_of(["count", "runs/first/trials/0000/arch.yaml", "--json"])
    assert document["closed_form"] == document["fvcore"]
    assert document["fvcore_mflops_with_norm"] > document["fvcore"]["mflops"]
    assert "aten::add" in document["fvcore_uncounted"] or document["fvcore_uncounted"] == {}


def test_train_then_export_gives_a_file_that_names_real_images(in_run: Path) -> None:
    trained = json_of(
        ["train", "first", "--trial", "0", "--recipe", "tiny", "--epochs", "5", "--json"]
    )
    assert trained["train_images"] + trained["test_images"] == 1797
    assert trained["test_error"] < 0.5
    exported = json_of(["export", "first", "--trial", "0", "--json"])
    bundle = Path(str(exported["bundle"]))
    assert bundle == Path("runs/first/export/0000")
    assert exported["test_error"] == trained["test_error"]
    (artifact,) = exported["artifacts"]
    assert artifact["parity"]["top1_agreement"] == 1.0
    (file,) = artifact["files"]
    path = bundle / file["name"]
    assert path.stat().st_size == file["bytes"]
    onnx.checker.check_model(onnx.load(path))
    # What the file itself says of the test images is the test error that training reported.
    data = load_data(DataConfig(name="digits"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wrong = total = 0
    for images, labels in data.test_batches(100, torch.device("cpu")):
        for image, label in zip(images.contiguous().numpy(), labels.numpy(), strict=True):
            (logits,) = session.run(["logits"], {"image": image[None]})
            wrong += int(np.argmax(logits) != label)
            total += 1
    assert total == trained["test_images"]
    assert wrong / total == pytest.approx(trained["test_error"], abs=1 / total + 1e-9)


def test_a_full_training_goes_on_where_it_stopped(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "first", "--trial", "1", "--recipe", "tiny", "--epochs", "2"]
    assert main(command) == 0
    assert "epoch   2" in capfd.readouterr().out
    assert main(command) == 0
    assert "epoch" not in capfd.readouterr().out.split("test error")[0]


def test_other_options_are_not_answered_with_an_older_result(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "first", "--trial", "1", "--recipe", "tiny", "--epochs", "1"]
    assert main(command) == 0
    for other, word in (
        (["--seed", "1"], "seed"),
        (["--data-dir", "elsewhere", "--lr", "0.01"], "recipe"),
    ):
        capfd.readouterr()
        assert main([*command, *other]) == 2
        assert f"belongs to another training (other {word})" in capfd.readouterr().err
    assert main([*command, "--seed", "1", "--again"]) == 0
    assert "seed 1" in capfd.readouterr().out


def test_a_network_can_be_taken_by_budget(in_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = []
    for command in ("pareto", "export"):
        capfd.readouterr()
        assert main([command, "first", "--max-mflops", "100", "--json"]) == 0
        found.append(json.loads(capfd.readouterr().out))
    front, exported = found
    assert exported["bundle"] == f"runs/first/export/{front['pick']['trial']:04d}"


def test_what_a_process_left_that_died_before_its_run_began_does_not_block_the_name(
    in_run: Path,
) -> None:
    run = in_run / "runs/second"
    run.mkdir()
    (run / ".lock").touch()
    (run / "study.db").write_bytes((in_run / "runs/first/study.db").read_bytes()[:5000])
    search = ["search", "--space", "quickstart", "--data", "digits", "--limit", "64"]
    more = ["--recipe", "tiny", "--epochs", "1", "--trials", "1", "--name", "second"]
    assert main([*search, *more]) == 0
    assert (run / "pareto.json").is_file()


def test_a_bundle_is_replaced_and_files_of_its_owner_stay(in_run: Path) -> None:
    export = ["export", "first", "--trial", "0", "--images", "20"]
    assert main(export) == 0
    bundle = in_run / "runs/first/export/0000"
    (bundle / "notes.txt").write_text("of the owner")
    (bundle / "model.onnx").write_text("damaged")
    assert main(export) == 0
    assert sorted(p.name for p in bundle.iterdir()) == [
        "MODEL_CARD.md", "arch.yaml", "bench.py", "device.py", "examples", "labels.txt",
        "manifest.json", "model.onnx", "notes.txt", "photo.py", "predict.py", "runtime.py", "suite.py",
    ]  # fmt: skip
    assert (bundle / "model.onnx").read_bytes() != b"damaged"
    assert [p.name for p in bundle.parent.iterdir()] == ["0000"]


def test_report_is_written_again(in_run: Path) -> None:
    page = in_run / "runs/first/report.html"
    page.unlink()
    assert main(["report", "first"]) == 0
    assert "first" in page.read_text()


@pytest.mark.parametrize(
    "command", ["search", "pareto", "count", "train", "export", "bench", "report"]
)
def test_help_shows_an_example(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capfd.readouterr().out
    assert f"Example: nas {command}" in out
    assert "--json" in out
