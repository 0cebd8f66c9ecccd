"""Checks of a search's configuration that concern more than one field."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from nas.cost import LATENCY, NPU, ONLY_WITH_NPU
from nas.naming import option
from nas.plugins import Reference, is_reference
from nas.runs import ERROR
from nas.searching.early_stopping.snapshot import ETA
from nas.searching.samplers import TAKE_PAUSED

if TYPE_CHECKING:
    from nas.searching.config import SearchConfig


def check_config(config: SearchConfig) -> None:
    """Check fields against each other.

    Raises:
        InvalidInput: Two of them do not go together.
    """
    _check_checkpoints(config)
    _check_early_stopping(config)
    _check_total_epochs(config)
    _check_objectives(config)


def check_cluster_options(config: SearchConfig, given: Collection[str]) -> None:
    """Refuse options that only a cluster answers to.

    A search that was on a cluster and continues without one keeps the fields, so they are no mistake
    there.

    Args:
        config: What the options made.
        given: Names of the fields that were asked for.

    Raises:
        InvalidInput: One of them has no effect.
    """
    for field in ("ray_address", "gpus"):
        if field in given and config.execution.executor != "ray":
            raise InvalidInput(f"{option(field)}: only with {option('executor', 'ray')}")


def _check_checkpoints(config: SearchConfig) -> None:
    if config.execution.checkpoints is None:
        return
    if config.inherit is not None:
        raise InvalidInput(
            "checkpoints: networks that inherit read their parents in the folder of the run, which "
            "all machines must see; allowed: one of checkpoints and inherit"
        )
    if config.pretrained is not None:
        raise InvalidInput(
            "checkpoints: the file of pretrained weights is on this machine; allowed: one of "
            "checkpoints and pretrained"
        )
    if not _is_portable(config.data.name):
        raise InvalidInput(
            f"data.name: {config.data.name}: other machines start in other folders; with checkpoints "
            f"allowed: an absolute path"
        )


def _is_portable(data: str) -> bool:
    """Whether a name of data means the same in every folder."""
    kind, colon, folder = data.partition(":")
    if kind != "imagefolder" and is_reference(data):
        return Reference.parse(data, "data").is_portable
    return not colon or Path(folder).is_absolute()


def _check_early_stopping(config: SearchConfig) -> None:
    if config.early_stopping == "none":
        return
    if config.sampler not in TAKE_PAUSED:
        raise InvalidInput(
            f"sampler {config.sampler!r} cannot learn from trainings that pause; with early_stopping "
            f"allowed: {', '.join(TAKE_PAUSED)}"
        )
    if len(config.rungs) < 2:
        raise InvalidInput(
            f"early_stopping: a training as short as {config.epochs} has nowhere to pause; "
            f"allowed: {ETA} epochs or more"
        )


def _check_total_epochs(config: SearchConfig) -> None:
    least = config.rungs[0] + (config.recipe.epochs if config.inherit is not None else 0)
    if config.total_epochs is not None and config.total_epochs < least:
        raise InvalidInput(
            f"total_epochs: {config.total_epochs} are not enough for the first network, which takes "
            f"{least}; allowed: {least} or more"
        )


def _check_objectives(config: SearchConfig) -> None:
    config.budgets.check_known(config.costs)
    allowed = tuple(dict.fromkeys((ERROR, *config.costs, LATENCY, NPU)))
    for objective in config.objectives:
        if objective == LATENCY and config.device is None:
            raise InvalidInput(
                f"objectives: {LATENCY}: only with {option('device')}, see nas latency"
            )
        if objective == NPU and NPU not in config.costs:
            raise InvalidInput(f"objectives: {NPU}: {ONLY_WITH_NPU}")
        if objective not in allowed:
            raise InvalidInput(
                f"objectives: unknown objective {objective!r}; allowed: {', '.join(allowed)}, and those "
                "of your own by import path"
            )
    if len(set(config.objectives)) != len(config.objectives):
        raise InvalidInput("objectives: the same one twice")
    if ERROR not in config.objectives:
        raise InvalidInput(f"objectives: {ERROR!r} is missing; without it nothing is trained for")
