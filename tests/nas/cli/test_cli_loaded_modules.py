"""What a command imports before it does its work: seconds that everybody waits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from nas.analysis import SCALES
from nas.cli.group import COMMANDS
from nas.cli.main import app

pytestmark = pytest.mark.integration

KEPT = Path(__file__).parents[1] / "runs" / "made_by_0.1.0"
TORCH = (
    "torch",
    "torchvision",
    "lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "torchmetrics",
)
HEAVY = (*TORCH, "sklearn", "scipy", "optuna", "plotly", "sqlalchemy")
RUN = """
import json, sys
from nas.cli.main import main
code = main(sys.argv[2:])
loaded = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
print("\\nLOADED", json.dumps([code, loaded]))
"""


def loaded(
    words: list[str], modules: tuple[str, ...], folder: Path, **variables: str
) -> tuple[int, list[str], str]:
    """Exit code of a command, which of the modules it has imported, and what it printed."""
    answer = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(modules), *words],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "LOADED" in answer.stdout, answer.stderr
    printed, _, last = answer.stdout.rpartition("\nLOADED")
    code, names = json.loads(last)
    return code, names, printed + answer.stderr


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with runs/before and runs/paused, without checkpoints."""
    shutil.copytree(KEPT, tmp_path / "runs")
    return tmp_path


WITH_HELP = [
    [],
    *([name] for name in COMMANDS),
    ["latency", "suite"],
    ["latency", "import"],
    ["data", "check"],
]


@pytest.mark.parametrize("command", WITH_HELP, ids=" ".join)
def test_help_imports_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    code, names, printed = loaded([*command, "--help"], HEAVY, tmp_path)
    assert (code, names) == (0, [])
    assert f"Usage: nas {' '.join(command)}".strip() in printed


def test_the_help_of_the_program_imports_no_command(tmp_path: Path) -> None:
    light = ("numpy", "pydantic", "rich.console", "nas.cli.search")
    assert loaded(["--help"], light, tmp_path)[:2] == (0, [])


