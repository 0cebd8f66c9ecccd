"""Estimates the cost of a search of ten trials on this machine."""

from __future__ import annotations

import random

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.cost import count
from nas.data import load_data
from nas.doctor.course import Course, Pace, Paces
from nas.doctor.probing import ProbeFailed, probe
from nas.searching import SearchConfig
from nas.searching.defaults import with_chosen_recipe
from nas.searching.run import bound_space

TRIALS = 10
SAMPLED = 64
SECONDS = 5.0
"""Seconds of steps for each of the three networks."""
TIMEOUT = 180.0
"""Time limit of the whole process, also on a slow machine."""
LEAST, MOST = 0.9, 1.3
"""Margin on the times of the quartiles: the overhead of a search, and a busier machine."""


class Estimate(BaseModel):
    """Minutes of a search.

    Attributes:
        space: Name of the space.
        data: Name of the data set.
        recipe_epochs: Epochs per trial.
        batch_size: Images per step.
        workers: Number of parallel trainings.
        problem: The reason why there is no estimate; None: there is one.
        minutes: The estimate if all networks take as long as the network of median cost.
        least: The estimate for the lower quartile of the cost, less a margin.
        most: The estimate for the upper quartile of the cost, plus a margin.
        step_seconds: Seconds per step of the network of median cost.
        device: The device of the trainings.
        how: A sentence about the method.
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
    """Three networks of a space: at the lower quartile, the median and the upper quartile of cost."""

    model_config = ConfigDict(frozen=True)

    specs: tuple[ArchSpec, ArchSpec, ArchSpec]


def middle_networks(config: SearchConfig) -> Middle:
    """The networks at the quartiles of the multiply-adds of a sample.

    Raises:
        InvalidInput: The images are missing, or the space does not fit them.
    """
    space, rng = bound_space(config), random.Random(0)
    sampled = {spec.key: spec for spec in (space.sample(rng) for _ in range(SAMPLED))}
    by_cost = sorted(sampled.values(), key=lambda spec: count(spec).mflops)
    first, middle, last = (by_cost[(len(by_cost) - 1) * part // 4] for part in (1, 2, 3))
    return Middle(specs=(first, middle, last))


def estimate(config: SearchConfig, networks: Middle, cores: int, starting: float) -> Estimate:
    """Train the three networks for a few steps, and extrapolate to a search.

    Args:
        config: The search.
        networks: The networks of its space.
        cores: Number of cores that its trainings share.
        starting: Seconds in which a process imports its modules.
    """
    config = with_chosen_recipe(config, load_data(config.data).info)
    threads = config.execution.threads or max(1, cores // config.execution.workers)
    course = Course(
        specs=networks.specs, data=config.data, recipe=config.recipe, threads=threads,
        seconds=SECONDS,
    )  # fmt: skip
    estimate = Estimate(
        space=config.space.name,
        data=config.data.name,
        recipe_epochs=config.epochs,
        batch_size=config.recipe.batch_size,
        workers=config.execution.workers,
    )
    try:
        found = probe("training", course.model_dump(mode="json"), TIMEOUT, threads)
    except ProbeFailed as failure:
        return estimate.model_copy(update={"problem": str(failure)})
    paces = Paces.model_validate(found)
    least, minutes, most = (
        _minutes(pace, paces.loading, config, starting) for pace in paces.networks
    )
    middle = paces.networks[1]
    return estimate.model_copy(
        update={
            "minutes": minutes,
            # More multiply-adds do not always take more time.
            "least": LEAST * min(least, minutes, most),
            "most": MOST * max(least, minutes, most),
            "step_seconds": middle.step,
            "device": paces.device,
            "how": (
                f"{sum(pace.steps for pace in paces.networks)} real steps of three networks, at the "
                f"quartiles of the space's multiply-adds, on {paces.device}; an epoch has "
                f"{middle.steps_per_epoch} steps and the validation"
            ),
        }
    )


def _minutes(pace: Pace, loading: float, config: SearchConfig, starting: float) -> float:
    trainings = TRIALS / min(config.execution.workers, TRIALS)
    # The fork server imports the modules of this process once.
    return (starting + trainings * (loading + pace.training(config.epochs))) / 60
