"""The recipe of a search or training that names none: by start and number of images."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nas
from blocks import ArchSpec, UnitSpec, build
from blocks.yaml_files import read_yaml
from nas.api.options import search_config
from nas.data import DataConfig, DataInfo, load_data
from nas.runs import RunFolder
from nas.searching import read_config
from nas.searching.acquisition import Acquisition
from nas.searching.defaults import with_chosen_recipe
from nas.training import RECIPES, read_info
from nas.training.default_recipe import (
    FEW_IMAGES,
    MANY_IMAGES,
    PRETRAINED,
    SMALL,
    default_recipe,
)

TABLE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "recipes.md"
MINIMAL = {"space": "quickstart", "data": "digits"}
SPEC = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
    stem_stride=2, unit=UnitSpec(kind="none"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def digits(**options: int) -> DataInfo:
    return load_data(DataConfig.model_validate({"name": "digits", **options})).info


@given(st.integers(2, 10**6), st.booleans(), st.booleans(), st.integers(2, 256))
def test_steps_are_enough_or_epochs_are_as_many_as_are_allowed(
    images: int, pretrained: bool, trial: bool, batch_size: int
) -> None:
    rows = PRETRAINED if pretrained else FEW_IMAGES if images < SMALL else MANY_IMAGES
    wanted, length = rows[0 if trial else 1]
    name, recipe = default_recipe(images, pretrained=pretrained, trial=trial, batch_size=batch_size)
    assert name == wanted
    steps = recipe.epochs * max(1, images // batch_size)
    assert recipe.epochs >= length.epochs
    assert steps >= length.steps or recipe.epochs == max(length.most, length.epochs)
    more = default_recipe(2 * images, pretrained=True, trial=trial)[1].epochs
    assert more <= default_recipe(images, pretrained=True, trial=trial)[1].epochs


def test_the_page_has_the_table() -> None:
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \| (.+?) \| (.+?) \|$", TABLE.read_text(), re.M)

    def words(epochs: int, steps: int, most: int) -> str:
        return f"{epochs}" if not steps else f"{epochs}, or {steps} steps; {most} at most"

    starts = ["pretrained weights", f"random weights, fewer than {SMALL:,} images"]
    lengths = [
        (start, name, words(*vars(trial).values()), words(*vars(full).values()))
        for start, ((name, trial), (_, full)) in zip(starts, (PRETRAINED, FEW_IMAGES), strict=True)
    ]
    assert set(lengths) <= set(rows)
    text = TABLE.read_text()
    (trial_name, trial), (full_name, full) = MANY_IMAGES
    assert f"`{trial_name}`: {trial.epochs}" in text
    assert f"`{full_name}`: {full.epochs}" in text


def test_a_search_chooses_when_it_knows_the_images() -> None:
    config = search_config(MINIMAL)
    assert config.recipe == RECIPES["proxy"]
    chosen = with_chosen_recipe(config, digits())
    assert chosen.recipe == RECIPES["tiny"]
    assert chosen.recipe_choice is not None
    assert chosen.recipe_choice.images == digits().train_images
    few = with_chosen_recipe(config, digits(limit=100))
    assert few.recipe.epochs == 40  # at most
    fine = with_chosen_recipe(search_config({**MINIMAL, "pretrained": "imagenet"}), digits())
    assert fine.recipe == RECIPES["fine_tune"].model_copy(update={"epochs": 4})


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"epochs": 2}, {"epochs": 2}),
        ({"batch_size": 8, "lr": 0.02}, {"batch_size": 8, "lr": 0.02, "epochs": 10}),
        ({"balance": "weights"}, {"balance": "weights", "epochs": 10}),
    ],
)
def test_what_is_given_is_kept(options: dict[str, object], fields: dict[str, object]) -> None:
    config = with_chosen_recipe(search_config({**MINIMAL, **options}), digits())
    assert config.recipe == RECIPES["tiny"].model_copy(update=fields)


@pytest.mark.parametrize(
    "options",
    [
        {"recipe": "proxy"},
        {"early_stopping": "pareto"},
        {"total_epochs": 5},
        {"inherit": 2},
        {"pretrained": "parent"},
    ],
)
def test_a_named_recipe_or_lengths_that_must_fit_leave_no_choice(
    options: dict[str, object],
) -> None:
    config = search_config({**MINIMAL, **options})
    assert config.recipe_choice is None
    assert with_chosen_recipe(config, digits()) == config


@pytest.mark.integration
def test_a_run_says_and_keeps_what_was_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    options = {**MINIMAL, "epochs": 1, "threads": 1, "limit": 128}
    run = nas.search(**options, trials=1, name="a")  # type: ignore[arg-type]
    said = "recipe tiny: the default for 128 images from random weights; 1 epoch as given"
    assert said in capfd.readouterr().out
    config = read_config(RunFolder.existing("a"))
    assert config.recipe == RECIPES["tiny"].model_copy(update={"epochs": 1})
    assert read_yaml(run.folder.config)["recipe_choice"] == {
        "name": "tiny", "given": ["epochs"], "images": 128,
    }  # fmt: skip
    assert config.acquisition == Acquisition(images=digits(limit=128).val_images)
    run = nas.search(resume=run, trials=2)
    resumed = read_config(run.folder)
    assert (resumed.recipe, resumed.acquisition) == (config.recipe, config.acquisition)
    # Its settings for another search: the recipe is that of the run, whatever the images.
    again = search_config({"config": run.folder.config, "name": "b"})
    assert (again.recipe, again.recipe_choice) == (config.recipe, None)


@pytest.mark.integration
def test_a_training_goes_on_with_the_recipe_that_it_began_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options: dict[str, object] = {"data": "digits", "name": "a", "threads": 1}
    with caplog.at_level(logging.INFO, "nas.recipe"):
        done = nas.train(SPEC, **options, epochs=1)  # type: ignore[arg-type]
        assert (
            "recipe tiny: the default for 1,438 images from random weights; 1 epoch as"
            in caplog.text
        )
        before = read_info(done.checkpoint)
        assert before.recipe == RECIPES["tiny"].model_copy(update={"epochs": 1})
        caplog.clear()
        assert nas.train(SPEC, **options, epochs=2).epochs == 2  # type: ignore[arg-type]
        assert nas.train(SPEC, **options).epochs == 2  # type: ignore[arg-type]
        assert caplog.text == ""


@pytest.mark.integration
def test_one_that_an_earlier_version_began_goes_on() -> None:
    options: dict[str, object] = {"data": "digits", "name": "a", "threads": 1}
    nas.train(SPEC, **options, recipe="full", epochs=1)  # type: ignore[arg-type]
    done = nas.train(SPEC, **options, epochs=1)  # type: ignore[arg-type]
    assert read_info(done.checkpoint).recipe.batch_size == RECIPES["full"].batch_size


@pytest.mark.integration
def test_from_pretrained_weights_it_is_fine_tuned() -> None:
    torch.save(build(SPEC).state_dict(), "w.pt")
    done = nas.train(
        SPEC, data="digits", name="a", threads=1, epochs=1, pretrained="w.pt", augment="trivial"
    )
    wanted = RECIPES["fine_tune"].model_copy(update={"epochs": 1, "augment": "trivial"})
    assert read_info(done.checkpoint).recipe == wanted
