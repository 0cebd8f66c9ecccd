"""The Optuna study of a run: opened by one parent, and read as plain records by everyone else."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.runs import Outcome, Reached, RunFolder, TrialRecord
from nas.search.config import SearchConfig

# Trial attributes. The proposal is written in one piece: a trial has it whole or was not proposed.
PROPOSAL = "proposal"
REPLAY_OF = "replay_of"
REFUSED = "refused"
FAILURE = "failure"
RUNGS = "rungs"
UNTIL = "until"
STOPPED = "stopped"

WAIT_SECONDS = 300
"""How long a search waits for a database that is locked or whose server is being restarted."""


def open_study(config: SearchConfig, run: RunFolder, *, create: bool) -> optuna.Study:
    """Open the run's study; only the parent of a search writes to it.

    Args:
        config: Of the run.
        run: Its folder.
        create: Make the study; otherwise it must exist.

    Raises:
        InvalidInput: The database cannot be opened, is damaged, or has no (or has another) such study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    url = config.storage or f"sqlite:///{run.study}"
    where = config.storage or str(run.study)
    if not create and _is_missing_file(url):
        # SQLite would make a new one.
        raise InvalidInput(f"{where}: no such file, or an empty one; the study of this run is gone")
    try:
        storage = _storage(url)
        if create:
            return optuna.create_study(
                storage=storage,
                study_name=config.name,
                directions=["minimize"] * len(config.objectives),
            )
        study = optuna.load_study(storage=storage, study_name=config.name)
        study.get_trials(deepcopy=False)
        return study
    except optuna.exceptions.DuplicatedStudyError:
        raise InvalidInput(f"{where}: holds a study named {config.name!r} already") from None
    except KeyError:
        raise InvalidInput(f"{where}: holds no study named {config.name!r}") from None
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0][:120]
        raise InvalidInput(f"{where}: not a readable study: {reason}") from None


def watch_study(config: SearchConfig, run: RunFolder) -> optuna.storages.RDBStorage:
    """The storage of a run to look at while a search writes to it; it cannot be written through.

    Raises:
        InvalidInput: It cannot be opened, or not so.
    """
    open_study(config, run, create=False)
    url = make_url(config.storage or f"sqlite:///{run.study}")
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "").resolve().as_uri()
        url = url.set(database=file, query={"mode": "ro", "uri": "true"})
    elif url.get_backend_name() == "postgresql":
        options = {"execution_options": {"postgresql_readonly": True}}
    else:
        raise InvalidInput(
            f"{url.get_backend_name()}: cannot be opened for reading only; allowed: sqlite, postgresql"
        )
    return optuna.storages.RDBStorage(
        url.render_as_string(hide_password=False),
        options,
        skip_compatibility_check=True,
        skip_table_creation=True,
    )


def _storage(url: str) -> optuna.storages.RDBStorage:
    """The storage at ``url``; once connected, it waits for a server that is being restarted."""
    file = make_url(url).get_backend_name() == "sqlite"
    # Whoever reads the file (a dashboard, a backup) holds up who writes, for a moment.
    patience = {"connect_args": {"timeout": WAIT_SECONDS}} if file else {"pool_pre_ping": True}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=patience)
    if not file:
        event.listen(storage.engine, "do_connect", _connect_patiently)
    return storage


def _connect_patiently(
    dialect: Any, record: object, arguments: list[Any], keywords: dict[str, Any]
) -> Any:
    """Connect to a database server; see SQLAlchemy's event ``do_connect``."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return dialect.connect(*arguments, **keywords)
        except dialect.loaded_dbapi.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _is_missing_file(url: str) -> bool:
    try:
        parts = make_url(url)
    except ArgumentError:
        return False  # opening it says what is wrong
    file = Path(parts.database or "")
    return parts.get_backend_name() == "sqlite" and not (file.is_file() and file.stat().st_size)


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """All proposals of the study, in order. A trial cut off before it was a proposal is left out."""
    trials = study.get_trials(deepcopy=False)
    return [record(trial) for trial in trials if PROPOSAL in trial.user_attrs]


def record(trial: FrozenTrial) -> TrialRecord:
    """One of Optuna's trials as a record; it must have been proposed."""
    attributes: dict[str, Any] = trial.user_attrs
    proposal = attributes[PROPOSAL]
    replayed = attributes.get(REPLAY_OF)
    reached = tuple(Reached(*one) for one in attributes.get(RUNGS, ()))
    until = attributes.get(UNTIL, 0)
    if trial.state == TrialState.COMPLETE:
        outcome = Outcome.TRAINED if replayed is None else Outcome.REPLAYED
    elif trial.state == TrialState.PRUNED:
        stopped = Outcome.STOPPED if STOPPED in attributes else Outcome.REFUSED
        outcome = stopped if replayed is None else Outcome.REPLAYED
    elif trial.state == TrialState.FAIL:
        outcome = Outcome.FAILED if replayed is None else Outcome.REPLAYED
    else:
        waits = reached and reached[-1].epochs == until and replayed is None
        outcome = Outcome.PAUSED if waits else Outcome.RUNNING
    notes = {
        Outcome.STOPPED: attributes.get(STOPPED, ""),
        Outcome.REFUSED: attributes.get(REFUSED, ""),
        Outcome.FAILED: attributes.get(FAILURE, ""),
        Outcome.REPLAYED: f"same network as trial {replayed}",
    }
    return TrialRecord(
        number=trial.number,
        key=proposal["key"],
        spec=ArchSpec.model_validate(proposal["arch"]),
        outcome=outcome,
        values=tuple(trial.values or ()),
        note=notes.get(outcome, ""),
        reached=reached,
        until=until,
    )


def shown_to_sampler(
    study: optuna.Study,
    records: Mapping[int, TrialRecord],
    values: Callable[[TrialRecord], tuple[float, ...]],
) -> optuna.Study:
    """``study`` as a sampler should see it, in which a training that waits at a rung is a known network.

    In the study itself it is open, and a sampler takes open trials for bad ones.

    Args:
        study: Of the search.
        records: Of all its proposals, by number.
        values: The objectives of a network by the last rung it has reached.
    """
    trials = []
    for trial in study.get_trials(deepcopy=False):
        one = records.get(trial.number)
        if one is None:
            continue
        if one.outcome in (Outcome.PAUSED, Outcome.STOPPED):
            trial = optuna.trial.create_trial(
                params=trial.params, distributions=trial.distributions, values=list(values(one))
            )
        trials.append(trial)
    return optuna.create_study(storage=_Shown(trials), directions=study.directions)


class _Shown(optuna.storages.InMemoryStorage):
    """Trials to look at; what is asked for is kept apart. A storage, because copying takes seconds."""

    def __init__(self, trials: list[FrozenTrial]) -> None:
        super().__init__()
        self._trials_shown = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Those to look at."""
        shown = [one for one in self._trials_shown if states is None or one.state in states]
        return copy.deepcopy(shown) if deepcopy else shown
