"""The runs of a folder, one line each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from blocks.errors import InvalidInput
from nas.folders import runs_dir
from nas.front import make_front
from nas.runs import ERROR, RunFolder, TrialRecord, TrialState
from nas.runs.removal import is_running
from nas.searching import SearchConfig, read_run
from nas.searching.failures import HOPELESS
from nas.training.recipe import Metric


@dataclass(frozen=True)
class RunSummary:
    """A run in a few figures.

    Attributes:
        name: Of the run.
        state: running: a process holds it; finished: all that was asked for has ended; failed: so have
            all its trainings; stopped: it can be resumed; damaged: it cannot be read, see ``problem``.
        trained: Networks trained in full.
        wanted: Networks asked for; None for a damaged run.
        best_error: Least validation error of a trained network, 0 to 1; None without one.
        metric: What that error is.
        front_size: Points of the front.
        changed: When a file of the search was last written.
        problem: What is wrong with a damaged run; else empty.
    """

    name: str
    state: Literal["running", "finished", "failed", "stopped", "damaged"]
    trained: int
    wanted: int | None
    best_error: float | None
    front_size: int
    changed: datetime
    problem: str = ""
    metric: Metric = "error"


def list_runs() -> tuple[RunSummary, ...]:
    """All runs in runs/, the one that was changed last at the end; writes nothing."""
    names = {path.parent.name for path in runs_dir().glob("*/search.yaml")}
    found = [summarise(name) for name in sorted(names) if not name.startswith(".")]
    return tuple(sorted(found, key=lambda one: one.changed))


def summarise(name: str) -> RunSummary:
    """The figures of the run ``name``, damaged or not."""
    changed = _changed(RunFolder(runs_dir() / name))
    try:
        run = RunFolder.existing(name)
        config, records = read_run(run)
        front = make_front(records, config.objectives, config.reference_point)
    # Whatever a damaged file makes a library raise, the other runs are listed.
    except Exception as error:
        said = error if isinstance(error, InvalidInput) else f"{type(error).__name__}: {error}"
        problem = " ".join(str(said).split())
        return RunSummary(name, "damaged", 0, None, None, 0, changed, problem)
    index = config.objectives.index(ERROR)
    trained = [one for one in records if one.state is TrialState.TRAINED]
    errors = [one.values[index] for one in trained if math.isfinite(one.values[index])]
    return RunSummary(
        name=name,
        state=_state(run, config, records),
        trained=len(trained),
        wanted=config.trials,
        best_error=min(errors, default=None),
        front_size=len(front.points),
        changed=changed,
        metric=config.recipe.metric,
    )


def _state(
    run: RunFolder, config: SearchConfig, records: Sequence[TrialRecord]
) -> Literal["running", "finished", "failed", "stopped"]:
    if is_running(run):
        return "running"
    failed = sum(one.state is TrialState.FAILED for one in records)
    is_open = bool(open_trainings(config, records))
    # A search gives up after some failures, with trials left to train.
    given_up = failed >= HOPELESS or (failed and not is_open)
    if given_up and not any(one.rung_results for one in records):
        return "failed"
    return "stopped" if is_open else "finished"


def open_trainings(config: SearchConfig, records: Sequence[TrialRecord]) -> int:
    """Trainings that were asked for and have not ended."""
    states = [one.state for one in records]
    if config.total_epochs is not None or config.patience is not None:
        # Such a search may have ended before it had begun all that it was allowed.
        unfinished = (TrialState.QUEUED, TrialState.RUNNING, TrialState.PAUSED)
        return sum(map(states.count, unfinished))
    ended = sum(map(states.count, (TrialState.TRAINED, TrialState.STOPPED, TrialState.FAILED)))
    return max(0, config.trials - ended)


def _changed(run: RunFolder) -> datetime:
    """When the search last wrote; reading a run writes other files."""
    files = [run.config, run.study, *run.path.glob("trials/*/metrics.jsonl")]
    newest = max(path.lstat().st_mtime for path in files if path.exists() or path.is_symlink())
    return datetime.fromtimestamp(newest).astimezone()
