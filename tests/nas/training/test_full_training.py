"""Full trainings: early stopping, the best epoch, more epochs later, a teacher, the progress bar."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

import nas
from blocks import ArchSpec, InvalidInput, UnitSpec
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.training import (
    RECIPES,
    EpochMetrics,
    Recipe,
    TestResult,
    TrainJob,
    load_checkpoint,
    read_info,
)
from nas.training.bar import TrainingBar
from nas.training.best_epoch import best_epoch, is_exhausted, keep_best
from nas.training.distillation import load_teacher
from nas.training.fit import fit

pytestmark = pytest.mark.integration

SPEC = ArchSpec(
    backbone="shufflenet_v2",
    width=0.5,
    num_classes=10,
    in_channels=1,
    input_size=16,
    stem_stride=2,
    unit=UnitSpec(kind="none"),
)
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02, weight_decay=5e-4, schedule="one_cycle")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def job(name: str = "a", **fields: object) -> TrainJob:
    defaults: dict[str, object] = {
        "spec": SPEC,
        "data": DataConfig(name="digits", limit=160),
        "recipe": RECIPE,
        "seed": 0,
        "folder": Path(name),
        "log_name": "test",
        "log_version": name,
        "threads": 1,
        "full": True,
    }
    return TrainJob.model_validate(defaults | fields)


def epochs(*errors: float | None) -> list[EpochMetrics]:
    return [
        EpochMetrics(epoch=number, train_loss=1, val_error=error, seconds=0)
        for number, error in enumerate(errors, 1)
    ]


def result(name: str = "a") -> TestResult:
    return TestResult.model_validate_json(TrialFolder(Path(name)).result.read_text())


def longer(count: int, **changes: object) -> Recipe:
    return RECIPE.model_copy(update={"epochs": count, **changes})


def test_the_best_epoch_is_the_first_of_the_least_error() -> None:
    assert best_epoch(epochs(0.5, 0.2, 0.3, 0.2)) == 2
    assert best_epoch(epochs(None, None)) is None
    assert best_epoch([]) is None


def test_patience_ends_after_so_many_epochs_without_an_improvement() -> None:
    assert not is_exhausted(epochs(0.5, 0.2, 0.3), 2)
    assert is_exhausted(epochs(0.5, 0.2, 0.3, 0.2), 2)
    assert not is_exhausted(epochs(0.5, 0.2, 0.3, 0.2), None)
    assert not is_exhausted([], 1)


def test_patience_holds_images_out_stops_early_and_tests_the_best_weights() -> None:
    # At this rate the first epoch is the best and the rest diverge or stand still.
    recipe = longer(12, lr=3.0, schedule="constant", label_smoothing=0.0)
    history = fit(job(recipe=recipe, patience=2, keep="best"))
    best = best_epoch(history)
    assert best is not None
    assert len(history) == best + 2 < 12
    got = result()
    assert got.kept_epoch == best
    assert got.epochs == len(history)
    assert got.train_images == 160  # without the validation images
    kept = read_info(TrialFolder(Path("a")).kept)
    assert len(kept.history) == best
    # Started again, nothing is trained or tested anew.
    before = Path("a/checkpoint.pt").stat().st_mtime_ns, Path("a/result.json").stat().st_mtime_ns
    assert len(fit(job(recipe=recipe, patience=2, keep="best"))) == len(history)
    assert before == (
        Path("a/checkpoint.pt").stat().st_mtime_ns,
        Path("a/result.json").stat().st_mtime_ns,
    )


def test_the_weights_that_are_tested_are_those_that_are_kept() -> None:
    fit(job(keep="best"))
    folder = TrialFolder(Path("a"))
    model = load_checkpoint(folder.kept).model
    wrong = total = 0
    with torch.inference_mode():
        for images, labels in load_data(job().data).test_batches(100, torch.device("cpu")):
            wrong += int((model(images).argmax(1) != labels).sum())
            total += len(labels)
    assert result().test_error == pytest.approx(wrong / total, abs=1e-6)


def test_a_best_checkpoint_that_a_kill_prevented_is_made_by_the_next_process() -> None:
    history = fit(job(keep="best", stop_epoch=1))
    folder = TrialFolder(Path("a"))
    assert best_epoch(history) == 1
    folder.best.unlink()
    fit(job(keep="best", stop_epoch=1))
    assert len(read_info(folder.best).history) == 1
    folder.best.unlink()
    keep_best(folder, epochs(0.1, 0.2))  # the last epoch is not the best
    assert not folder.best.exists()


def test_a_finished_training_takes_more_epochs_with_a_rate_that_falls_again() -> None:
    first = fit(job(name="a"))
    fit(job(name="a", recipe=longer(5)))
    folder = TrialFolder(Path("a"))
    info = read_info(folder.checkpoint)
    assert [one.epoch for one in info.history] == [1, 2, 3, 4, 5]
    assert info.history[:3] == first
    assert info.schedule_start == 3
    assert result().epochs == 5
    # Cut after the fourth epoch and continued, it ends with the same weights.
    fit(job(name="b"))
    fit(job(name="b", recipe=longer(5), stop_epoch=4))
    fit(job(name="b", recipe=longer(5)))
    one, other = (load_checkpoint(Path(n) / "checkpoint.pt").model.state_dict() for n in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_more_epochs_are_refused_before_the_first_ones_are_done() -> None:
    fit(job(stop_epoch=1))
    with pytest.raises(InvalidInput, match="has done 1 of 3 epochs"):
        fit(job(recipe=longer(5)))
    fit(job(recipe=longer(3)))
    with pytest.raises(InvalidInput, match="other recipe"):
        fit(job(recipe=longer(5, lr=0.01)))


def test_a_training_of_before_goes_on_by_the_recipe_of_its_name() -> None:
    begun = RECIPES["tiny"].model_dump(exclude={"norm_momentum"}) | {"epochs": 2}
    fit(job(recipe=begun, stop_epoch=1))
    path = TrialFolder(Path("a")).checkpoint
    content = torch.load(path, weights_only=True)
    del content["sknas"]["recipe"]["norm_momentum"]  # as version 0.1 wrote it
    torch.save(content, path)
    now = RECIPES["tiny"].model_copy(update={"epochs": 2})
    assert now.norm_momentum is not None
    assert len(fit(job(recipe=now))) == 2
    assert read_info(path).recipe == now


def test_a_teacher_is_learned_from_and_must_know_the_same_classes() -> None:
    teacher = fit(job(name="teacher", recipe=longer(4)))
    assert teacher
    path = "teacher/checkpoint.pt"
    fit(job(name="a", recipe=longer(1)))
    fit(job(name="b", recipe=longer(1), teacher=path))
    info = read_info(Path("b/checkpoint.pt"))
    assert info.teacher is not None
    one, other = (load_checkpoint(Path(n) / "checkpoint.pt").model.state_dict() for n in "ab")
    assert not torch.equal(one["fc.weight"], other["fc.weight"])
    assert one.keys() == other.keys()  # the teacher is no part of the checkpoint
    five, images = SPEC.model_copy(update={"num_classes": 5}), load_data(job().data).info
    with pytest.raises(InvalidInput, match="num_classes 10; the network has 5"):
        load_teacher(path, five, images)
    names = (*images.class_names[:9], "other")
    with pytest.raises(InvalidInput, match="other classes: '9' where digits has 'other'"):
        load_teacher(path, SPEC, replace(images, class_names=names))
    with pytest.raises(InvalidInput, match="no such file"):
        fit(job(name="c", teacher="none.pt"))


def test_the_bar_shows_loss_rate_and_speed() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    fit(job(recipe=longer(2), keep="best"), bar=TrainingBar(console))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1/2" in shown
    assert "loss" in shown
    assert "images/s" in shown


def test_the_api_takes_patience_and_gives_the_kept_checkpoint() -> None:
    done = nas.train(
        SPEC, data="digits", recipe="tiny", epochs=2, patience=1, name="early", threads=1
    )
    assert done.checkpoint.name == "best.pt"
    assert done.kept_epoch in (1, 2)
    assert json.loads(Path("runs/early/train").glob("*/result.json").__next__().read_text())
    with pytest.raises(InvalidInput, match="patience"):
        nas.train(SPEC, data="digits", patience=0)
    with pytest.raises(InvalidInput, match="keep"):
        nas.train(SPEC, data="digits", keep="first")  # type: ignore[arg-type]
