"""A search as a person sees it: in a terminal that is made narrower, and closed; and in a pipe."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import optuna
import psutil
import pytest
from filelock import FileLock
from optuna.trial import TrialState as OptunaState

from nas.runs import RunFolder
from tests.nas.searching.search_helpers import resume, search_command, trainings
from tests.nas.searching.terminal import BOUND, Screen, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
WIDE, NARROW = 100, 64
FRAME = "\r\x1b[2K"  # begins every picture of the live table that is drawn over another
COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[\d;]*)?m")


def command(*more: str) -> list[str]:
    options = ["--limit", "64", "--epochs", "3", "--trials", "2", "--threads", "1"]
    return search_command("first", *options, *more)


def states(folder: Path) -> list[OptunaState]:
    storage = f"sqlite:///{folder}/runs/first/study.db"
    study = optuna.load_study(study_name="first", storage=storage)
    return [trial.state for trial in study.get_trials()]


def test_progress_is_shown_and_follows_the_width_of_the_terminal(tmp_path: Path) -> None:
    terminal = Terminal(command(), tmp_path, WIDE)
    terminal.wait_for(lambda: "running: 0" in terminal.output)
    terminal.wait_for(lambda: "1/2" in terminal.output)
    at_resize = len(terminal.output)
    terminal.resize(NARROW)
    assert terminal.end() == 0, terminal.output
    live, final = terminal.output.split("Pareto front")
    assert COLOUR.search(live)
    wide, narrow = live[:at_resize], live[at_resize:]
    shown = Screen(WIDE)
    shown.feed(wide)
    assert max(map(len, shown.lines)) > NARROW, "the frames were wider before"
    # The first frame may have been measured before the resize.
    frames = narrow.split(FRAME)[2:]
    assert len(frames) > 2
    shown = Screen(NARROW)
    shown.feed(FRAME.join(frames))
    assert max(map(len, shown.lines)) <= NARROW
    assert all(len(line) <= NARROW for frame in frames for line in plain(frame).splitlines())
    # One table is left, not the remains of many; and the lines of the two trials above it.
    left = "\n".join(shown.lines)
    assert left.count("running: none") == left.count("front: 1 point ") == 1
    assert "2/2" in left
    assert "\x1b[?25h" in live, "the cursor is shown again"
    assert "trial" in final
    assert all(len(line) <= NARROW for line in plain(final).split("front:")[0].splitlines())
    assert f"report: {RunFolder(Path('runs/first')).report}" in plain(final)


def plain(text: str) -> str:
    """``text`` without what a terminal does not print."""
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text).replace("\r", "")


def test_a_closed_terminal_leaves_nothing_and_the_search_goes_on_in_a_pipe(tmp_path: Path) -> None:
    # Long enough not to end before it is seen, however busy the machine is.
    long = ("--workers", "2", "--epochs", "15")
    terminal = Terminal(command(*long), tmp_path, environment={"NO_COLOR": "1"})
    terminal.wait_for(lambda: len(trainings(terminal.process.pid)) == 2)
    terminal.wait_for(lambda: terminal.output.count(FRAME) > 2)
    children = psutil.Process(terminal.process.pid).children(recursive=True)
    assert len(children) > 2
    terminal.close()
    assert terminal.end() == 1
    assert not COLOUR.search(terminal.output)
    _, alive = psutil.wait_procs(children, timeout=BOUND)
    assert not alive
    assert states(tmp_path) == [OptunaState.WAITING] * 2
    with FileLock(RunFolder(tmp_path / "runs/first").lock, timeout=0):
        pass
    done = subprocess.run(
        resume("first"), cwd=tmp_path, capture_output=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"[2/2 trained" in done.stdout
    assert states(tmp_path) == [OptunaState.COMPLETE] * 2


def test_who_has_the_hangup_ignored_has_the_search_go_on_without_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal(command("--trials", "1"), tmp_path, deaf=True)
    terminal.wait_for(lambda: terminal.output.count(FRAME) > 2)
    terminal.close()
    assert terminal.end() == 0
    assert states(tmp_path) == [OptunaState.COMPLETE]
    assert RunFolder(tmp_path / "runs/first").report.is_file()


def test_a_pipe_that_nobody_reads_ends_the_search_in_order(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("first: 2 trials of 96 networks")
    process.stdout.close()
    assert process.wait(BOUND) == 1
    assert process.stderr.read() == ""
    # The line of the first trial could not be written; the trial itself was told before.
    assert set(states(tmp_path)) <= {OptunaState.COMPLETE, OptunaState.WAITING}
