"""Where the networks of a search start: from published weights, or from the plain network, trained."""

from __future__ import annotations

from typing import Literal

import torch

from blocks import ArchSpec, build
from blocks.errors import InvalidInput
from nas.runs import RunFolder
from nas.searching.config import SearchConfig
from nas.searching.input_size import data_for
from nas.searching.samplers import derive_seed
from nas.training import PretrainedStart, Recipe, TrainJob
from nas.training.pretrained import plain_network


def started(job: TrainJob, config: SearchConfig, run: RunFolder) -> TrainJob:
    """``job`` with the start of the search: pretrained or inherited weights, or none.

    The process that trains a network with an inherited start trains the plain network first, unless it
    is trained.
    """
    if config.pretrained is not None:
        return pretrained_job(job, config.pretrained)
    if config.inherit is None:
        return job
    return job.model_copy(
        update={
            "recipe": inherited_recipe(job.recipe, config.inherit),
            "parent": parent_job(job.spec, config, run),
            "start": inherited_start(job.spec),
        }
    )


def pretrained_job(job: TrainJob, start: PretrainedStart) -> TrainJob:
    """``job`` with the weights that ``start`` has for its network; without, from scratch."""
    found = start.weights_of(job.spec)
    if found is None:
        if start.missing == "refuse":
            raise InvalidInput(
                f"pretrained: {job.spec.backbone} at width {job.spec.width:g}: no weights were looked "
                "for when the search began; allowed: a space with few widths"
            )
        return job
    return job.model_copy(
        update={
            "pretrained": found.file,
            "origin": found.origin,
            "start": inherited_start(job.spec),
        }
    )


def parent_job(spec: ArchSpec, config: SearchConfig, run: RunFolder) -> TrainJob:
    """The training that ``spec`` inherits from, one for each geometry of a search."""
    plain = plain_network(spec)
    return TrainJob(
        spec=plain,
        data=data_for(spec, config),
        recipe=config.recipe,
        # Not the seed of the networks, who would see again what their parent saw.
        seed=derive_seed(config.seed_of_trainings, "parent"),
        folder=run.parent(plain.key).path,
        log_name=config.name,
        log_version=f"parent_{plain.key}",
    )


def inherited_recipe(recipe: Recipe, epochs: int) -> Recipe:
    """``recipe`` for the epochs after an inherited start.

    A constant schedule continues; any other is run through anew, as a short one. Neither warms up, which
    is for random weights and might take all of the few epochs.
    """
    return recipe.model_copy(update={"epochs": epochs, "warmup_epochs": 0})


def inherited_start(spec: ArchSpec) -> Literal["plain", "fresh"]:
    """How a network starts from its parent: see ``blocks.build``.

    "plain" wherever that is possible: it computes what the parent computes. Where a unit cannot, as one
    with a ReLU inside its branches, "fresh": the branches take the parent's kernels, and the rest of the
    network its weights, but the network has to learn anew what the ReLU has changed.
    """
    # The search draws nothing from torch's generator, and asking must not change that.
    with torch.random.fork_rng(devices=[]):
        try:
            build(spec, start="plain")
        except InvalidInput:
            return "fresh"
    return "plain"
