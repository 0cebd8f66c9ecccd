"""The Optuna study of a run: opened by one parent that writes it, and by everyone else to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

import optuna
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.naming import call
from nas.runs import RunFolder
from nas.searching.config import SearchConfig
from nas.searching.database import (
    check_can_be_made,
    connect,
    connect_to_read,
    database_url,
    is_file,
    is_gone,
    name_of,
)
from nas.study import quiet


def open_study(config: SearchConfig, run: RunFolder, *, create: bool) -> optuna.Study:
    """Open the run's study; only the parent of a search writes to it.

    Args:
        config: Of the run.
        run: Its folder.
        create: Make the study; otherwise it must exist.

    Raises:
        InvalidInput: The database cannot be opened, is damaged, has no (or has another) such study, or
            one of other objectives.
    """
    url = _url(config, run)
    if create:
        with quiet(), _one_line(url, config.name):
            study = optuna.create_study(
                storage=connect(url),
                study_name=config.name,
                directions=["minimize"] * len(config.objectives),
            )
            study.set_metric_names(list(config.objectives))
        return study
    left = _what_is_left(run)
    if is_gone(url):
        raise InvalidInput(
            f"{name_of(url)}: no such file, or an empty one; the study of this run is gone{left}"
        )
    with quiet(), _one_line(url, config.name, left):
        study = optuna.load_study(storage=connect(url), study_name=config.name)
        study.get_trials(deepcopy=False)
    # The first runs did not note the names.
    names = study.metric_names
    if (
        len(study.directions) != len(config.objectives)
        or tuple(names or config.objectives) != config.objectives
    ):
        kept = plural(len(study.directions), "objective") if names is None else ", ".join(names)
        raise InvalidInput(
            f"{run.config}: objectives: {', '.join(config.objectives)}; the trials of this run have "
            f"{kept}"
        )
    return study


def check_unused(config: SearchConfig, run: RunFolder) -> None:
    """Make sure that a new search can keep its study where it is told to.

    Raises:
        InvalidInput: The database cannot be opened, or has a study of this name.
    """
    url = _url(config, run)
    if is_gone(url):
        check_can_be_made(url, run.path)
        return
    with _one_line(url, config.name):
        if config.name in optuna.get_all_study_names(connect(url)):
            raise optuna.exceptions.DuplicatedStudyError


def watch_study(config: SearchConfig, run: RunFolder) -> optuna.storages.RDBStorage:
    """The storage of a run to look at while a search writes to it; it cannot be written through.

    Raises:
        InvalidInput: It cannot be opened, or not so.
    """
    open_study(config, run, create=False)
    return connect_to_read(_url(config, run))


@contextmanager
def _one_line(url: URL, study: str, left: str = "") -> Iterator[None]:
    """What goes wrong with a database as InvalidInput, ``left`` at its end where the study is lost."""
    name = name_of(url)
    try:
        yield
    except optuna.exceptions.DuplicatedStudyError:
        raise InvalidInput(f"{name}: holds a study named {study!r} already") from None
    except KeyError:
        raise InvalidInput(f"{name}: holds no study named {study!r}{left}") from None
    except ImportError:
        raise InvalidInput(
            f"{name}: the package for this kind of database is not installed; for PostgreSQL: "
            "pip install 'sknas[postgresql]'"
        ) from None
    except (SQLAlchemyError, ValueError, RuntimeError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        reason = shorten(reason, 200, placeholder=" ...")
        if not is_file(url) and isinstance(error, OperationalError):
            raise InvalidInput(f"{name}: cannot be reached: {reason}") from None
        raise InvalidInput(f"{name}: not a readable study: {reason}{left}") from None


def _url(config: SearchConfig, run: RunFolder) -> URL:
    return database_url(config.execution.storage or f"sqlite:///{run.study}")


def _what_is_left(run: RunFolder) -> str:
    """What can be done with a run whose study is gone."""
    checkpoints = sorted(run.path.glob("trials/*/checkpoint.pt"))
    if not checkpoints:
        return ""
    return f"; {plural(len(checkpoints), 'checkpoint')} left: {call('export', checkpoints[0])}"
