r"""Everything that waits for a GPU, in one run of known length that writes results as it goes.

    python benchmarks/gpu.py --minutes 9 --out DIR [--data-dir FOLDER]     # on a machine with a GPU
    python benchmarks/gpu.py --rehearse --out DIR                          # on a CPU, a hundredth of it

The steps, in this order, each a program of its own under its own share of the minutes; one that fails or
is cut off does not keep the others from running:

    tests       those marked gpu
    select      the Triton selection: right in float64, then its share of the memory's bandwidth
    throughput  images a second of a trial, plain and ours, 1, 2, 4 and 8 trials at a time
    sweep       40 networks of `shufflenet_v2_sk`, three epochs each, timed
    table4      Table 4's rows at 64 pixels, as many trainings as the time allows
    curves      the networks of benchmarks/curves to the end of their curves, likewise

The last two go on where they were cut off. DIR gets STEP.log (the whole output), select.csv,
throughput.json, table4/, curves/, runs/ and steps.csv, a row a step: its seconds, its exit code (124:
cut off) and its last line. A step whose row there says 0 is not run again.
Fashion-MNIST is looked for in FOLDER (its four files): such a machine may have no network.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from machine import write_machine
from rows import read_rows, write_rows

HERE = Path(__file__).resolve().parent
CUT_OFF = 124
"""Exit code of a step that had no more time, as coreutils' timeout has it."""


@dataclass(frozen=True)
class Step:
    """A program to run.

    Attributes:
        name: Of its files.
        share: Of the minutes.
        words: Its command line.
        stdout: Gets its standard output instead of the log; None: the log has all.
        here: It runs in the folder of the project, not in DIR.
    """

    name: str
    share: float
    words: tuple[str, ...]
    stdout: str | None = None
    here: bool = False


@dataclass(frozen=True)
class Outcome:
    """A row of steps.csv."""

    step: str
    seconds: float
    limit: float
    code: int
    last_line: str


def steps(out: Path, *, rehearse: bool) -> Iterator[Step]:
    """What is run; rehearsed on the CPU with the same programs and small figures."""
    python = sys.executable

    def benchmark(name: str, *words: str) -> tuple[str, ...]:
        return (python, str(HERE / f"{name}.py"), *words)

    def sized(real: str, small: str) -> str:
        return small if rehearse else real

    device = sized("cuda", "cpu")
    marked = (
        "tests/blocks/test_blocks_selection_triton.py",
        "tests/nas/data/test_data_in_memory.py",
    )
    yield Step("tests", 0.2, (python, "-m", "pytest", "-q", "-m", "gpu", *marked), here=True)
    measure = ("--batch", sized("256", "2"), "--repeats", sized("30", "1"))
    table = ("--out", str(out / "select.csv"))
    yield Step("select", 0.1, benchmark("select_bandwidth", "--device", device, *measure, *table))
    size = ["--images", sized("16384", "128"), "--val-images", sized("10000", "200")]
    size += ["--epochs", sized("4", "2")]
    at_once = ("--at-once", sized("1,2,4,8", "1"))
    words = benchmark("training_throughput", "--device", device, *size, *at_once, "--json")
    yield Step("throughput", 0.2, words, "throughput.json")
    space = ("--space", "shufflenet_v2_sk", "--data", "fashion_mnist", "--recipe", "proxy")
    trials = ("--trials", sized("40", "2"), "--epochs", sized("3", "1"), "--sampler", "random")
    small = ("--limit", "256", "--val-limit", "100")
    words = (python, "-m", "nas", "search", *space, *trials, "--name", "gpu")
    yield Step("sweep", 0.3, words + (small if rehearse else ("--workers", "8")))
    places = ("--out", str(out / "table4"), "--work", str(out / "table4"), "--width", "0.5")
    words = benchmark("table4_scenes", *places, "--epochs", sized("60", "1"))
    images = ("--epoch-images", "128", "--val-images", "100", "--test-images", "500")
    one = ("--units", "sk", "--seeds", "1", *images)
    many = ("--seeds", "4", "--workers", "8")
    yield Step("table4", 0.15, words + (one if rehearse else many))
    words = benchmark("train_curves", "--out", str(out / "curves"), "--epochs", sized("30", "1"))
    few = ("--networks", "1", "--epoch-images", "128")
    many = ("--epoch-images", "50000", "--workers", "8")
    yield Step("curves", 0.05, words + (few if rehearse else many))


def run(step: Step, out: Path, limit: float, environment: dict[str, str]) -> Outcome:
    """Run a step for at most ``limit`` seconds; its processes are gone afterwards."""
    start = time.perf_counter()
    log = out / f"{step.name}.log"
    with ExitStack() as files:
        messages = files.enter_context(log.open("wb"))
        output = messages
        if step.stdout is not None:
            output = files.enter_context((out / step.stdout).open("wb"))
        process = subprocess.Popen(
            step.words,
            stdout=output,
            stderr=messages,
            env=environment,
            cwd=HERE.parent if step.here else out,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = CUT_OFF
        finally:
            # Also the workers of a step that has ended.
            end(process)
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    seconds = round(time.perf_counter() - start, 1)
    return Outcome(step.name, seconds, round(limit, 1), code, said[-1][:200] if said else "")


def end(process: subprocess.Popen[bytes]) -> None:
    """End the step's whole session, first politely: trainings write their last epoch."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def main() -> int:
    """Run all steps; 0 if each ended well or was cut off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9, help="for all steps together")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, help="with the files of Fashion-MNIST")
    parser.add_argument("--steps", default="", help="only these, separated by commas")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with small figures")
    options = parser.parse_args()
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE)))}
    environment.setdefault("OMP_NUM_THREADS", "1")
    if options.data_dir is not None:
        environment["SKNAS_CACHE_DIR"] = str(options.data_dir.resolve())
    outcomes = read_rows(out / "steps.csv", Outcome)
    wanted = options.steps.split(",") if options.steps else None
    for step in steps(out, rehearse=options.rehearse):
        done = any(one.step == step.name and one.code == 0 for one in outcomes)
        if done or (wanted is not None and step.name not in wanted):
            continue
        outcome = run(step, out, 60 * options.minutes * step.share, environment)
        outcomes = [one for one in outcomes if one.step != step.name] + [outcome]
        write_rows(out / "steps.csv", outcomes)
        print(outcome, flush=True)
    write_machine(out)
    return 0 if all(one.code in (0, CUT_OFF) for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
