"""Where everything of a run lies. Other parts ask here instead of gluing paths together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from blocks.errors import InvalidInput
from blocks.wording import short
from nas.folders import runs_dir

SPLITS = "splits.csv"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class TrialFolder:
    """The files of one training: a trial of a search, or the full training of a chosen network."""

    path: Path

    @property
    def arch(self) -> Path:
        """The network, as YAML."""
        return self.path / "arch.yaml"

    @property
    def job(self) -> Path:
        """What the training process was asked to do, as JSON."""
        return self.path / "job.json"

    @property
    def metrics(self) -> Path:
        """One JSON line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The last good state."""
        return self.path / "checkpoint.pt"

    @property
    def best(self) -> Path:
        """The state after the epoch of the least validation error, of a training that keeps it."""
        return self.path / "best.pt"

    @property
    def kept(self) -> Path:
        """The checkpoint whose weights are the result: the best if it is kept, else the last."""
        return self.best if self.best.is_file() else self.checkpoint

    @property
    def right(self) -> Path:
        """Which validation images the network classifies correctly, for ``nas confirm``."""
        return self.path / "right.npz"

    @property
    def error(self) -> Path:
        """The traceback of a failed training."""
        return self.path / "error.txt"

    @property
    def output(self) -> Path:
        """What the training process printed."""
        return self.path / "output.txt"

    @property
    def result(self) -> Path:
        """The figures of a full training on the test set, as JSON."""
        return self.path / "result.json"

    @property
    def splits(self) -> Path:
        """Which photograph is in which split, for a training that is no part of a search."""
        return self.path / SPLITS

    @property
    def evaluation(self) -> Path:
        """The folder with the page about the mistakes of a full training."""
        return self.path / "evaluation"

    @property
    def lock(self) -> Path:
        """Held by the one process that may write here."""
        return self.path / ".lock"

    @property
    def owner(self) -> Path:
        """That process, as JSON."""
        return self.path / "owner.json"

    @property
    def attempt(self) -> Path:
        """In a store: the name of the try that may write there."""
        return self.path / "attempt"


@dataclass(frozen=True)
class RunFolder:
    """``runs/NAME/``."""

    path: Path

    @classmethod
    def named(cls, name: str, root: Path | None = None) -> RunFolder:
        """The folder of the run ``name``, which need not exist.

        Args:
            name: Of the run.
            root: Folder of the runs. Default: ``runs_dir()``.

        Raises:
            InvalidInput: The name could not be a folder name, or lies outside ``root``.
        """
        root = runs_dir() if root is None else root
        run = cls(root / checked_name(name, root))
        # The folder of the runs may be a link itself, to a larger disk say.
        if run.path.is_symlink() and run.path.resolve().parent != root.resolve():
            raise InvalidInput(
                f"{run.path}: a link that leads out of {root}/; allowed: a folder there, or {root}/ as "
                "a link itself"
            )
        return run

    @classmethod
    def existing(cls, name: str, root: Path | None = None) -> RunFolder:
        """The folder of a run that a search has made.

        Args:
            name: Of the run.
            root: Folder of the runs. Default: ``runs_dir()``.

        Raises:
            InvalidInput: There is none of this name.
        """
        run = cls.named(name, root)
        if not run.config.is_file():
            there = run.path.parent.glob("*/search.yaml")
            found = sorted(p.parent.name for p in there if p.is_file())
            hint = f"runs there are: {', '.join(found)}" if found else "there are no runs yet"
            raise InvalidInput(f"{run.path}: no such run; {hint}")
        inside = run.path.resolve()
        for path in run.path.rglob("*"):
            # A resumed search would write through it.
            if not path.is_symlink():
                continue
            if not path.exists() or not path.resolve().is_relative_to(inside):
                raise InvalidInput(
                    f"{path}: a link that leads out of the run, or nowhere; put a file in its place"
                )
        return run

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "search.yaml"

    @property
    def study(self) -> Path:
        """The Optuna study, unless another storage was asked for."""
        return self.path / "study.db"

    @property
    def pareto(self) -> Path:
        """The front, as JSON."""
        return self.path / "pareto.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.path / "report.html"

    @property
    def splits(self) -> Path:
        """Which photograph is in which split."""
        return self.path / SPLITS

    @property
    def lock(self) -> Path:
        """Held by the one parent that may write the study."""
        return self.path / ".lock"

    def trial(self, number: int) -> TrialFolder:
        """Files of a trial of the search."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def trainings(self) -> list[TrialFolder]:
        """All folders that a process of the search may be training in."""
        kinds = ("trials", "parents", "confirm")
        noted = [path for kind in kinds for path in self.path.glob(f"{kind}/*/owner.json")]
        return [TrialFolder(path.parent) for path in sorted(noted)]

    def parent(self, key: str) -> TrialFolder:
        """Files of the training of a plain network that trials start from."""
        return TrialFolder(self.path / "parents" / key)

    @property
    def confirmation(self) -> Path:
        """Which trials are trained again, as JSON."""
        return self.path / "confirm" / "confirm.json"

    def repeat(self, number: int, repeat: int) -> TrialFolder:
        """Files of the training of a trial with another seed; repeats are counted from 1."""
        return TrialFolder(self.path / "confirm" / f"{number:04d}-{repeat}")

    def full_training(self, label: str) -> TrialFolder:
        """Files of the full training of a chosen network."""
        return TrialFolder(self.path / "train" / label)

    def export(self, label: str) -> Path:
        """The deployment bundle of a chosen network."""
        return self.path / "export" / label

    def evaluation(self, label: str) -> Path:
        """What was found out about the mistakes of a trained network."""
        return self.path / "evaluate" / label

    def attention(self, label: str) -> Path:
        """What was found out about the attention of a trained network."""
        return self.path / "attention" / label


def checked_name(name: str, root: Path | None = None) -> str:
    """The name of a run without the folder of the runs before it.

    Args:
        name: As it was given.
        root: That folder. Default: ``runs_dir()``.

    Raises:
        InvalidInput: It could not be a folder name, or would lead elsewhere.
    """
    if isinstance(name, str):
        name = name.rstrip("/").removeprefix(f"{root or runs_dir()}/")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidInput(
            f"run name {short(name)}: allowed are letters, digits, '.', '_' and '-', at most 100, "
            "the first a letter or digit"
        )
    return name
