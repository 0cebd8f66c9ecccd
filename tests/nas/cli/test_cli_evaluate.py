"""``nas evaluate`` and what ``nas train`` and ``nas export`` say of classes, on real networks."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nas
from blocks.errors import InvalidInput
from nas.cli.main import main
from tests.nas.report.browser import ABSENT, BROWSER, Tab

pytestmark = pytest.mark.integration
FILES = {"index.html", "predictions.csv", "evaluation.json"}
SIDE = 64


def photograph(kind: int, number: int) -> Image.Image:
    """A coarse pattern of a colour by class; no two are alike."""
    draws = np.random.default_rng([kind, number])
    coarse = draws.integers(0, 120, (8, 8, 3)) + np.array([(120, 0, 0), (0, 0, 120)][kind])
    image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return image.resize((SIDE + 10, SIDE + 10), Image.Resampling.NEAREST)


@pytest.fixture(scope="session")
def photographs(made_once: Callable[..., Path]) -> Path:
    """A run on 2 classes, of which one has 2 of 26 test images; two labels are wrong, and one image is
    on both sides."""

    def make() -> None:
        for part, counts, first in (("train", (20, 60), 0), ("val", (2, 24), 1000)):
            for kind, (name, count) in enumerate(zip(("mould", "sound"), counts, strict=True)):
                place = Path("photographs", part, name)
                place.mkdir(parents=True)
                for number in range(count):
                    photograph(kind, first + number).save(place / f"{number:03d}.png")
        for number in (500, 501):
            photograph(0, number).save(f"photographs/train/sound/wrong_{number}.png")
        shutil.copy("photographs/train/sound/007.png", "photographs/val/sound/023.png")
        words = (
            f"search --space quickstart --data imagefolder:photographs --input-size {SIDE} --trials 1 "
            "--recipe tiny --epochs 1 --workers 1 --threads 1 --sampler tpe --name rare"
        )
        assert run(words) == 0
        words = "train rare --trial 0 --recipe tiny --epochs 1 --threads 1"
        assert run(words) == 0

    return made_once("photographs", make)


def test_a_folder_that_is_no_bundle_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("runs/first").mkdir(parents=True)
    Path("runs/first/search.yaml").touch()
    for given, words in (
        ("folder", "folder: a folder without manifest.json, neither a bundle nor a run; allowed: "),
        ("runs/first", "runs/first: the folder of a run; allowed: the name of the run, first, or"),
        ("nothing", "runs/nothing: no such run; runs there are: first"),
    ):
        assert main(["evaluate", given]) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert line.startswith(f"nas: {words}")
    with pytest.raises(InvalidInput, match=r"^folder: a folder without manifest.json"):
        nas.evaluate("folder")


@pytest.fixture
def rare(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(photographs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: str) -> int:
    return main(words.split())


def document(folder: str) -> dict[str, Any]:
    return dict(json.loads(Path(folder, "evaluation.json").read_text()))


def refused(words: str, capfd: pytest.CaptureFixture[str]) -> str:
    assert run(words) == 2
    captured = capfd.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert captured.out == ""
    return line


def test_a_trial_is_evaluated_on_validation_images(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate first --trial 1") == 0
    out = capfd.readouterr().out
    assert "288 validation images of digits" in out
    assert "suspected wrong labels: " in out
    folder = "runs/first/evaluate/0001"
    assert {file.name for file in Path(folder).iterdir()} == FILES
    found = document(folder)
    with Path(folder, "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 288
    wrong = [row for row in rows if row["label"] != row["prediction"]]
    assert found["figures"]["error"]["value"] == pytest.approx(len(wrong) / 288)
    error = nas.open_run("first").trials[1].values[0]
    assert found["figures"]["error"]["value"] == pytest.approx(error, abs=1e-6)
    assert found["temperature"]["images"] == 288
    assert len(found["mistakes"]) == len(wrong)
    sure = [one["probability"] for one in found["mistakes"]]
    assert sure == sorted(sure, reverse=True)
    assert {row["split"] for row in rows} == {"val"}


def test_json_is_what_is_written(in_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate first --trial 0 --split test --out here --json") == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed.pop("folder") == "here"
    assert printed.pop("page") == "here/index.html"
    assert printed == document("here")
    assert printed["figures"]["images"] == 359


def test_a_bundle_runs_in_its_own_runtime(in_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = nas.open_run("first")
    ours = first.evaluate(1)
    bundle = first.export(1, targets=["onnx"], images=100)
    assert bundle.manifest.temperature.images == 100
    theirs = nas.evaluate(bundle.path)
    assert theirs.path == bundle.path.with_name("0001-evaluate")
    assert theirs.figures.confusion == ours.figures.confusion
    assert theirs.document["temperature"]["value"] == bundle.manifest.temperature.value
    capfd.readouterr()
    line = refused(f"evaluate {bundle.path} --artifact ncnn", capfd)
    assert "ncnn" in line
    (bundle.path / "model.onnx").write_bytes(b"no network")
    assert "checksum differs" in refused(f"evaluate {bundle.path}", capfd)


def test_scores_of_a_bundle_are_those_at_its_temperature(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import subprocess
    import sys

    bundle = nas.open_run("first").export(1, images=100).path
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save("a.png")

    def score() -> float:
        command = [sys.executable, str(bundle / "predict.py"), "--json", "--top", "1", "a.png"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return float(json.loads(answer.stdout)["labels"][0]["score"])

    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    scores = []
    for value in (0.5, 1.0, 4.0):
        manifest["temperature"]["value"] = value
        path.write_text(json.dumps(manifest))
        scores.append(score())
    assert scores == sorted(scores, reverse=True)
    del manifest["temperature"], manifest["classes"]  # a bundle of version 0.1
    path.write_text(json.dumps(manifest))
    assert score() == scores[1]


def test_training_names_the_class_that_is_hardly_tested(
    rare: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "train rare --trial 0 --recipe tiny --epochs 1 --threads 1"
    assert run(words) == 0  # finished: it says again what it said
    out = capfd.readouterr().out
    assert "95 % interval" in out
    assert "mould: " in out
    assert "of 2 images right" in out
    assert {file.name for file in Path("runs/rare/train/0000/evaluation").iterdir()} == FILES
    found = document("runs/rare/train/0000/evaluation")
    assert found["temperature"]["images"] == 0
    assert "trained on the validation images too" in found["temperature"]["note"]
    assert run("export rare --trial 0") == 0
    card = Path("runs/rare/export/0000/MODEL_CARD.md").read_text()
    assert "| mould | 2 |" in card
    assert "95 % interval" in card


def test_a_check_of_photographs_takes_a_network(
    rare: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("photographs/val/mould/broken.png").write_bytes(b"no picture")  # does not stop it
    found = nas.check_data("photographs", network="rare")
    assert capfd.readouterr().err == ""  # what is to be known is in the result
    names = {one.path for one in found.of("suspected label")}
    assert names
    assert names <= {f"train/sound/wrong_{number}.png" for number in (500, 501)}
    assert [one.path for one in found.of("unreadable")] == ["val/mould/broken.png"]
    assert not any("--network" in one for one in found.commands)
    Path("photographs/train/other").mkdir()
    photograph(0, 600).save("photographs/train/other/a.png")
    line = refused("data check photographs --network rare", capfd)
    assert "other" in line
    capfd.readouterr()


def test_wrong_labels_and_copies_are_found(rare: Path) -> None:
    found = document("runs/rare/train/0000/evaluation")
    across = [one for one in found["duplicates"] if one["across_splits"]]
    assert [(one["kind"], sorted(one["splits"])) for one in across] == [
        ("exact", ["test", "train"])
    ]
    assert found["labels_judged"] == 108
    ranked = [one["name"] for one in found["suspects"] + found["least_sure"]]
    assert set(ranked[:2]) == {f"train/sound/wrong_{number}.png" for number in (500, 501)}
    assert 1 <= len(found["suspects"]) <= 2
    assert len(ranked) == len(set(ranked)) == 10
    assert found["suspects"][0]["label"] == "sound"
    assert found["suspects"][0]["likelier"] == "mould"


def test_an_exact_copy_with_another_label_is_suspected(rare: Path) -> None:
    """The network need not doubt it: one of the two labels is wrong."""
    shutil.copytree("photographs/train", "both")
    shutil.copy("both/mould/003.png", "both/sound/copy.png")
    nas.evaluate("runs/rare/train/0000/checkpoint.pt", data="imagefolder:both", out="found")
    found = document("found")
    page = Path("found/index.html").read_text()
    assert f"its copy {found['suspects'][0]['copy']} is" in page
    assert "bootstrap" not in page
    first = found["suspects"][0]
    assert {first["name"], first["copy"]} == {"mould/003.png", "sound/copy.png"}
    assert {first["label"], first["likelier"]} == {"mould", "sound"}
    names = [one["name"] for one in found["suspects"] + found["least_sure"]]
    assert len(names) == len(set(names))


def test_copies_matter_between_what_is_trained_on_and_what_is_not(
    rare: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A copy in training and validation images flatters a trial, and no full training."""
    from nas.data.splits_file import read_splits

    rows = read_splits(Path("runs/rare/splits.csv"))
    held = next(name for name, row in rows.items() if (row.label, row.split) == ("sound", "val"))
    shutil.copytree("photographs", "others")
    shutil.copy(Path("others", held.partition("/")[0], "sound", Path(held).name), "others/copy.png")
    names = {split: [n for n, r in rows.items() if r.split == split] for split in ("train", "val")}
    table = [("path", "label", "split")]
    table += [(name, rows[name].label, "train") for name in names["train"]]
    table += [(name, rows[name].label, "val") for name in names["val"]]
    table += [(name, row.label, "test") for name, row in rows.items() if row.split == "test"]
    table += [("copy.png", "sound", "train")]
    with Path("others/list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    Path("others/val/sound/023.png").unlink()  # the copy that is on both sides as it is
    table.remove(("val/sound/023.png", "sound", "test"))
    with Path("others/list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    words = (
        f"search --space quickstart --data others/list.csv --input-size {SIDE} --trials 1 --recipe tiny "
        "--epochs 1 --workers 1 --threads 1 --sampler tpe --name copies"
    )
    assert run(words) == 0
    assert run("train copies --trial 0 --recipe tiny --epochs 1 --threads 1") == 0
    capfd.readouterr()
    assert run("evaluate runs/copies/trials/0000/checkpoint.pt --out trial") == 0
    out = capfd.readouterr().out
    assert "images of others/list.csv\n" in out
    assert "duplicates: 1 group, 1 of them on several sides of the split; first " in out
    assert run("evaluate runs/copies/train/0000/checkpoint.pt --out full") == 0
    assert "duplicates: 1 group\n" in capfd.readouterr().out
    assert "on several sides" not in Path("full/index.html").read_text()
    (found,) = document("full")["duplicates"]
    assert not found["across_splits"]


def test_the_same_images_by_another_path_are_those_of_the_training(
    rare: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = "runs/rare/train/0000/checkpoint.pt"
    for data in ("photographs", "./photographs", str(Path("photographs").resolve())):
        assert run(f"evaluate {checkpoint} --data {data} --out o") == 0
        assert "26 test images of photographs\n" in capfd.readouterr().out
        assert document("o")["data"] == "photographs"
    assert run(f"export {checkpoint} --out bundle --images 5") == 0
    assert run("evaluate bundle --data photographs --out o") == 0
    assert document("o")["splits"] == ["test"]


def test_other_images_need_the_same_classes(rare: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    line = refused("evaluate rare --trial 0 --data digits", capfd)
    assert "classes that the network does not know" in line
    shutil.copytree("photographs", "others")
    assert run("evaluate rare --trial 0 --data imagefolder:others --out o") == 0
    capfd.readouterr()
    found = document("o")
    assert found["figures"]["images"] == 108  # all splits: the network has seen none of them
    assert found["trained_on"] == []
    for part in ("train", "val"):
        Path("others", part, "sound").rename(Path("others", part, "broken"))
    line = refused("evaluate rare --trial 0 --data imagefolder:others", capfd)
    assert "1 class that the network does not know (broken)" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate nowhere", "no such run"),
        ("evaluate none.pt", "none.pt: no such file"),
        ("evaluate first --trial 7", "no trained trial 7"),
        ("evaluate first --trial 0 --split best", "--split best: allowed: train, val, test, all"),
        ("evaluate first --trial 0 --artifact onnx", "is no bundle"),
        ("evaluate first --trial 0 --out first.txt", "first.txt"),
    ],
)
def test_bad_input_is_one_line(
    in_run: Path, words: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("first.txt").write_text("")
    assert said in refused(words, capfd)


@pytest.mark.skipif(BROWSER is None, reason=ABSENT)
def test_a_click_on_a_cell_shows_its_images(rare: Path, tmp_path: Path) -> None:
    page = Path("runs/rare/train/0000/evaluation/index.html").resolve()
    found = document(str(page.parent))
    table = found["figures"]["confusion"]
    label, named = next((a, b) for a in (0, 1) for b in (0, 1) if table[a][b])
    with Tab(tmp_path / "profile") as tab:
        tab.open(page.as_uri())
        assert tab.run(f"document.getElementById('cell-{label}-{named}').offsetHeight") == 0
        # Plotly's own event, as a click raises it: where the cell lies depends on the fonts.
        tab.run(
            "document.querySelector('#confusion .plot').emit('plotly_click', "
            f"{{points: [{{customdata: 'cell-{label}-{named}'}}]}})"
        )
        assert tab.run(f"document.getElementById('cell-{label}-{named}').offsetHeight") > 0
        assert tab.run(f"document.querySelectorAll('#cell-{label}-{named} img').length") > 0
        assert tab.errors == []
        assert not [one for one in tab.requests if not one.startswith(("file:", "data:"))]
