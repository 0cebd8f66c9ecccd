"""Wrong requests: one clear line on stderr, exit code 2 (or 1), and nothing that existed is lost."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blocks import ArchSpec
from nas.cli.main import main

ARCH = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16, stem_stride=1
)
SEARCH = ["search", "--space", "quickstart", "--data", "digits", "--trials", "2", "--name", "new"]


def nothing(folder: Path) -> None:
    """The run as it is."""


def write(name: str, text: str | bytes) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return prepare


def arch(text: str = "", **changes: object) -> Callable[[Path], None]:
    fields = ARCH.model_dump(mode="json") | changes
    return write("a.yaml", yaml.safe_dump(fields) + text)


def truncate(name: str, keep: float) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return prepare


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        text = (folder / name).read_text()
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new))

    return prepare


def append(name: str, text: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return prepare


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


CHECKPOINT = "runs/first/trials/0000/checkpoint.pt"
# what is prepared, the command, the exit code, what the line must say
CASES: dict[str, tuple[Callable[[Path], None], list[str], int, str]] = {
    "unknown command": (nothing, ["serach"], 2, "serach"),
    "unknown option": (nothing, [*SEARCH, "--trails", "3"], 2, "--trails"),
    "space missing": (nothing, ["search", "--data", "digits"], 2, "--space is missing; allowed:"),
    "data missing": (nothing, ["search", "--space", "quickstart"], 2, "--data is missing; allowed:"),
    "space unknown": (nothing, [*SEARCH, "--space", "x"], 2, "unknown space 'x'; allowed:"),
    "space file missing": (nothing, [*SEARCH, "--space", "x.yaml"], 2, "x.yaml: no such file"),
    "space file is no YAML": (
        write("x.yaml", "name: [1,"), [*SEARCH, "--space", "x.yaml"], 2, "not valid YAML at line",
    ),
    "space file is binary": (
        write("x.yaml", b"\xff\xfe\x00"), [*SEARCH, "--space", "x.yaml"], 2, "not a text file",
    ),
    "space with an unknown field": (
        write("x.yaml", "name: x\nabout: y\nfixed: {backbone: shufflenet_v2}\n"
              "vary: {unit.dilation: {choice: [[1]]}}\n"),
        [*SEARCH, "--space", "x.yaml"], 2, "unit.dilation",
    ),
    "data unknown": (nothing, [*SEARCH, "--data", "mnist"], 2, "mnist"),
    "data folder missing": (nothing, [*SEARCH, "--data", "imagefolder:/no/such"], 2, "/no/such"),
    "data folder without images": (nothing, [*SEARCH, "--data", "imagefolder:runs"], 2, "train"),
    "workers 0": (nothing, [*SEARCH, "--workers", "0"], 2, "nas: --workers: "),
    "workers -1": (nothing, [*SEARCH, "--workers", "-1"], 2, "nas: --workers: "),
    "workers no number": (nothing, [*SEARCH, "--workers", "two"], 2, "--workers': Input should be"),
    "trials 0": (nothing, [*SEARCH, "--trials", "0"], 2, "trials: "),
    "epochs 0": (nothing, [*SEARCH, "--epochs", "0"], 2, "nas: --epochs: "),
    "batch size 1": (nothing, [*SEARCH, "--batch-size", "1"], 2, "nas: --batch-size: "),
    "negative learning rate": (nothing, [*SEARCH, "--lr", "-0.1"], 2, "nas: --lr: "),
    "learning rate not a number": (nothing, [*SEARCH, "--lr", "nan"], 2, "nas: --lr: "),
    "seed below 0": (nothing, [*SEARCH, "--seed", "-1"], 2, "seed: "),
    "scale jitter above 1": (nothing, [*SEARCH, "--scale-jitter", "2"], 2, "nas: --scale-jitter: "),
    "limit 0": (nothing, [*SEARCH, "--limit", "0"], 2, "nas: --limit: "),
    "unknown sampler": (nothing, [*SEARCH, "--sampler", "cma"], 2, "allowed: tpe, nsga2"),
    "unknown recipe": (nothing, [*SEARCH, "--recipe", "x"], 2, "unknown recipe 'x'; allowed: proxy"),
    "gpus without a cluster": (
        nothing, [*SEARCH, "--gpus", "0.5"], 2, "nas: --gpus: only with --executor ray",
    ),
    "a cluster that is not there": (
        nothing,
        ["search", "--resume", "first", "--executor", "ray", "--ray-address", "127.0.0.1:1"],
        2, "no cluster at 127.0.0.1:1",
    ),
    "cluster without its executor": (
        nothing, ["search", "--resume", "first", "--ray-address", "x:1"], 2, "--ray-address: only with",
    ),
    "unknown executor": (nothing, [*SEARCH, "--executor", "slurm"], 2, "executor: "),
    "unknown objective": (
        nothing, [*SEARCH, "--objectives", "error,flops"], 2, "unknown objective 'flops'; allowed:",
    ),
    "objectives without error": (nothing, [*SEARCH, "--objectives", "mflops"], 2, "is missing"),
    "objective twice": (nothing, [*SEARCH, "--objectives", "error,error"], 2, "twice"),
    "impossible budget": (
        nothing, [*SEARCH, "--max-mflops", "0.001"], 2, "tightest is max_mflops 0.001: the smallest",
    ),
    "impossible pair of budgets": (
        nothing, [*SEARCH, "--max-mflops", "0.001", "--max-params", "9"], 2, "fits the budgets",
    ),
    "budget 0": (nothing, [*SEARCH, "--max-mflops", "0"], 2, "nas: --max-mflops: "),
    "budget not a number": (nothing, [*SEARCH, "--max-params", "nan"], 2, "nas: --max-params: "),
    "run name exists": (nothing, [*SEARCH, "--name", "first"], 2, "--resume first"),
    "run name leaves runs": (nothing, [*SEARCH, "--name", "../x"], 2, "run name '../x'"),
    "run name of a foreign folder": (
        write("runs/mine/notes.txt", "x"), [*SEARCH, "--name", "mine"], 2, "is not a run",
    ),
    "config missing": (nothing, ["search", "--config", "c.yaml"], 2, "c.yaml: no such file"),
    "config with an unknown field": (
        write("c.yaml", "space: quickstart\ndata: digits\ntrial: 3\n"),
        ["search", "--config", "c.yaml"], 2,
        "c.yaml: trial: unknown field; allowed: format, written_by, name, space",
    ),
    "config is a list": (write("c.yaml", "- 1\n"), ["search", "--config", "c.yaml"], 2, "mapping"),
    "config with a wrong type": (
        write("c.yaml", "space: quickstart\ndata: digits\ntrials: many\n"),
        ["search", "--config", "c.yaml"], 2, "c.yaml: trials: ",
    ),
    "storage of an unknown kind": (
        nothing, [*SEARCH, "--storage", "nosuchdb://x"], 2, "allowed: sqlite:///FILE, postgresql",
    ),
    "storage that is no address": (
        nothing, [*SEARCH, "--storage", "nonsense"], 2, "nas: --storage: not the address of a data",
    ),
    "storage that does not last": (
        nothing, [*SEARCH, "--storage", "sqlite:///"], 2, "in memory does not last; allowed: sqlite:",
    ),
    "storage that is a folder": (
        nothing, [*SEARCH, "--storage", "sqlite:///runs"], 2, "runs: a folder; allowed: sqlite:///FILE",
    ),
    "storage in no folder": (
        nothing, [*SEARCH, "--storage", "sqlite:///no/such.db"], 2, "no/such.db: there is no folder no",
    ),
    "storage by a name of SQLite's own": (
        nothing, [*SEARCH, "--storage", "sqlite:///file:study.db?uri=true"], 2, "does not last",
    ),
    "storage whose password has an @": (
        nothing, [*SEARCH, "--storage", "postgresql+psycopg://me:p@ss@127.0.0.1/x"], 2, "written %40",
    ),
    "storage without its package": (
        nothing, [*SEARCH, "--storage", "oracle://x"], 2, "the package for this kind of database is not",
    ),
    "storage out of reach": (
        nothing, [*SEARCH, "--storage", "postgresql+psycopg://me:secret@127.0.0.1:1/x"], 2,
        "postgresql+psycopg://me:***@127.0.0.1:1/x: cannot be reached: connection failed",
    ),
    "storage whose secret is no part of the name": (
        nothing, [*SEARCH, "--storage", "postgresql+psycopg://127.0.0.1:1/x?user=me&password=secret"], 2,
        "postgresql+psycopg://127.0.0.1:1/x: cannot be reached: connection failed",
    ),
    "storage with a port that is none": (
        nothing, [*SEARCH, "--storage", "postgresql+psycopg://me@127.0.0.1:port/x"], 2,
        "--storage: not the address of a database",
    ),
    "resume of no run": (nothing, ["search", "--resume", "second"], 2, "runs there are: first"),
    "resume with another space": (
        nothing, ["search", "--resume", "first", "--space", "table4"], 2, "--space cannot change",
    ),
    "resume with workers 0": (
        nothing, ["search", "--resume", "first", "--workers", "0"], 2, "--workers 0: allowed: 1",
    ),
    "resume with a damaged study": (
        truncate("runs/first/study.db", 0.4), ["search", "--resume", "first"], 2, "not a readable",
    ),
    "resume with a study of text": (
        write("runs/first/study.db", "hello"), ["search", "--resume", "first"], 2, "study.db",
    ),
    "resume with other objectives": (
        replace("runs/first/search.yaml", "[error, mflops]", "[error, params]"),
        ["search", "--resume", "first"], 2,
        "runs/first/search.yaml: objectives: error, params; the trials of this run have error, mflops",
    ),
    "pareto with other objectives": (
        replace("runs/first/search.yaml", "[error, mflops]", "[mflops, error]"),
        ["pareto", "first"], 2, "the trials of this run have error, mflops",
    ),
    "resume with format 0": (
        replace("runs/first/search.yaml", "format: 2", "format: 0"),
        ["search", "--resume", "first"], 2, "search.yaml: format: 0; allowed: 1, 2",
    ),
    "resume with a damaged config": (
        truncate("runs/first/search.yaml", 0.5), ["search", "--resume", "first"], 2, "search.yaml",
    ),
    "pareto of no run": (nothing, ["pareto", "second"], 2, "runs there are: first"),
    "pareto without a study": (
        remove("runs/first/study.db"), ["pareto", "first"], 2,
        "the study of this run is gone; 2 checkpoints left: nas export runs/first/trials/0000",
    ),
    "pareto with an unknown pick": (nothing, ["pareto", "first", "--pick", "best"], 2, "knee"),
    "pareto within an unknown limit": (
        nothing, ["pareto", "first", "--max", "foo=1"], 2,
        "nas: --max foo=1: unknown objective 'foo'; allowed: mflops",
    ),
    "pareto within too little": (
        nothing, ["pareto", "first", "--max-mflops", "0.01"], 2, "the nearest has",
    ),
    "pareto of an emptied config": (write("runs/first/search.yaml", ""), ["pareto", "first"], 2,
                                    "search.yaml"),
    "count of no file": (nothing, ["count", "b.yaml"], 2, "b.yaml: no such file"),
    "count of a folder": (nothing, ["count", "runs"], 2, "runs: cannot be read"),
    "count with an unknown field": (
        arch("colour: red\n"), ["count", "a.yaml"], 2, "a.yaml: colour: unknown field; allowed:",
    ),
    "count with an unknown unit field": (
        write("a.yaml", "backbone: shufflenet_v2\nunit: {kind: sk, M: 2}\n"),
        ["count", "a.yaml"], 2, "a.yaml: unit.M: unknown field; allowed: kind, dilations",
    ),
    "count of an unknown backbone": (
        arch(backbone="vgg"), ["count", "a.yaml"], 2, "unknown backbone 'vgg'; allowed: shuffle",
    ),
    "count of an unknown unit": (
        arch(unit={"kind": "sse"}), ["count", "a.yaml"], 2, "unknown unit 'sse'; allowed: none",
    ),
    "count of an unknown width": (
        arch(width=0.75), ["count", "a.yaml"], 2, "width: 0.75 does not exist here; allowed: 0.25",
    ),
    "count of an indivisible group": (
        arch(width=1.0, unit={"group_width": 4}), ["count", "a.yaml"], 2, "does not divide 58",
    ),
    "count of a stage that is not there": (
        write("a.yaml", "backbone: shufflenet_v2\nunit: {stages: {9: {kind: none}}}\n"),
        ["count", "a.yaml"], 2, "unit.stages.9: shufflenet_v2 has no such stage; allowed: 2, 3, 4",
    ),
    "count without branches": (
        write("a.yaml", "backbone: shufflenet_v2\nunit: {dilations: []}\n"),
        ["count", "a.yaml"], 2, "unit.dilations: ",
    ),
    "count of a dilation 0": (
        write("a.yaml", "backbone: shufflenet_v2\nunit: {dilations: [0]}\n"),
        ["count", "a.yaml"], 2, "dilations: 0 is below 1; 0, a 1x1 kernel, needs kernel: real",
    ),
    "train without data": (arch(), ["train", "a.yaml"], 2, "--data is missing"),
    "train with the wrong classes": (
        arch(num_classes=7), ["train", "a.yaml", "--data", "digits", "--epochs", "1"], 2,
        "the network has num_classes 7, the data digits has 10",
    ),
    "train of a trial that is not there": (
        nothing, ["train", "first", "--trial", "99"], 2, "no trained trial 99; there are: 0, 1",
    ),
    "train with missing weights": (
        arch(), ["train", "a.yaml", "--data", "digits", "--pretrained", "w.pt"], 2, "w.pt: no such",
    ),
    "train with an unknown start": (
        arch(), ["train", "a.yaml", "--data", "digits", "--start", "warm"], 2, "fresh, plain",
    ),
    "train with a start that is impossible": (
        arch(), ["train", "a.yaml", "--data", "digits", "--start", "plain"], 2, "branch_act: false",
    ),
    "export of no file": (nothing, ["export", "w.pt"], 2, "w.pt: no such file"),
    "export of a text file": (write("w.pt", "hello"), ["export", "w.pt"], 2, "w.pt: not a checkpoint"),
    "export of a truncated checkpoint": (
        truncate(CHECKPOINT, 0.7), ["export", CHECKPOINT], 2, "not a checkpoint, or a damaged one",
    ),
    # "backbone: ..." starts with one of pickle's opcodes, which finds nothing on its stack.
    "export of a network in place of a checkpoint": (
        nothing, ["export", "runs/first/trials/0000/arch.yaml"], 2, "not a checkpoint, or a damaged one",
    ),
    "export to an unknown target": (
        nothing, ["export", "first", "--targets", "onnx,tflite"], 2,
        "unknown export target 'tflite'; allowed: onnx",
    ),
    "export over a file": (
        nothing, ["export", "first", "--trial", "0", "--out", "runs/first/search.yaml"], 2, "a file",
    ),
    "export over a folder of other things": (
        nothing, ["export", "first", "--trial", "0", "--out", "runs/first"], 2, "with other files",
    ),
    "export here": (nothing, ["export", "first", "--trial", "0", "--out", "."], 2, "allowed"),
    "export of a trial and a pick": (
        nothing, ["export", "first", "--trial", "0", "--pick", "knee"], 2,
        "give one of --trial, --pick and a budget",
    ),
    "train on no device": (
        arch(), ["train", "a.yaml", "--data", "digits", "--devices", "0"], 2, "--devices 0: allowed:",
    ),
    "train on more devices than images of a batch": (
        arch(), ["train", "a.yaml", "--data", "digits", "--devices", "33", "--batch-size", "32"], 2,
        "a batch has 32 images; allowed: 1 to 32",
    ),
    "train of a pick and a budget": (
        nothing, ["train", "first", "--pick", "knee", "--max-mflops", "9"], 2,
        "give either --pick or a budget, not both",
    ),
    "search on a single image": (nothing, [*SEARCH, "--limit", "1"], 2, "at least 2 are needed"),
    "report of no run": (nothing, ["report", "second"], 2, "runs there are: first"),
    "report with a damaged study": (
        truncate("runs/first/study.db", 0.4), ["report", "first"], 2,
        "checkpoints left: nas export runs/first/trials/0000/checkpoint.pt",
    ),
}  # fmt: skip


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("case", list(CASES))
def test_a_wrong_request_gets_one_line_and_loses_nothing(
    case: str, in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare, command, code, says = CASES[case]
    prepare(in_run)
    before = fingerprints(in_run)
    assert main(command) == code
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert says in lines[0]
    after = fingerprints(in_run)
    lost = {name for name in before if after.get(name) != before[name]}
    assert not lost
    added = {name for name in after if name not in before and not name.startswith("lightning_logs")}
    assert added <= {"runs/a/train/" + name.split("/train/")[-1] for name in added}


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("storage")])
def test_a_search_without_a_storage_leaves_nothing(case: str, in_run: Path) -> None:
    _, command, code, _ = CASES[case]
    assert main(command) == code
    assert not (in_run / "runs/new").exists()


def test_a_storage_that_has_a_study_of_this_name_is_left_as_it_is(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (in_run / "runs/first").rename(in_run / "runs/other")
    storage = f"sqlite:///{in_run}/runs/other/study.db"
    before = fingerprints(in_run)
    assert main([*SEARCH, "--storage", storage, "--name", "first"]) == 2
    assert "runs/other/study.db: holds a study named 'first' already" in capfd.readouterr().err
    assert fingerprints(in_run) == before
    assert not (in_run / "runs/first").exists()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a document its numbers stand."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(part, dict | list):
            yield from leaves(part, (*path, key))
        elif isinstance(part, int | float):
            yield (*path, key)


def test_a_figure_of_a_run_that_is_no_number_is_refused(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = in_run / "runs/first/search.yaml"
    fields = yaml.safe_load(file.read_text())
    figures = list(leaves(fields))
    assert ("reference", 1) in figures
    assert ("recipe", "lr") in figures
    for path in figures:
        for bad in (float("nan"), float("inf")):
            changed = copy.deepcopy(fields)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = bad
            file.write_text(yaml.safe_dump(changed))
            assert main(["pareto", "first"]) == 2, path
            (line,) = capfd.readouterr().err.strip().splitlines()
            assert "search.yaml: " in line


def test_a_folder_in_place_of_the_front_is_named(
    in_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (in_run / "runs/first/pareto.json").unlink()
    (in_run / "runs/first/pareto.json").mkdir()
    assert main(["pareto", "first"]) == 1
    assert capfd.readouterr().err == "nas: runs/first/pareto.json: Is a directory\n"


def test_a_second_parent_is_refused(in_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    with FileLock(in_run / "runs/first/.lock"):
        assert main(["search", "--resume", "first", "--trials", "3"]) == 2
    assert "another process is working in this run" in capfd.readouterr().err


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from nas.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["train", "first", "--trial", "0", "--recipe", "tiny", "--epochs", "3", "--threads", "1"],
        pytest.param(["export", "first", "--trial", "0"], marks=pytest.mark.long),
        pytest.param(["report", "first"], marks=pytest.mark.long),
    ],
    ids=lambda command: command[0],
)
def test_a_disk_that_takes_no_more_gets_one_line_and_loses_nothing(
    in_run: Path, command: list[str]
) -> None:
    # No file may grow beyond 100 kB: the system refuses the write as a full disk does.
    before = fingerprints(in_run / "runs")
    done = subprocess.run(
        # -B: Python writes its compiled modules through the same limit, does not notice when they come
        # out short, and every later import of them fails.
        [sys.executable, "-B", "-c", LIMITED, "100000", *command],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("nas: ")
    assert "File too large" in line
    after = fingerprints(in_run / "runs")
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if name.endswith(".tmp")]
