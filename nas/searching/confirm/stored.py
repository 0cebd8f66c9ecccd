"""What ``nas confirm`` keeps in a run: which trials it trains again, and what came of it.

Light commands read it: nothing here needs numpy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator

from blocks.checked_model import CheckedModel, Integer, reason_of_invalid
from blocks.errors import InvalidInput
from nas.runs import ERROR, RunFolder, TrialFolder, TrialRecord, TrialState, write_text
from nas.searching.config import SearchConfig
from nas.training import Recipe, read_metrics


class Repeat(CheckedModel):
    """A training of a trial with another seed.

    Attributes:
        trial: Number of the trial.
        repeat: Counted from 1; decides the seed, with the trial and the seed of the run.
        failure: Why it failed; None: it did not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: Annotated[Integer, Field(ge=0)]
    repeat: Annotated[Integer, Field(ge=1)]
    failure: str | None = None


class Plan(CheckedModel):
    """The content of confirm.json.

    Attributes:
        format: Version of this layout.
        recipe_name: Name of the recipe if it is not the search's; None: it is the search's, whose
            trainings count as well.
        recipe: That recipe; None: the search's.
        images: Digest of the validation images; None: not known.
        repeats: All trainings so far, in the order in which they were chosen. Those that have not ended
            are trained when the command is given again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    recipe_name: str | None = None
    recipe: Recipe | None = None
    images: str | None = None
    repeats: tuple[Repeat, ...] = ()

    @field_validator("repeats")
    @classmethod
    def _each_once(cls, repeats: tuple[Repeat, ...]) -> tuple[Repeat, ...]:
        seen = set()
        for one in repeats:
            if (one.trial, one.repeat) in seen:
                raise ValueError(f"trial {one.trial}, repeat {one.repeat} comes twice")
            seen.add((one.trial, one.repeat))
        return repeats

    def epochs(self, config: SearchConfig) -> int:
        """Epochs of one training."""
        return config.epochs if self.recipe is None else self.recipe.epochs


WHOLE = 0.05
"""A number of mistakes is whole within so much: it is made of rounded errors."""


@dataclass(frozen=True)
class Ended:
    """A training that has come to its end.

    Attributes:
        repeat: 0: the training of the search; else see `Repeat`.
        error: Its validation error.
    """

    repeat: int
    error: float


def read_plan(run: RunFolder) -> Plan | None:
    """The plan of a run; None: it was never confirmed.

    Raises:
        InvalidInput: The file is damaged.
    """
    try:
        text = run.confirmation.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        raise InvalidInput(f"{run.confirmation}: not a text file in a folder") from None
    try:
        plan = Plan.model_validate_json(text)
        if "format" not in plan.model_fields_set:
            raise InvalidInput(f"{run.confirmation}: format: missing; it is always written")
        return plan
    except ValidationError as error:
        raise InvalidInput(reason_of_invalid(error, Plan, str(run.confirmation))) from None


def write_plan(run: RunFolder, plan: Plan) -> None:
    """Store the plan of a run."""
    write_text(run.confirmation, plan.model_dump_json(indent=2, exclude_none=True) + "\n")


def trained(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that a front may hold."""
    return [
        one
        for one in records
        if one.state is TrialState.TRAINED and all(math.isfinite(value) for value in one.values)
    ]


def stored_costs(config: SearchConfig, one: TrialRecord) -> tuple[float, ...]:
    """The costs among the objectives of a trained trial, as they are stored: counting needs torch."""
    figures = zip(config.objectives, one.values, strict=True)
    return tuple(value for name, value in figures if name != ERROR)


def ended_trainings(
    run: RunFolder, plan: Plan, config: SearchConfig, records: Sequence[TrialRecord]
) -> dict[int, list[Ended]]:
    """Trial -> its trainings by the recipe of the plan; trials without any are left out.

    Raises:
        InvalidInput: The plan names a trial that the search has not trained, or a training has stored an
            error that there cannot be.
    """
    column = config.objectives.index(ERROR)
    found: dict[int, list[Ended]] = {one.number: [] for one in trained(records)}
    if plan.recipe is None:
        for one in trained(records):
            found[one.number].append(Ended(0, one.values[column]))
    for planned in plan.repeats:
        if planned.trial not in found:
            raise InvalidInput(
                f"{run.confirmation}: trial {planned.trial} is no trained trial of the run"
            )
    for repeat, error in _ended(run, plan, config):
        found[repeat.trial].append(Ended(repeat.repeat, error))
    return {number: trainings for number, trainings in found.items() if trainings}


def open_repeats(run: RunFolder, plan: Plan, config: SearchConfig) -> list[Repeat]:
    """Trainings of a plan that have neither ended nor failed, in its order."""
    over = {(one.trial, one.repeat) for one, _ in _ended(run, plan, config)}
    return [
        one for one in plan.repeats if one.failure is None and (one.trial, one.repeat) not in over
    ]


def confirmed_records(
    run: RunFolder, config: SearchConfig, records: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """The trials with their mean errors over all trainings with the recipe of the plan.

    After a confirmation by another recipe than the search's, networks that it has not trained are left
    out: their errors are of another kind. Without a confirmation the trials are as they are.
    """
    plan = read_plan(run)
    if plan is None:
        return list(records)
    ended = ended_trainings(run, plan, config, records)
    if plan.recipe is not None and not ended:
        return list(records)
    column = config.objectives.index(ERROR)
    images = validation_images(run, ended) if config.recipe.metric == "error" else None
    found = []
    for one in records:
        if one.number in ended:
            values = list(one.values)
            errors = [each.error for each in ended[one.number]]
            values[column] = mean_error(errors, images)
            found.append(replace(one, values=tuple(values)))
        elif plan.recipe is None or one.state is not TrialState.TRAINED:
            found.append(one)
    return found


def folder_of(run: RunFolder, number: int, repeat: int) -> TrialFolder:
    """The folder of a training; repeat 0 is that of the search."""
    return run.trial(number) if repeat == 0 else run.repeat(number, repeat)


def validation_images(run: RunFolder, ended: Mapping[int, list[Ended]]) -> int | None:
    """The number of validation images, as the trainings say."""
    for number, trainings in ended.items():
        for one in trainings:
            epochs = read_metrics(folder_of(run, number, one.repeat))
            if epochs and epochs[-1].val_images:
                return epochs[-1].val_images
    return None


def mean_error(errors: Sequence[float], images: int | None) -> float:
    """The mean of stored errors.

    They are rounded. As many mistakes must be the same error, or the costlier of two networks is on the
    front by the last digit: where errors are shares of ``images``, mistakes are added.
    """
    total = math.fsum(errors)
    mistakes = round(total * images) if images else 0
    if images and abs(total * images - mistakes) < WHOLE:
        return mistakes / (images * len(errors))
    return total / len(errors)


def _ended(run: RunFolder, plan: Plan, config: SearchConfig) -> Iterator[tuple[Repeat, float]]:
    last = plan.epochs(config)
    for one in plan.repeats:
        folder = run.repeat(one.trial, one.repeat)
        epochs = read_metrics(folder)
        error = epochs[-1].val_error if epochs and epochs[-1].epoch == last else None
        if one.failure is None and error is not None and math.isfinite(error):
            if not 0 <= error <= config.recipe.worst:
                raise InvalidInput(
                    f"{folder.metrics}: val_error is {error:g}; allowed: 0 to {config.recipe.worst:g}; "
                    f"delete {folder.path} to have it trained again"
                )
            yield one, error
