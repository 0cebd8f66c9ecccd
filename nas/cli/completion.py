"""What the shell completes: names of runs, spaces, devices and trials. Needs folders alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas.folders import devices_dir, runs_dir


def complete_runs(incomplete: str) -> list[str]:
    """Names of the runs in runs/."""
    return _starting(incomplete, (path.parent.name for path in _glob(runs_dir, "*/search.yaml")))


def complete_runs_and_files(incomplete: str) -> list[str]:
    """Names of the runs, and paths that may lead to a network or a checkpoint."""
    return complete_runs(incomplete) + complete_paths(incomplete)


def complete_paths(incomplete: str) -> list[str]:
    """Files and folders."""
    paths = [f"{path}/" if path.is_dir() else str(path) for path in _glob(Path(), f"{incomplete}*")]
    return _starting(incomplete, paths)


def complete_pretrained(incomplete: str) -> list[str]:
    """Sources of pretrained weights: words, runs and files."""
    return [*_starting(incomplete, ["imagenet", "parent"]), *complete_runs_and_files(incomplete)]


def complete_spaces(incomplete: str) -> list[str]:
    """Shipped search spaces, and YAML files here."""
    from search_spaces.shipped import SPACES

    return _starting(incomplete, [*SPACES, *map(str, _glob(Path(), "*.yaml"))])


def complete_data(incomplete: str) -> list[str]:
    """Data sets."""
    from nas.data.registry import DATASETS

    return _starting(incomplete, (name.removesuffix("PATH") for name in DATASETS))


def complete_devices(incomplete: str) -> list[str]:
    """Devices whose latencies were measured."""
    return _starting(incomplete, (path.stem for path in _glob(devices_dir, "*.json")))


def complete_trials(ctx: Any, incomplete: str) -> list[str]:
    """Numbers of the trials with a checkpoint, of the run that the command names."""
    # An option without its value keeps typer from reading the arguments; they are left over.
    run = next(iter(ctx.args), ctx.params.get("run") or ctx.params.get("what"))
    if not isinstance(run, str):
        return []

    def trials() -> Path:
        return runs_dir() / run.rstrip("/").removeprefix(f"{runs_dir()}/") / "trials"

    numbers = (path.parent.name for path in _glob(trials, "*/checkpoint.pt"))
    return _starting(incomplete, (str(int(one)) for one in numbers if one.isdecimal()))


def complete_picks(incomplete: str) -> list[str]:
    """Points of a front that have a name."""
    from nas.api.choosing import PICKS

    return _starting(incomplete, PICKS)


def _glob(folder: Path | Callable[[], Path], pattern: str) -> list[Path]:
    # A path that is none, such as "/x*", or a folder that is a file.
    with suppress(OSError, ValueError, NotImplementedError):
        return sorted((folder() if callable(folder) else folder).glob(pattern))
    return []


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
