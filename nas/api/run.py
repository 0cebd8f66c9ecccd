"""``nas.Run``: what is known of a search, finished or not, and what can be done with its networks."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from blocks.errors import InvalidInput
from blocks.wording import check_type, short
from nas.api.choosing import best_checkpoint, choose, chosen_trial
from nas.folders import given_folder
from nas.front import Front, FrontPoint
from nas.runs import ERROR, RunFolder, TrialRecord
from nas.searching import SearchConfig, read_config, read_front, read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import optuna
    import pandas
    from rich.console import Console
    from torch import nn

    from nas.api.evaluating import Evaluated
    from nas.api.exporting import Bundle
    from nas.api.training import FullTraining
    from nas.evaluation import Rate
    from nas.searching.confirm import ConfirmedFront
    from nas.searching.uncertainty import Uncertainty
    from nas.training import EpochMetrics

Trial: TypeAlias = "int | FrontPoint | TrialRecord"
"""A trial by its number, as ``pick`` gives it, or as ``trials`` does."""


def open_run(name: str, runs_dir: str | Path | None = None) -> Run:
    """Open the run of a search, finished or not. Nothing is written.

    Args:
        name: Of the run.
        runs_dir: Folder of the runs. Default: ``SKNAS_RUNS_DIR``, else ``runs``.

    Raises:
        InvalidInput: There is no such run.

    Examples:
        >>> import nas
        >>> nas.open_run("none")
        Traceback (most recent call last):
        ...
        blocks.errors.InvalidInput: runs/none: no such run; ...
    """
    return Run(
        RunFolder.existing(name, None if runs_dir is None else given_folder("runs_dir", runs_dir))
    )


class Run:
    """A run. Its properties read the files anew each time, so they follow a search that is running.

    ``nas.search`` and ``nas.open_run`` give one. Methods that take a trial accept its number, a point of
    the front as ``pick`` gives it, or one of ``trials``.

    Args:
        folder: Of the run.

    Examples:
        >>> import nas
        >>> run = nas.open_run("example")
        >>> run, len(run.trials)
        (Run('runs/example'), 2)
    """

    def __init__(self, folder: RunFolder) -> None:
        check_type("folder", folder, RunFolder, "a RunFolder; nas.open_run(NAME) makes a Run")
        self.folder = folder

    @property
    def name(self) -> str:
        """Of the run."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.folder.path

    @property
    def config(self) -> SearchConfig:
        """What was searched, and how."""
        return read_config(self.folder)

    @property
    def front(self) -> Front:
        """The Pareto front of the networks trained so far; after ``confirm``, of mean errors."""
        return read_front(self.folder)

    @property
    def uncertainty(self) -> Uncertainty:
        """The 95 % intervals of the errors of the front, and how many of its steps are smaller."""
        from nas.searching.uncertainty import front_uncertainty

        return front_uncertainty(self.folder, self.front)

    @property
    def trials(self) -> list[TrialRecord]:
        """Every proposal of the search, in order."""
        return read_run(self.folder)[1]

    @property
    def study(self) -> optuna.Study:
        """The Optuna study, for reading only: writing to it raises InvalidInput."""
        import optuna

        from nas.searching import watch_study

        config = self.config
        return optuna.load_study(storage=watch_study(config, self.folder), study_name=config.name)

    def pick(self, how: str | None = None, **limits: float) -> FrontPoint:
        """The network of the front to take.

        Args:
            how: ``knee``, the point where the front bends most: the default, unless limits are given.
                ``expected``, the trained network of least expected error, within the limits if there are
                any: each error is weighed against those of networks like it, because the least of many
                was lucky, too. After ``confirm`` also ``not-worse``, the cheapest network that is not
                worse than the best at 95 %, within the limits if there are any.
            **limits: The best network within budgets in place of the knee, such as ``max_mflops=8``.

        Raises:
            InvalidInput: The front is empty, no network fits, or a limit is unknown.

        Examples:
            >>> import nas
            >>> nas.open_run("example").pick(max_mflops=5).values[1] <= 5
            True
        """
        from nas.api.limits import budgets_of

        return choose(self.folder, self.front, how, budgets_of(limits)).point

    def to_dataframe(self) -> pandas.DataFrame:
        """All trials as a table of pandas, one row per trial.

        Returns:
            Columns ``trial``, ``state``, the objectives (NaN where not known), ``epochs``, ``on_front``,
            ``key``, ``note``, and the fields of the network such as ``width`` and ``unit.dilations``.

        Raises:
            InvalidInput: pandas is not installed.

        Examples:
            >>> import nas
            >>> nas.open_run("example").to_dataframe()[["trial", "state", "epochs"]]
               trial    state  epochs
            0      0  trained       1
            1      1  trained       1
        """
        from nas.api.table import to_dataframe

        config, records = read_run(self.folder)
        return to_dataframe(records, config.objectives, {one.trial for one in self.front.points})

    def load(self, trial: Trial) -> nn.Module:
        """The trained network of a trial, in eval mode, from images (B, C, H, W) to logits.

        The weights are those of the full training when there is one, else those of the search.

        Raises:
            InvalidInput: The trial was not trained.

        Examples:
            >>> import nas, torch
            >>> run = nas.open_run("example")
            >>> run.load(run.pick("knee"))(torch.zeros(1, 1, 16, 16)).shape
            torch.Size([1, 10])
        """
        from nas.training import load_checkpoint

        return load_checkpoint(self.checkpoint(trial)).model

    def checkpoint(self, trial: Trial) -> Path:
        """The checkpoint of a trial: of its full training when there is one, else the search's own.

        Raises:
            InvalidInput: The trial was not trained.
        """
        return best_checkpoint(self.folder, self._number(trial))

    def train(
        self,
        trial: Trial,
        *,
        data: str | Path | Callable[..., Any] | None = None,
        data_dir: str | Path | None = None,
        input_size: int | None = None,
        cache_gb: float | None = None,
        group_by: str | None = None,
        splits: str | Path | None = None,
        on_bad_image: Literal["stop", "skip"] | None = None,
        recipe: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        metric: str | None = None,
        costs: str | Path | None = None,
        balance: str | None = None,
        augment: Literal["standard", "trivial"] | None = None,
        reparametrise: bool | None = None,
        seed: int = 0,
        devices: int = 1,
        threads: int | None = None,
        module: str | type | None = None,
        pretrained: str | Path | None = None,
        start: Literal["fresh", "plain"] | None = None,
        patience: int | None = None,
        keep: Literal["last", "best"] | None = None,
        teacher: str | Path | None = None,
        again: bool = False,
        logs_dir: str | Path | None = None,
        on_epoch: Callable[[EpochMetrics], None] | None = None,
        progress: bool | Console = False,
    ) -> FullTraining:
        """Train the network of a trial in full, and read the test set once.

        Data, metric, costs, balance, augmentation, reparametrisation, module and pretrained weights are
        those of the search by default; ``pretrained="none"`` starts from random weights. See
        ``nas.train`` for the other arguments.

        Raises:
            InvalidInput: The trial was not trained, or an argument is wrong.
            WorkFailed: The training failed.
        """
        options = {key: value for key, value in locals().items() if key not in ("self", "trial")}
        from nas.api.training import train_trial

        return train_trial(self.folder, self._number(trial), **options)

    def confirm(
        self,
        *,
        epochs: int | None = None,
        recipe: str | None = None,
        workers: int | None = None,
        threads: int | None = None,
        executor: str | None = None,
        ray_address: str | None = None,
        progress: bool = True,
    ) -> ConfirmedFront:
        """Train the networks that may be on the front again with other seeds.

        ``front``, ``uncertainty``, ``pick`` and the report then show mean errors over the trainings of a
        network. Called again, it goes on where it was ended.

        Args:
            epochs: To train in all, with those of earlier calls. Default: three further trainings of
                each network on the front.
            recipe: Name of a recipe. Default: that of the search, whose own trainings then count, too.
            workers: Trainings at a time. Default: as searched.
            threads: CPU threads per training. Default: as searched.
            executor: ``local`` or ``ray``. Default: as searched.
            ray_address: Of the Ray cluster, host:port.
            progress: Print a line per event.

        Raises:
            InvalidInput: The search has not ended or has trained nothing, or an argument is wrong.
            WorkFailed: The first trainings have all failed.
            KeyboardInterrupt: It was interrupted; the same call continues.

        Examples:
            >>> import nas
            >>> done = nas.open_run("example").confirm(epochs=2, progress=False)
            >>> done.epochs <= 2, len(done.steps) == len(done.front.points) - 1
            (True, True)
        """
        from nas.api.confirming import carry_out
        from nas.searching.view import plain_view

        check_type("progress", progress, bool, "True or False")
        where = {
            "workers": workers,
            "threads": threads,
            "executor": executor,
            "ray_address": ray_address,
        }
        view = plain_view(show=progress)
        return carry_out(self.folder, view, epochs=epochs, recipe=recipe, changes=where)

    def evaluate(
        self,
        trial: Trial,
        *,
        data: str | Path | Callable[..., Any] | None = None,
        data_dir: str | Path | None = None,
        split: str | None = None,
        costs: str | Path | None = None,
        out: str | Path | None = None,
    ) -> Evaluated:
        """Evaluate the network of a trial, and write a page about its mistakes; see ``nas.evaluate``."""
        from nas.api.evaluating import evaluate

        return evaluate(
            self.checkpoint(trial), data=data, data_dir=data_dir, split=split, costs=costs, out=out
        )

    def export(
        self,
        trial: Trial,
        *,
        targets: str | Sequence[str] = ("onnx",),
        int8: bool = False,
        fp16: bool = False,
        io: str | None = None,
        rgb: bool = False,
        accelerator: str | None = None,
        images: int | None = None,
        out: str | Path | None = None,
        progress: bool | Console = False,
    ) -> Bundle:
        """Export the network of a trial; see ``nas.export``."""
        from nas.api.exporting import export

        return export(
            self.checkpoint(trial), targets=targets, int8=int8, fp16=fp16, io=io, rgb=rgb,
            accelerator=accelerator, images=images, out=out, progress=progress,
        )  # fmt: skip

    def report(self) -> Path:
        """Write report.html, one page that needs no network, and return its path.

        Examples:
            >>> import nas
            >>> nas.open_run("example").report().name
            'report.html'
        """
        from nas.report import write_report

        return write_report(self.folder)

    def _number(self, trial: Trial) -> int:
        from nas.api.limits import budgets_of

        number: Any = trial
        if isinstance(trial, FrontPoint):
            number = trial.trial
        elif isinstance(trial, TrialRecord):
            number = trial.number
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise InvalidInput(
                f"trial {short(number)}: allowed: a number, a point of the front, or one of trials"
            )
        number = int(number)
        return chosen_trial(self.folder, number, None, budgets_of({}))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """The front, for notebooks."""
        front, uncertainty = self.front, self.uncertainty
        head = "".join(f"<th>{escape(one)}</th>" for one in ("trial", *front.objectives, "unit"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{escape(str(cell))}</td>"
                for cell in (
                    point.trial,
                    *(
                        f"{value:.6g}{_interval(uncertainty.rates.get(point.trial), name)}"
                        for name, value in zip(front.objectives, point.values, strict=True)
                    ),
                    point.spec.label,
                )
            )
            + "</tr>"
            for point in front.points
        )
        note = f"<p>{escape(uncertainty.sentence)}</p>" if uncertainty.sentence else ""
        title = f"<p>run {escape(self.name)}: Pareto front</p>"
        return f"{title}<table><tr>{head}</tr>{rows}</table>{note}"


def _interval(rate: Rate | None, objective: str) -> str:
    if rate is None or objective != ERROR:
        return ""
    return f" ({rate.low:.3g} to {rate.high:.3g})"
