"""Which network of a run is meant: a trial, the knee, or the best within a budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from blocks.errors import InvalidInput
from nas.naming import limit_option, option, run_call, trial_call
from nas.runs.folder import NAME, RunFolder

if TYPE_CHECKING:
    from nas.cost import Budgets
    from nas.front import Front, FrontPoint
    from nas.searching import SearchConfig

MODELS = (".yaml", ".yml", ".pt", ".ckpt")
"""Endings of files that name a network."""
KNEE, EXPECTED, NOT_WORSE = "knee", "expected", "not-worse"
PICKS = (KNEE, EXPECTED, NOT_WORSE)
"""Ways to pick a network that have a name."""


@dataclass(frozen=True)
class Choice:
    """The network that is asked for.

    Attributes:
        point: It; a network of least expected error may be behind the front.
        why: What is known of it, in a sentence; None: the front says it all.
    """

    point: FrontPoint
    why: str | None = None


def choose(run: RunFolder, front: Front, pick: str | None, budgets: Budgets) -> Choice:
    """The network of ``run`` that is asked for: within budgets, or by name.

    Args:
        run: The run.
        front: Its front.
        pick: ``knee``; or ``expected`` or ``not-worse``, which budgets may go with.
        budgets: Alone, the point of least error within them is taken.

    Raises:
        InvalidInput: The knee and budgets are asked for, or the name is unknown.
    """
    from nas.front import pick_knee, pick_within

    if pick == NOT_WORSE:
        return _not_worse(run, front, budgets)
    if pick == EXPECTED:
        return _expected(run, front, budgets)
    if pick not in (None, KNEE):
        raise InvalidInput(f"{option('how', pick)}: allowed: {', '.join(PICKS)}")
    if budgets.is_empty:
        return Choice(pick_knee(front))
    if pick is not None:
        raise InvalidInput(f"give either {option('how')} or a budget, not both")
    return Choice(pick_within(front, budgets, _bounded(run, budgets).costs))


def _expected(run: RunFolder, front: Front, budgets: Budgets) -> Choice:
    """The trained network of least expected error within budgets, on the front or behind it.

    The network with the least error of many trainings was lucky, too. Each error is weighed against
    those of networks like it; see ``nas.searching.forecast.expected_errors``.

    Raises:
        InvalidInput: No trained network keeps the budgets.
    """
    from nas.front import FrontPoint, points_within
    from nas.runs import ERROR
    from nas.searching import read_run
    from nas.searching.confirm.stored import confirmed_records, stored_costs, trained
    from nas.searching.forecast.expected_errors import expected_errors
    from nas.training import read_metrics
    from nas.training.recipe import METRICS, metric_text

    config, records = read_run(run)
    known = {one.key: one for one in trained(confirmed_records(run, config, records))}
    points = (FrontPoint(one.number, key, one.spec, one.values) for key, one in known.items())
    every = replace(front, points=tuple(sorted(points, key=lambda point: point.values[::-1])))
    fitting = points_within(every, budgets, _bounded(run, budgets).costs)
    column, metric = front.objectives.index(ERROR), config.recipe.metric
    epochs = read_metrics(run.trial(fitting[0].trial))
    errors = expected_errors(
        {key: one.spec for key, one in known.items()},
        {key: stored_costs(config, one) for key, one in known.items()},
        {key: one.values[column] for key, one in known.items()},
        epochs[-1].val_images if epochs and metric == "error" else None,
        config.recipe.worst,
    )
    best = min(fitting, key=lambda point: (errors[point.key], point.values[::-1]))
    return Choice(
        best,
        f"trial {best.trial} has the least expected {METRICS[metric]}: "
        f"{metric_text(metric, errors[best.key])}; observed {metric_text(metric, best.values[column])}",
    )


def _not_worse(run: RunFolder, front: Front, budgets: Budgets) -> Choice:
    """The cheapest point within budgets that is not worse than the best of them, at 95 %.

    Raises:
        InvalidInput: The run was not confirmed, or no point keeps the budgets.
    """
    from nas.front import points_within
    from nas.runs import ERROR
    from nas.searching.confirm import read_confirmed

    confirmed = read_confirmed(run) if run.confirmation.is_file() else None
    if confirmed is None:
        raise InvalidInput(
            f"{option('how', NOT_WORSE)}: needs trainings with several seeds; make them first: "
            f"{run_call('confirm', run.name)}"
        )
    fitting = points_within(front, budgets, _bounded(run, budgets).costs)
    error = front.objectives.index(ERROR)
    best = min(fitting, key=lambda point: point.values[error])
    picked = confirmed.not_worse(best, fitting)
    return Choice(picked, confirmed.worse_by(picked, best))


def _bounded(run: RunFolder, budgets: Budgets) -> SearchConfig:
    """The configuration of a run that knows every cost that is bounded.

    Raises:
        InvalidInput: It does not.
    """
    from nas.searching import read_config

    config = read_config(run)
    if budgets.max_latency_ms is not None and config.device is None:
        raise InvalidInput(
            f"{option('max_latency_ms')}: {run.name} was searched without {option('device')}"
        )
    for name, limit in budgets.limits.items():
        if name not in config.costs:
            raise InvalidInput(
                f"{limit_option(name, limit)}: unknown objective {name!r}; allowed: "
                f"{', '.join(config.costs)}, and those of your own by import path"
            )
    return config


def chosen_trial(run: RunFolder, trial: int | None, pick: str | None, budgets: Budgets) -> int:
    """The number of the trial that is asked for; it was trained, or judged by the run's evaluator.

    Raises:
        InvalidInput: There is no such trained trial, or both were given.
    """
    from nas.searching import read_front, read_run

    if trial is None:
        return choose(run, read_front(run), pick, budgets).point.trial
    if pick is not None or not budgets.is_empty:
        raise InvalidInput(f"give one of {option('trial')}, {option('how')} and a budget")
    if trial >= 0 and run.trial(trial).checkpoint.is_file():
        return trial
    have = {int(path.parent.name) for path in run.path.glob("trials/*/checkpoint.pt")}
    # A checkpoint is not needed: an evaluator of the user's may write none.
    have |= {one.number for one in read_run(run)[1] if one.rung_results}
    if trial not in have:
        first = ", ".join(map(str, sorted(have)[:20])) + (", ..." if len(have) > 20 else "")
        raise InvalidInput(f"{run.path}: no trained trial {trial}; there are: {first or 'none'}")
    return trial


def best_checkpoint(run: RunFolder, trial: int) -> Path:
    """The checkpoint of the full training of a trial if there is one, else the search's own.

    Raises:
        InvalidInput: There is neither.
    """
    from nas.searching import read_config

    full = run.full_training(f"{trial:04d}")
    checkpoint = full.kept if full.result.is_file() else run.trial(trial).checkpoint
    if not checkpoint.is_file():
        evaluator = read_config(run).evaluator
        why = "" if evaluator is None else f": the evaluator of the run, {evaluator}, wrote none"
        raise InvalidInput(
            f"{run.path}: trial {trial} has no checkpoint{why}; train it first: "
            f"{trial_call('train', run.name, trial)}; then the checkpoint of the full training is taken"
        )
    return checkpoint


def has_checkpoint(run: RunFolder, trial: int) -> bool:
    """Whether a trial can be exported as it is."""
    full = run.full_training(f"{trial:04d}")
    return full.result.is_file() or run.trial(trial).checkpoint.is_file()


def front_checkpoints(run: RunFolder) -> Iterator[Path]:
    """The checkpoint of every point of a run's front.

    Raises:
        InvalidInput: The front is empty.
    """
    from nas.searching import read_front

    points = read_front(run).points
    if not points:
        raise InvalidInput(f"{run.path}: no trained trial, so no front")
    for point in points:
        yield best_checkpoint(run, point.trial)


def made_from(checkpoint: Path, kind: Literal["export", "attention", "evaluate"]) -> Path:
    """runs/RUN/KIND/NNNN for a checkpoint in runs/RUN/(trials|train)/NNNN; else beside the file."""
    folder = checkpoint.parent
    if folder.parent.name in ("trials", "train"):
        run = RunFolder(folder.parent.parent)
        places = {"export": run.export, "attention": run.attention, "evaluate": run.evaluation}
        return places[kind](folder.name)
    return folder / f"{checkpoint.stem}-{kind}"


def names_file(text: str, trial: int | None, pick: str | None) -> bool:
    """Whether a text that may be a run or a file names a file.

    Raises:
        InvalidInput: It does, and a trial of a run was asked for as well.
    """
    is_file = Path(text).suffix in MODELS or Path(text).is_file()
    if is_file and (trial is not None or pick is not None):
        chosen = f"{option('trial')} and {option('how')}"
        raise InvalidInput(f"{chosen} choose from a run; {text} is a file")
    return is_file


def check_subject(what: str, trial: int | None, pick: str | None) -> None:
    """Raise InvalidInput when ``what`` is neither a file nor a run; imports little."""
    if not names_file(what, trial, pick):
        RunFolder.existing(what)


def check_no_bare_folder(what: str) -> None:
    """Raise InvalidInput when ``what`` is a folder that is no bundle, and no name of a run."""
    folder = Path(what)
    if not folder.is_dir() or (NAME.fullmatch(what) and RunFolder.named(what).config.is_file()):
        return
    if RunFolder(folder).config.is_file():
        allowed = f"the name of the run, {folder.resolve().name}, or a bundle in its export/"
        raise InvalidInput(f"{what}: the folder of a run; allowed: {allowed}")
    raise InvalidInput(
        f"{what}: a folder without manifest.json, neither a bundle nor a run; allowed: a folder that "
        "nas export wrote, the name of a run, or a checkpoint"
    )


def chosen_checkpoint(what: str, trial: int | None, pick: str | None, budgets: Budgets) -> Path:
    """The checkpoint that is asked for: a file, or a trained network of a run.

    Of a run, the full training of the trial is taken when there is one, else the search's own.

    Raises:
        InvalidInput: There is no such run or trained trial.
    """
    if names_file(what, trial, pick):
        return Path(what)
    run = RunFolder.existing(what)
    return best_checkpoint(run, chosen_trial(run, trial, pick, budgets))
