"""A run on photographs: its splits and classes stay what they are, whatever happens to the folder."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import nas
from blocks.errors import InvalidInput
from nas.api.default_names import run_name
from nas.api.options import search_config
from nas.api.training_images import OPTIONS, chosen_images
from nas.data import DataConfig, load_data
from nas.training import load_checkpoint
from tests.nas.data.photo_helpers import class_folders, picture

TINY: dict[str, Any] = {"recipe": "tiny", "epochs": 1, "threads": 1}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs and a run of one trial."""
    here = tmp_path_factory.mktemp("photographs")
    class_folders(here / "photos", 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        nas.search(
            "quickstart", data="photos", input_size=32, trials=1, name="a", progress=False, **TINY
        )
    return here


@pytest.fixture
def here(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which a test may change what it likes; times of files are kept."""
    shutil.copytree(begun, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.integration
def test_splits_and_classes_belong_to_the_run(here: Path) -> None:
    run = nas.open_run("a")
    with (run.path / "splits.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 24
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    info = load_checkpoint(run.checkpoint(0)).info
    assert info.class_names == ("ant", "bee")
    assert info.fingerprint is not None
    assert run.config.data.record == str(here / "runs" / "a" / "splits.csv")


@pytest.mark.integration
def test_photographs_that_are_added_are_no_part_of_the_run(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = (here / "runs/a/splits.csv").read_text()
    picture(777).save("photos/ant/000_new.png")
    run = nas.search(resume="a", trials=2, progress=False)
    assert "1 photograph is new since the run began and not used in it" in caplog.text
    assert (here / "runs/a/splits.csv").read_text() == before
    infos = [load_checkpoint(run.checkpoint(number)).info for number in (0, 1)]
    assert infos[0].fingerprint == infos[1].fingerprint
    done = run.train(0, recipe="tiny", epochs=1, threads=1)
    assert done.train_images + done.test_images == 24


@pytest.mark.integration
def test_a_renamed_class_is_refused_and_names_come_from_the_checkpoint(here: Path) -> None:
    run = nas.open_run("a")
    bundle = run.export(0, images=2)
    assert bundle.manifest.class_names == ("ant", "bee")
    Path("photos/ant").rename("photos/red ant")
    for attempt in (
        lambda: run.export(0, images=2),
        lambda: nas.search(resume="a", trials=2, progress=False),
        lambda: run.train(0, recipe="tiny", epochs=1),
    ):
        with pytest.raises(InvalidInput, match="before ant, bee; now bee, red ant") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    # Without its run a checkpoint still knows its classes.
    shutil.copy(run.checkpoint(0), "copy.pt")
    shutil.rmtree("runs")
    with pytest.raises(InvalidInput, match="before ant, bee; now bee, red ant"):
        nas.export("copy.pt", images=2)


@pytest.mark.integration
def test_a_checkpoint_of_an_earlier_version_is_exported(here: Path) -> None:
    path = nas.open_run("a").checkpoint(0)
    content = torch.load(path, weights_only=True)
    for name in ("class_names", "fingerprint"):
        del content["sknas"][name]
    torch.save(content, path)
    assert nas.export(path, images=2).manifest.class_names == ("ant", "bee")


@pytest.mark.integration
def test_a_network_alone_takes_its_size_and_keeps_its_splits(here: Path) -> None:
    shutil.copy("runs/a/trials/0000/arch.yaml", "my net (1).yaml")
    done = nas.train("my net (1).yaml", data=Path("photos"), **TINY)
    assert done.checkpoint.parts[1] == "my-net-1"
    splits = done.checkpoint.parent / "splits.csv"
    before = splits.read_text()
    picture(778).save("photos/bee/000_new.png")
    again = nas.train("my net (1).yaml", data="photos", recipe="tiny", epochs=1, threads=1)
    assert again == done
    assert splits.read_text() == before
    given = nas.train("my net (1).yaml", data="photos", splits=splits, name="b", **TINY)
    assert given.train_images + given.test_images == 25


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("imagefolder:photos", "quickstart-photos"),
        ("imagefolder:/home/me/My Photos (2)/", "quickstart-My-Photos-2"),
        ("../birds.tar.gz", "quickstart-birds"),
        ("C:\\photos\\list.csv", "quickstart-list"),
        (".", "quickstart-photos"),
        ("my.py:shapes", "quickstart-my.py-shapes"),
        ("x" * 300, "quickstart-" + "x" * 40),
    ],
)
def test_default_names_are_made_of_any_path(data: str, name: str) -> None:
    assert run_name("quickstart", data) == name
    assert search_config({"space": "quickstart", "data": data}).name == name


def test_paths_in_other_scripts_have_names_that_differ() -> None:
    first, second = (run_name("quickstart", f"/фото/{word}") for word in ("птицы", "звери"))
    assert first != second
    assert search_config({"space": "quickstart", "data": "фото/птицы"}).name == first


def test_options_of_photographs_reach_the_configuration() -> None:
    given = {"group_by": "film", "splits": "old.csv", "on_bad_image": "skip"}
    config = search_config({"space": "quickstart", "data": "imagefolder:photos", **given}).data
    assert (config.group_by, config.splits, config.on_bad_image) == ("film", "old.csv", "skip")
    with pytest.raises(InvalidInput, match=r"^on_bad_image: 'go'; allowed: stop, skip$"):
        search_config({"space": "quickstart", "data": "imagefolder:p", "on_bad_image": "go"})
    with pytest.raises(
        InvalidInput, match=r"group_by is 'x' for digits; it applies to photographs"
    ):
        load_data(DataConfig(name="digits", group_by="x"))


def test_the_images_of_a_run_are_not_split_otherwise() -> None:
    searched = DataConfig(name="imagefolder:photos", record="runs/a/splits.csv", input_size=32)
    none = dict.fromkeys(OPTIONS)
    assert chosen_images(none, searched) == searched
    with pytest.raises(InvalidInput, match=r"splits: the images of a run are split as"):
        chosen_images({**none, "splits": "other.csv"}, searched)
    other = chosen_images({**none, "data": "imagefolder:others", "group_by": "x"}, searched)
    assert (other.record, other.group_by, other.input_size) == (None, "x", 32)
