"""How many trainings can one parent feed? The real search, with a thousand simulated workers.

Everything is the program's own, on a real disk: proposals, the study in SQLite, job files, metrics, the
rule of early stopping, the figures a person sees. Only the training is not: a simulated worker ends
after a random time of its own clock and leaves the metrics of an invented error. So what the search
takes by the wall is what its parent takes, and a thousand workers are kept busy for as long as a
training takes longer than a thousand such turns.

    python benchmarks/scaling.py                # ten minutes a sampler and more; goes on if stopped

Writes docs/results/scaling/: turns.csv (milliseconds a training) and machine.json.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from machine import machine

from blocks.yaml_files import parse
from nas.runs import RunFolder, TrialFolder
from nas.searching.candidates import find_candidates
from nas.searching.config import SearchConfig
from nas.searching.evaluators import Finished, Simulation
from nas.searching.evaluators.simulate import Curve
from nas.searching.executors.base import hand_over
from nas.searching.loop import make_search
from nas.searching.run import bound_space
from nas.searching.study import open_study
from nas.searching.view import Status
from nas.training import EpochMetrics, TrainJob
from nas.training.metrics import write_metrics

OUT = Path("docs/results/scaling").resolve()
WORKERS = 1_000
WINDOW = 250
SAMPLERS = {"random": "none", "density": "pareto", "forecast": "forecast", "tpe": "none"}


class OutOfTime(Exception):
    """Enough was measured."""


@dataclass
class Stamped(Simulation):
    """A simulation that writes jobs and metrics as executors do, and notes when its trainings end."""

    bound: float = 600.0
    stamps: list[float] = field(default_factory=list)

    def start(self, number: int, job: TrainJob) -> None:
        """Write the job, and note when it ends."""
        hand_over(job, 1)
        super().start(number, job)

    def wait(self, seconds: float) -> list[Finished]:
        """The training that ends next, with its metrics written."""
        if self.stamps and time.perf_counter() > self.stamps[0] + self.bound:
            raise OutOfTime
        jobs = {number: job for number, (_, job) in self._jobs.items()}
        ended = super().wait(seconds)
        for one in ended:
            write_metrics(TrialFolder(jobs[one.number].folder), one.epochs)
            self.stamps.append(time.perf_counter())
        return ended


def curve_of(rng: Random) -> Curve:
    """Invented curves; an epoch takes a random time, the same for a network whenever it is asked for."""
    seconds: dict[str, float] = {}

    def curve(job: TrainJob) -> list[EpochMetrics]:
        last = job.stop_epoch or job.recipe.epochs
        key = job.spec.key
        final = 0.1 + 0.4 * int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 2**32
        each = seconds.setdefault(key, rng.uniform(0.5, 1.5) / last)
        return [
            EpochMetrics(
                epoch=epoch,
                train_loss=final + 1 / epoch,
                val_error=min(0.9, final + 0.3 / epoch),
                seconds=each,
            )
            for epoch in range(1, last + 1)
        ]

    return curve


class Silent:
    """A view that shows nothing; what it would show is worked out all the same."""

    def status(self, status: Status) -> None:
        """Show nothing."""

    def event(self, text: str) -> None:
        """Show nothing."""


def turns(sampler: str, trials: int, minutes: float) -> list[dict[str, object]]:
    """Milliseconds a training, for each window of trainings ended."""
    fields = {
        "name": sampler, "space": "shufflenet_v2_sk", "data": "digits", "trials": trials,
        "sampler": sampler, "early_stopping": SAMPLERS[sampler], "workers": WORKERS,
    }  # fmt: skip
    config = parse(SearchConfig, fields, "scaling")
    space = bound_space(config)
    candidates = find_candidates(space, config.budgets, 0, config.costs)
    config = config.model_copy(update={"reference": candidates.reference(config.objectives)})
    run = RunFolder(Path(sampler))
    run.path.mkdir()
    study = open_study(config, run, create=True)
    begin = time.perf_counter()
    simulation = Stamped(curve_of(Random(0)), WORKERS, bound=60 * minutes)
    view: Any = Silent()
    search = make_search(config, run, space, candidates, study, simulation, view)
    with suppress(OutOfTime):
        search()
    stamps = simulation.stamps
    rows: list[dict[str, object]] = [
        {
            "sampler": sampler,
            "early_stopping": SAMPLERS[sampler],
            "what": f"the first {WORKERS} proposals",
            "trainings": WORKERS,
            "ms_each": round(1000 * (stamps[0] - begin) / WORKERS, 2),
        }
    ]
    for start in range(0, len(stamps) - 1, WINDOW):
        end = min(start + WINDOW, len(stamps) - 1)
        each = 1000 * (stamps[end] - stamps[start]) / (end - start)
        rows.append(
            {
                "sampler": sampler,
                "early_stopping": SAMPLERS[sampler],
                "what": f"trainings {start + 1} to {end}",
                "trainings": end - start,
                "ms_each": round(each, 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_500, help="networks begun")
    parser.add_argument(
        "--minutes", type=float, default=10, help="at most, once all workers are busy"
    )
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "turns.csv"
    known = list(csv.DictReader(file.open())) if file.is_file() else []
    for sampler in options.samplers.split(","):
        if sampler in {row["sampler"] for row in known}:
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            known += turns(sampler, options.trials, options.minutes)
            os.chdir(OUT)
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(known[0]))
            writer.writeheader()
            writer.writerows(known)
        print(sampler, known[-1])
    (OUT / "machine.json").write_text(json.dumps(asdict(machine()), indent=2) + "\n")


if __name__ == "__main__":
    main()
