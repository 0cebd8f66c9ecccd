"""What a search of ten trials would cost here."""

from __future__ import annotations

import random

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.cost import count
from nas.doctor.course import Course, Pace, Paces
from nas.doctor.probing import ProbeFailed, probe
from nas.search import SearchConfig
from nas.search.run import bound_space

TRIALS = 10
SAMPLED = 64
SECONDS = 5.0
"""Of steps, for each of the three networks."""
TIMEOUT = 180.0
"""Of the whole process, on a machine where everything is slow."""
LEAST, MOST = 0.9, 1.3
"""Of the quarter's times: what is around a search, and a machine that is not as idle as it was."""


class Estimate(BaseModel):
    """Minutes of a search.

    Attributes:
        space: Its name.
        data: The images' name.
        recipe_epochs: Epochs of a trial.
        batch_size: Images a step.
        workers: Trainings at a time.
        problem: Why there is no estimate; None: there is one.
        minutes: If all networks took as long as that of middle cost.
        least: If all were as quick as that of the cheapest quarter, and a little less.
        most: If all were as slow as that of the dearest quarter, and a little more.
        step_seconds: Of the network of middle cost.
        device: What it was trained on.
        how: How it was estimated, in a sentence.
    """

    model_config = ConfigDict(frozen=True)

    space: str
    data: str
    recipe_epochs: int
    batch_size: int
    workers: int
    problem: str | None = None
    minutes: float | None = None
    least: float | None = None
    most: float | None = None
    step_seconds: float | None = None
    device: str | None = None
    how: str | None = None


class Middle(BaseModel):
    """Three networks of a space: of the cheapest quarter's end, the middle, the dearest's beginning."""

    model_config = ConfigDict(frozen=True)

    specs: tuple[ArchSpec, ArchSpec, ArchSpec]


def middle_networks(config: SearchConfig) -> Middle:
    """By multiply-adds, of a sample.

    Raises:
        InvalidInput: The images are missing, or the space does not fit them.
    """
    space, rng = bound_space(config), random.Random(0)
    sampled = {spec.key: spec for spec in (space.sample(rng) for _ in range(SAMPLED))}
    by_cost = sorted(sampled.values(), key=lambda spec: count(spec).mflops)
    first, middle, last = (by_cost[(len(by_cost) - 1) * part // 4] for part in (1, 2, 3))
    return Middle(specs=(first, middle, last))


def estimate(config: SearchConfig, networks: Middle, cores: int, starting: float) -> Estimate:
    """Train the three networks for a few steps, and multiply.

    Args:
        config: Of the search.
        networks: Of its space.
        cores: That its trainings would share.
        starting: Seconds that a process takes to import what it needs.
    """
    threads = config.threads or max(1, cores // config.workers)
    course = Course(
        specs=networks.specs, data=config.data, recipe=config.recipe, threads=threads,
        seconds=SECONDS,
    )  # fmt: skip
    told = Estimate(
        space=config.space.name,
        data=config.data.name,
        recipe_epochs=config.epochs,
        batch_size=config.recipe.batch_size,
        workers=config.workers,
    )
    try:
        found = probe("training", course.model_dump(mode="json"), TIMEOUT, threads)
    except ProbeFailed as failure:
        return told.model_copy(update={"problem": str(failure)})
    paces = Paces.model_validate(found)
    least, minutes, most = (
        _minutes(pace, paces.loading, config, starting) for pace in paces.networks
    )
    middle = paces.networks[1]
    return told.model_copy(
        update={
            "minutes": minutes,
            # Time does not always go by multiply-adds.
            "least": LEAST * min(least, minutes, most),
            "most": MOST * max(least, minutes, most),
            "step_seconds": middle.step,
            "device": paces.device,
            "how": (
                f"{sum(pace.steps for pace in paces.networks)} real steps of three networks, at the "
                f"quarters of the space's multiply-adds, on {paces.device}; an epoch has "
                f"{middle.steps_per_epoch} steps and the validation"
            ),
        }
    )


def _minutes(pace: Pace, loading: float, config: SearchConfig, starting: float) -> float:
    trainings = TRIALS / min(config.workers, TRIALS)
    # The trainings' server imports once what this process has imported.
    return (starting + trainings * (loading + pace.training(config.epochs))) / 60
