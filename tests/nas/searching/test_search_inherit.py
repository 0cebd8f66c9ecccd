"""What a search makes of a network that inherits: its parent, its recipe, how it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blocks import ArchSpec, UnitSpec
from blocks.backbones import Geometry
from nas.runs import RunFolder, TrialFolder
from nas.searching import SearchConfig
from nas.searching.inherit import inherited_recipe, inherited_start, started
from nas.training import RECIPES, TrainJob, read_metrics
from nas.training.fit import fit
from nas.training.pretrained import plain_network
from tests.nas.searching.search_helpers import digits_space, make_config

pytestmark = pytest.mark.integration

SPEC = ArchSpec(
    backbone="shufflenet_v2",
    width=0.25,
    num_classes=10,
    in_channels=1,
    input_size=16,
    unit=UnitSpec(dilations=(1, 2), branch_act=False),
)
RUN = RunFolder(Path("runs/test"))


def config_of(inherit: int | None) -> SearchConfig:
    recipe = RECIPES["rungs"].model_copy(update={"epochs": 2})
    return make_config(recipe=recipe, inherit=inherit, data={"name": "digits", "limit": 320})


def trial_job(spec: ArchSpec, config: SearchConfig, number: int = 0) -> TrainJob:
    return TrainJob(
        spec=spec,
        data=config.data,
        recipe=config.recipe,
        stop_epoch=1,
        seed=0,
        folder=RUN.trial(number).path,
        log_name=config.name,
        log_version=f"trial_{number:04d}",
        threads=1,
    )


def parent_of(spec: ArchSpec, config: SearchConfig) -> TrainJob:
    parent = started(trial_job(spec, config), config, RUN).parent
    assert parent is not None
    return parent


def test_without_inheritance_a_job_stays_as_it_is() -> None:
    config = config_of(None)
    job = trial_job(SPEC, config)
    assert started(job, config, RUN) == job


def test_a_job_trains_a_few_epochs_from_a_parent_that_trains_the_whole_recipe() -> None:
    config = config_of(3)
    job = started(trial_job(SPEC, config), config, RUN)
    assert (job.recipe.epochs, job.stop_epoch, job.start) == (3, 1, "plain")
    parent = parent_of(SPEC, config)
    assert (parent.spec, parent.recipe, parent.data) == (
        plain_network(SPEC),
        config.recipe,
        config.data,
    )
    assert parent.folder == RUN.path / "parents" / plain_network(SPEC).key
    assert parent.seed != job.seed
    assert job.weights == TrialFolder(parent.folder).checkpoint
    # The process that trains reads it from a file.
    assert TrainJob.model_validate_json(job.model_dump_json()) == job


def test_each_geometry_has_one_parent() -> None:
    config = config_of(3)
    geometries: dict[Path, set[Geometry]] = {}
    for spec in digits_space("quickstart").enumerate():
        geometries.setdefault(parent_of(spec, config).folder, set()).add(spec.geometry)
    assert len(geometries) == 2  # the strides of the stem
    assert all(len(one) == 1 for one in geometries.values())


def test_the_seed_of_the_search_is_in_that_of_the_parent() -> None:
    seeds = {
        parent_of(SPEC, config_of(3).model_copy(update={"seed": seed})).seed for seed in range(3)
    }
    assert len(seeds) == 3


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_short_recipe_is_the_same_but_for_its_length(name: str) -> None:
    short = inherited_recipe(RECIPES[name], 2)
    assert (short.epochs, short.warmup_epochs) == (2, 0)
    whole = RECIPES[name].model_dump(exclude={"epochs", "warmup_epochs"})
    assert short.model_dump(exclude={"epochs", "warmup_epochs"}) == whole


@pytest.mark.parametrize(
    ("unit", "start"),
    [
        (UnitSpec(dilations=(1, 2), branch_act=False), "plain"),
        (UnitSpec(kind="se"), "plain"),
        (UnitSpec(kind="none"), "plain"),
        (UnitSpec(dilations=(1, 2), branch_act=True), "fresh"),
        (UnitSpec(dilations=(2, 3), branch_act=False), "fresh"),
        (UnitSpec(kind="se", placement="pre"), "fresh"),
    ],
)
def test_a_network_starts_plain_where_it_can(unit: UnitSpec, start: str) -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert inherited_start(SPEC.model_copy(update={"unit": unit})) == start
    assert torch.equal(torch.get_rng_state(), state), "it drew from the generator"


@pytest.mark.parametrize("branch_act", [False, True])
def test_what_it_makes_can_be_trained(
    branch_act: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_of(2)
    spec = SPEC.model_copy(update={"unit": UnitSpec(dilations=(1, 2), branch_act=branch_act)})
    job = started(trial_job(spec, config), config, RUN)
    assert len(fit(job)) == 1
    assert len(fit(job.model_copy(update={"stop_epoch": 2}))) == 2
    assert len(read_metrics(RUN.parent(plain_network(spec).key))) == 2
