"""Begin a search, or take one up again: everything from a configuration to a front on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from filelock import FileLock, Timeout

from blocks.errors import InvalidInput
from blocks.wording import plural
from blocks.yaml_files import dump_yaml
from nas.data import DataInfo, load_data
from nas.data.config import PHOTOGRAPHS
from nas.data.splits_file import splits_of
from nas.folders import logs_dir, make_folder, source_of_logs_dir, source_of_runs_dir
from nas.front import Front
from nas.naming import call, option
from nas.plugins import PluginFault, named_by_a_run
from nas.runs import RunFolder, write_text
from nas.runs.removal import holds_nothing, remove_run
from nas.searching.candidates import Candidates, find_candidates
from nas.searching.checks import check_cluster_options
from nas.searching.config import SearchConfig
from nas.searching.defaults import chosen, with_chosen_recipe
from nas.searching.plugged import check_plugins
from nas.searching.reading import read_config, read_front, with_record
from nas.searching.samplers import derive_seed
from nas.searching.study import check_unused, open_study
from nas.searching.view import View
from nas.training import end_owner
from nas.training.checks import check_augment
from nas.training.evaluate import load_evaluator
from nas.training.pretrained import find_all, starts
from search_spaces import SearchSpace


def start_search(config: SearchConfig, view: View, run: RunFolder | None = None) -> Front:
    """Run a new search.

    Args:
        config: Of the search.
        view: Shows it.
        run: Its folder. Default: that of its name in ``runs_dir()``.

    Raises:
        InvalidInput: The run exists, the data are missing, no network fits the budgets, ...: found out
            before anything is written. A fault of a plug-in may show only in the first training; the
            run is then removed, or can be resumed if it holds more than that failure.
        WorkFailed: The first trainings have all failed.
    """
    run = run or RunFolder.named(config.name)
    _check_free(run)
    check_plugins(config)
    data = load_data(config.data)
    check_augment(config.recipe, data.info)
    config = with_chosen_recipe(config, data.info)
    space = _bound(config, data.info)
    candidates = _candidates(config, space)
    config = config.model_copy(
        update={
            "reference": candidates.reference(config.objectives, config.recipe.worst),
            # An evaluator has images of its own.
            "acquisition": config.acquisition.model_copy(
                update={"images": None if config.evaluator else data.info.val_images or None}
            ),
            "pretrained": config.pretrained
            and find_all(config.pretrained, candidates.specs.values()),
        }
    )
    if config.execution.storage is not None:
        check_unused(config, run)
    with _only_if_plugins_work(config, run):
        return _begin(config, run, space, candidates, view, splits_of(data))


def _begin(
    config: SearchConfig,
    run: RunFolder,
    space: SearchSpace,
    candidates: Candidates,
    view: View,
    splits: str | None,
) -> Front:
    if config.evaluator is None:
        logs = config.execution.logs_dir or logs_dir()
        make_folder(logs, source_of_logs_dir(logs))
    make_folder(run.path, source_of_runs_dir(run.path))
    with only_parent(run):
        # Again: looking through the space takes a while, and another search may have begun.
        _check_free(run)
        # What a process left that ended before its run was one.
        for leftover in run.path.glob(f"{run.study.name}*"):
            leftover.unlink()
        open_study(config, run, create=True)
        if splits is not None:
            write_text(run.splits, splits)
            config = with_record(config, run)
        # The run exists from here on: whatever happens now, it can be resumed.
        write_text(run.config, dump_yaml(config))
        return _search(config, run, space, candidates, view)


@contextmanager
def _only_if_plugins_work(config: SearchConfig, run: RunFolder) -> Iterator[None]:
    """Begin a run here; of one in which only a plug-in's fault was found nothing is left.

    The corrected command can then be given again. A run that others wrote to as well, an earlier call or
    a database elsewhere, is kept.

    Raises:
        PluginFault: Says what became of the run, too.
    """
    new, new_logs = not run.path.exists(), not (logs_dir() / run.name).exists()
    try:
        yield
    except PluginFault as fault:
        elsewhere = config.execution.storage or config.execution.checkpoints
        if new and not elsewhere and holds_nothing(run):
            with suppress(InvalidInput, OSError):  # another process has taken it up
                remove_run(run, logs=new_logs)
        kept = f"when that is fixed, go on with: {call('search', resume=run.name)}"
        gone = f"nothing was trained, and {run.path} was removed"
        raise type(fault)(f"{fault}; {kept if run.config.exists() else gone}") from fault


def _check_free(run: RunFolder) -> None:
    if run.config.exists():
        raise InvalidInput(
            f"{run.path}: this run exists; continue it ({option('resume', run.name)}) or choose another "
            f"{option('name')}"
        )
    own = (run.lock.name, run.study.name, run.splits.name)
    if run.path.exists() and any(not p.name.startswith(own) for p in run.path.iterdir()):
        raise InvalidInput(f"{run.path}: exists and is not a run; choose another {option('name')}")


def resume_search(run: RunFolder, view: View, changes: Mapping[str, Any]) -> Front:
    """Continue a search that was ended, however it was ended.

    Args:
        run: Of the search.
        view: Shows it.
        changes: New values of fields that do not decide what the search is: ``trials``, ``workers``,
            ``executor``, ...

    Raises:
        InvalidInput: Another process runs it, or its files are damaged.
        WorkFailed: The first trainings have all failed.
    """
    config = read_config(run, changes)
    check_cluster_options(config, changes)
    with named_by_a_run():
        check_plugins(config)
        for weights in config.pretrained.weights if config.pretrained else ():
            weights.check_unchanged()
        space = bound_space(config)
    candidates = _candidates(config, space)
    with only_parent(run):
        return _search(config, run, space, candidates, view)


def bound_space(config: SearchConfig) -> SearchSpace:
    """The search space for the images of the search."""
    return _bound(config, load_data(config.data).info)


def _bound(config: SearchConfig, info: DataInfo) -> SearchSpace:
    if config.recipe.costs is not None:
        config.recipe.costs.of(info.class_names)  # refuses those of other classes
    space = SearchSpace(config.space).bind(
        num_classes=info.num_classes, in_channels=info.in_channels, input_size=info.input_size
    )
    if space.varies_input_size and info.resize is None:
        raise InvalidInput(
            f"vary.input_size: the images of {info.name} have {info.input_size} pixels a side and are "
            "not scaled; allowed: sets of image files"
        )
    return space


def _candidates(config: SearchConfig, space: SearchSpace) -> Candidates:
    seed = derive_seed(config.seed, "candidates")
    scaled = config.data.name.startswith(PHOTOGRAPHS) and not space.varies_input_size
    found = find_candidates(space, config.budgets, seed, config.costs, scaled=scaled)
    for one in config.own_objectives:
        one.check_steady(next(iter(found.specs.values())))
    return found


def _search(
    config: SearchConfig,
    run: RunFolder,
    space: SearchSpace,
    candidates: Candidates,
    view: View,
) -> Front:
    # Here: who only reads a run need not wait for what forecasts and trainings need.
    from nas.searching.executors import make_executor
    from nas.searching.loop import make_search

    if config.evaluator is not None:
        load_evaluator(config.evaluator)  # before anything is written
    study = open_study(config, run, create=False)
    executor = make_executor(config)
    # Not before: changes that are refused there change nothing.
    write_text(run.config, dump_yaml(config))
    with view:
        kind = "network" if candidates.complete else "sampled network"
        networks = plural(len(candidates.specs), kind)
        view.event(
            f"{run.name}: {plural(config.trials, 'trial')} of {networks} within budget, "
            f"{config.execution.workers} at a time; Ctrl-C stops, and "
            f"{call('search', resume=run.name)} continues"
        )
        for line in (*chosen(config), *starts(config.pretrained, candidates.specs.values())):
            view.event(line)
        for folder in run.trainings():
            if end_owner(folder):
                view.event(f"{folder.path}: a training left over from before was ended")
        front = make_search(config, run, space, candidates, study, executor, view)()
    if run.confirmation.is_file():
        # `nas confirm` came before: its means stand in for the errors of single trainings.
        front = read_front(run)
    write_text(run.pareto, front.to_json())
    return front


@contextmanager
def only_parent(run: RunFolder) -> Iterator[None]:
    """Hold the run; a lock of the operating system, so that it goes with the process.

    Raises:
        InvalidInput: Another process holds it.
    """
    try:
        with FileLock(run.lock, timeout=0):
            yield
    except Timeout:
        raise InvalidInput(f"{run.path}: another process is working in this run") from None