WRONG = {
    "option": (["pareto", "before", "--picks", "knee"], 2),
    "command": (["paretto", "before"], 2),
    "space missing": (["search", "--data", "digits"], 2),
    "data missing": (["search", "--space", "quickstart"], 2),
    "argument missing": (["report"], 2),
    "number": (["train", "before", "--trial", "two"], 2),
    "limit": (["pareto", "before", "--max-mflops", "-1"], 2),
    "target": (["export", "before", "--targets", "tflite"], 2),
    "start": (["train", "before", "--start", "warm"], 2),
    "recipe": (["train", "before", "--recipe", "x"], 2),
    "sampler": (["search", "--space", "quickstart", "--data", "digits", "--sampler", "x"], 2),
    "recipe of a search": (["search", "--space", "x", "--data", "digits", "--recipe", "x"], 2),
    "pareto of no run": (["pareto", "nowhere"], 2),
    "confirm of no run": (["confirm", "nowhere"], 2),
    "report of no run": (["report", "nowhere"], 2),
    "train of no run": (["train", "nowhere"], 2),
    "export of no run": (["export", "nowhere", "--pick", "knee"], 2),
    "attention of no run": (["attention", "nowhere"], 2),
    "dashboard of no run": (["dashboard", "nowhere"], 2),
    "resume of no run": (["search", "--resume", "nowhere"], 2),
    "deleting no run": (["runs", "--delete", "nowhere"], 2),
    "bench of no bundle": (["bench", "nowhere"], 2),
    "demo of no bundle": (["demo", "nowhere"], 2),
    "a table that is none": (["tables", "99"], 2),
    "a check of nothing": (["data", "check", "nowhere"], 2),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_imports_nothing_heavy(case: str, runs: Path) -> None:
    words, wanted = WRONG[case]
    code, names, printed = loaded(words, HEAVY, runs)
    assert (code, len(printed.strip().splitlines())) == (wanted, 1), printed
    assert names == []


COMPLETED = {
    "commands": ("nas pa", "pareto"),
    "options": ("nas pareto before --pi", "--pick"),
    "runs": ("nas pareto be", "before"),
    "runs to continue": ("nas search --resume pa", "paused"),
    "spaces": ("nas search --space quick", "quickstart"),
    "data sets": ("nas search --data fash", "fashion_mnist"),
    "devices": ("nas search --device pi", "pi4"),
    "samplers": ("nas search --sampler dens", "density"),
    "recipes": ("nas search --recipe ti", "tiny"),
    "trials": ("nas train before --trial 1", "12"),
}


@pytest.mark.parametrize("case", COMPLETED)
def test_completion_imports_nothing_heavy(case: str, runs: Path) -> None:
    line, wanted = COMPLETED[case]
    (runs / "devices").mkdir()
    (runs / "devices/pi4.json").write_text("{}")
    (runs / "runs/before/trials/0012").mkdir()
    (runs / "runs/before/trials/0012/checkpoint.pt").touch()
    *_, last = range(len(line.split()))
    variables = {"_NAS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(last)}
    code, names, printed = loaded([], HEAVY, runs, **variables)
    assert (code, names) == (0, [])
    assert wanted in printed.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str, tmp_path: Path) -> None:
    variables = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    code, names, printed = loaded(["--show-completion", shell], HEAVY, tmp_path, **variables)
    assert (code, names) == (0, [])
    assert "_NAS_COMPLETE=complete_" + shell in printed


READING = {
    "pareto": ["pareto", "before"],
    "pareto as JSON": ["pareto", "before", "--json"],
    "the knee": ["pareto", "before", "--pick", "knee"],
    "a budget of an objective": ["pareto", "before", "--max-mflops", "1000"],
    "report": ["report", "before"],
    "runs": ["runs"],
    "deleting a run": ["runs", "--delete", "before", "--yes"],
}


@pytest.mark.parametrize("case", READING)
def test_a_run_is_read_without_torch(case: str, runs: Path) -> None:
    code, names, printed = loaded(READING[case], TORCH, runs)
    assert (code, names) == (0, []), printed


def test_a_confirmed_run_is_read_without_torch(runs: Path) -> None:
    folder = runs / "runs/before/confirm"
    folder.mkdir()
    (folder / "confirm.json").write_text('{"format": 1, "repeats": []}')
    code, names, printed = loaded(["pareto", "before"], (*TORCH, "optuna", "sklearn"), runs)
    assert (code, names) == (0, []), printed
    assert "0 further trainings" in printed


LIGHT = {name: READING[name] for name in READING if name != "report"}


@pytest.mark.parametrize("case", LIGHT)
def test_a_run_is_read_without_optuna(case: str, runs: Path) -> None:
    code, names, printed = loaded(LIGHT[case], (*HEAVY, "numpy"), runs)
    assert (code, names) == (0, []), printed


def test_a_front_that_is_not_stored_is_the_same(runs: Path) -> None:
    stored = loaded(["pareto", "before", "--json"], HEAVY, runs)[2]
    (runs / "runs/before/pareto.json").unlink()
    code, _, printed = loaded(["pareto", "before", "--json"], HEAVY, runs)
    assert (code, printed) == (0, stored)


def test_a_budget_that_the_run_has_not_stored_is_counted(runs: Path) -> None:
    words = ["pareto", "before", "--max-params", "1000000000"]
    code, names, _ = loaded(words, ("torch",), runs)
    assert (code, names) == (0, ["torch"])


def test_the_lines_of_help_are_those_of_the_commands() -> None:
    group = typer.main.get_command(app)
    for name, line in COMMANDS.items():
        command = group.commands[name]  # type: ignore[attr-defined]
        assert command.help.splitlines()[0] == line


def test_the_default_scales_in_the_help_are_those_of_the_analysis() -> None:
    command = typer.main.get_command(app).commands["attention"]  # type: ignore[attr-defined]
    (option,) = [one for one in command.params if one.name == "scales"]
    assert option.help.endswith(f"default {','.join(map(str, SCALES))}.")
