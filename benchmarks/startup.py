"""What a command costs before it does its work: CPU time (user and system) and peak memory.

Target: ``nas --help`` takes at most 1.5 times the CPU time of ``python -c "import typer, rich"`` and
under 80 MB; ``nas pareto`` at most 1.5 times that of ``python -c "import optuna"``. All commands take
turns, n times each, each in a process of its own, in one run on one machine. ``--before`` measures the
commands of another checkout beside them. All modules are compiled before, as after an installation.

    python benchmarks/startup.py --before ../before
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rows import write_rows

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "tests/nas/runs/made_by_0.1.0"
PEERS = {
    'python -c "import typer, rich"': ["-c", "import typer, rich"],
    'python -c "import optuna"': ["-c", "import optuna"],
    "optuna --help": ["-c", "import sys; from optuna.cli import main; sys.exit(main())", "--help"],
}
COMMANDS = {
    "nas --help": ["--help"],
    "nas search --help": ["search", "--help"],
    "nas pareto nowhere": ["pareto", "nowhere"],
    "nas pareto before": ["pareto", "before"],
    "nas report before": ["report", "before"],
    "nas runs": ["runs"],
}


@dataclass(frozen=True)
class Target:
    """What a command may cost.

    Attributes:
        command: Of this program.
        limit: Times the CPU time of ``peer``; without a peer, 10**6 bytes at the peak.
        peer: What it is compared with.
    """

    command: str
    limit: float
    peer: str | None = None


TARGETS = (
    Target("nas --help", 1.5, 'python -c "import typer, rich"'),
    Target("nas --help", 80),
    Target("nas pareto before", 1.5, 'python -c "import optuna"'),
)


@dataclass(frozen=True)
class Row:
    """One process.

    Attributes:
        version: before, after, or peer.
        command: What was run.
        repetition: From 0.
        cpu_seconds: User and system time, its children's included.
        peak_mb: Largest resident memory, in 10**6 bytes.
    """

    version: str
    command: str
    repetition: int
    cpu_seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout, to measure beside this one")
    parser.add_argument("-n", type=int, default=10, help="repetitions")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/startup")
    options = parser.parse_args()
    jobs = [("peer", name, words, ROOT) for name, words in PEERS.items()]
    checkouts = {"before": options.before, "after": ROOT}
    for version, checkout in checkouts.items():
        if checkout is not None:
            for name, words in COMMANDS.items():
                jobs.append((version, name, ["-m", "nas", *words], checkout.resolve()))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(RUNS, Path(folder) / "runs")
        # The first round fills the caches of the disk and of compiled modules.
        for repetition in range(-1, options.n):
            for version, name, words, checkout in jobs:
                seconds, megabytes = measure(words, Path(folder), checkout)
                if repetition >= 0:
                    rows.append(Row(version, name, repetition, seconds, megabytes))
    write_rows(options.out / "startup.csv", rows)
    text = page(rows, options.n)
    (options.out / "README.md").write_text(text, encoding="utf-8")
    print(text)


def measure(words: list[str], folder: Path, checkout: Path) -> tuple[float, float]:
    """CPU seconds and peak memory in 10**6 bytes of ``python WORDS`` in ``folder``."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled in the first round
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        os.execve(sys.executable, [sys.executable, *words], environment)
    _, _, used = os.wait4(child, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def _verdict(target: Target, rows: list[Row]) -> str:
    """The line of the page about one target."""
    of = [row for row in rows if (row.version, row.command) == ("after", target.command)]
    if target.peer is None:
        figure = statistics.median(row.peak_mb for row in of)
        return _line(target, f"peak under {target.limit:g} MB", f"{figure:.0f} MB", figure)
    peer = [row.cpu_seconds for row in rows if row.command == target.peer]
    figure = statistics.median(row.cpu_seconds for row in of) / statistics.median(peer)
    return _line(
        target, f"CPU at most {target.limit:g} x `{target.peer}`", f"{figure:.2f} x", figure
    )


def _line(target: Target, words: str, measured: str, figure: float) -> str:
    met = "yes" if figure <= target.limit else "no"
    return f"| `{target.command}` | {words} | {measured} | {met} |"


def page(rows: list[Row], n: int) -> str:
    """The result page."""
    # Not before all is measured: a child starts with this process's peak memory, and torch is large.
    from machine import machine

    where = machine()
    lines = [
        "# What a command costs before it does its work",
        "",
        f"`benchmarks/startup.py`, n = {n} processes per line, taking turns; median, least to most. "
        f"{where.cpu}, {where.cores} cores, Python {where.python}, torch {where.torch}, "
        f"commit {where.commit}. Modules were compiled before. `before` is the version before commands "
        "imported late; `peer` is another program.",
        "",
        "## Are the targets met?",
        "",
        "| command | target | measured | met |",
        "|---|---|---:|---|",
        *map(_verdict, TARGETS, [rows] * len(TARGETS)),
        "",
        "## What does each command cost?",
        "",
        "| version | command | CPU s | peak MB |",
        "|---|---|---:|---:|",
    ]
    for version, command in dict.fromkeys((row.version, row.command) for row in rows):
        of = [row for row in rows if (row.version, row.command) == (version, command)]
        cpu, peak = [row.cpu_seconds for row in of], [row.peak_mb for row in of]
        lines.append(
            f"| {version} | `{command}` | {statistics.median(cpu):.2f} ({min(cpu):.2f} to "
            f"{max(cpu):.2f}) | {statistics.median(peak):.0f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
