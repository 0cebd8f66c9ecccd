"""The Python API: what ``import nas`` gives, and a search from the first call to the exported file."""

from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch

import nas
from nas.api.training import train_trial
from search_spaces import SpaceDefinition

pytestmark = pytest.mark.integration

SEARCH = {
    "space": "quickstart",
    "data": "digits",
    "recipe": "tiny",
    "trials": 3,
    "epochs": 1,
    "workers": 2,
    "threads": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nas.Run:
    """A finished search in given folders, with a budget that some proposals break."""
    folder = tmp_path_factory.mktemp("api")
    return nas.search(
        **SEARCH,  # type: ignore[arg-type]
        name="api",
        max_mflops=4,
        runs_dir=folder / "my runs",
        logs_dir=folder / "logs",
    )


def in_a_process(code: str, folder: Path) -> str:
    """What a program prints that runs in ``folder``, as a file without a main guard."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, script.name], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names_are_there_and_import_lazily(tmp_path: Path) -> None:
    code = """
        import sys, nas
        heavy = {"torch", "optuna", "pandas", "pytorch_lightning", "numpy"} & set(sys.modules)
        assert not heavy, heavy
        for name in nas.__all__:
            assert getattr(nas, name).__doc__, name
            assert name in dir(nas)
        print(nas.__version__)
    """
    assert in_a_process(code, tmp_path).strip() == nas.__version__
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        nas.serch  # noqa: B018


def test_functions_stay_what_they_are_when_their_packages_are_imported() -> None:
    import nas.api.searching
    import nas.cli.main

    assert nas.search is nas.api.searching.search
    assert callable(nas.export)
    assert callable(nas.train)


@pytest.mark.parametrize("method", ["train", "evaluate", "export"])
def test_methods_of_a_run_show_their_arguments(method: str) -> None:
    functions: dict[str, Callable[..., Any]] = {
        "train": train_trial,
        "evaluate": nas.evaluate,
        "export": nas.export,
    }
    its = dict(inspect.signature(functions[method]).parameters)
    shown = dict(inspect.signature(getattr(nas.Run, method)).parameters)
    for subject in ("run", "trial", "self", "network", "checkpoint", "artifact"):  # of a bundle
        its.pop(subject, None)
        shown.pop(subject, None)
    assert shown == its
    wrong: Any = {"foo": 1}
    with pytest.raises(TypeError, match=rf"^Run\.{method}\(\) got an unexpected keyword .*'foo'"):
        getattr(nas.Run, method)(None, 0, **wrong)


def test_a_run_knows_its_front_and_its_trials(run: nas.Run) -> None:
    assert run.front.objectives == ("error", "mflops")
    assert run.pick().trial == run.pick("knee").trial
    assert all(point.values[1] <= 4 for point in run.front.points)
    best = min(run.front.points, key=lambda point: point.values[0])
    assert run.pick(max_mflops=4) == best
    assert len([one for one in run.trials if one.state.value == "trained"]) == 3
    assert run.path.parent.name == "my runs"
    reopened = nas.open_run("api", runs_dir=run.path.parent)
    assert reopened.front == run.front
    assert "Pareto front" in run._repr_html_()


def test_a_run_as_a_table(run: nas.Run) -> None:
    table = run.to_dataframe()
    assert len(table) == len(run.trials)
    trained = table[table.state == "trained"]
    assert trained.error.between(0, 1).all()
    assert set(table[table.on_front].trial) == {point.trial for point in run.front.points}
    assert {"width", "unit.dilations", "unit.group_width"} <= set(table.columns)


def test_a_trained_network_is_loaded_trained_in_full_and_exported(
    run: nas.Run, tmp_path: Path
) -> None:
    knee = run.pick("knee")
    network = run.load(knee)
    assert not network.training
    record = next(one for one in run.trials if one.number == knee.trial)
    assert run.checkpoint(record) == run.checkpoint(knee.trial) == run.checkpoint(knee)
    wrong: Any = record.spec
    with pytest.raises(nas.InvalidInput, match=r"^trial .{1,80}: allowed: a number, a point of"):
        run.load(wrong)
    images = torch.rand(2, 1, 16, 16)
    assert network(images).shape == (2, 10)

    epochs: list[int] = []
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    filters = list(warnings.filters)
    done = run.train(
        knee, recipe="tiny", epochs=1, threads=1, on_epoch=lambda one: epochs.append(one.epoch)
    )
    assert epochs == [1]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert warnings.filters == filters
    assert 0 <= done.test_error <= 1
    assert done.checkpoint == run.checkpoint(knee)
    assert not torch.equal(run.load(knee)(images), network(images))

    bundle = run.export(knee, images=50, out=tmp_path / "bundle")
    assert bundle.path == tmp_path / "bundle"
    import onnxruntime

    session = onnxruntime.InferenceSession(bundle.path / bundle.manifest.artifacts[0].files[0].name)
    given = np.zeros((1, 1, 16, 16), dtype=np.float32)
    (logits,) = session.run(None, {session.get_inputs()[0].name: given})
    assert logits.shape == (1, 10)


@pytest.mark.parametrize("trial", [None, "1", 1.5, True])
def test_a_trial_is_a_number_or_a_point(run: nas.Run, trial: object) -> None:
    with pytest.raises(nas.InvalidInput, match=r"trial .*: allowed: a number, a point"):
        run.load(trial)  # type: ignore[arg-type]


def test_wrong_limits_and_targets_are_named(run: nas.Run) -> None:
    with pytest.raises(nas.InvalidInput, match="max_mflops='3': allowed: a number above 0"):
        run.pick(max_mflops="3")  # type: ignore[arg-type]
    with pytest.raises(nas.InvalidInput, match="targets: none"):
        run.export(run.pick(), targets=[])
    twice = {**SEARCH, "limits": {"mflops": 3}, "max_mflops": 2}
    with pytest.raises(nas.InvalidInput, match="limits mflops=3: bounded by 2 as well"):
        nas.search(**twice)  # type: ignore[arg-type]


def test_the_study_can_be_read_and_not_written(run: nas.Run) -> None:
    study = run.study
    assert len(study.trials) == len(run.trials)
    for write in (study.ask, lambda: study.set_user_attr("note", 1)):
        with pytest.raises(nas.InvalidInput, match=r"^the study of a run is read-only"):
            write()
    assert len(run.study.trials) == len(run.trials)


def test_logs_go_where_they_are_asked_for(run: nas.Run) -> None:
    assert list((run.path.parents[1] / "logs" / "api").rglob("events.out.tfevents.*"))
    assert not Path("lightning_logs/api").exists()


def test_reading_changes_nothing_of_the_caller(run: nas.Run) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        filters, level = list(warnings.filters), logging.getLogger("pytorch_lightning").level
        before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
        nas.open_run("api", runs_dir=run.path.parent).to_dataframe()
        assert run.study.trials
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
        assert warnings.filters == filters
        assert logging.getLogger("pytorch_lightning").level == level
        assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
    finally:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": "nowhere"}, "nowhere"),
        ({"data": "digts"}, "unknown data set 'digts'"),
        ({"trials": 0}, "^trials: .* greater than or equal to 1"),
        ({"max_mflops": -1}, "^max_mflops: "),
        ({"max_mflops": 0.001}, "no network of space quickstart fits the budgets"),
        ({"objectives": ["error", "smiles"]}, "unknown objective 'smiles'"),
        ({"resume": "nothing"}, "nothing: no such run"),
    ],
)
def test_wrong_arguments_are_exceptions_of_one_line(
    arguments: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(nas.InvalidInput, match=message) as caught:
        nas.search(**{**SEARCH, "runs_dir": tmp_path / "runs", **arguments})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    printed = in_a_process(
        """
        print("begin")
        import nas
        run = nas.search("quickstart", data="digits", recipe="tiny", trials=1, epochs=1, name="script",
                         threads=1, progress=False)
        print(len(run.front.points), "on the front")
        """,
        tmp_path,
    )
    assert printed.split("\n")[:2] == ["begin", "1 on the front"]
    output = tmp_path / "runs/script/trials/0000/output.txt"
    assert not output.is_file() or "begin" not in output.read_text()


def test_a_search_in_another_folder_of_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook changes folders between cells, while the server of trainings goes on."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        run = nas.search(**{**SEARCH, "trials": 1, "name": name})  # type: ignore[arg-type]
        assert run.front.points
        assert (tmp_path / name / "runs" / name / "trials/0000/checkpoint.pt").is_file()
    assert not list((tmp_path / "one/runs").glob("two"))


def test_a_space_may_be_an_object(tmp_path: Path) -> None:
    definition = {
        "name": "two",
        "fixed": {"backbone": "shufflenet_v2", "width": 0.5, "unit.kind": "sk"},
        "vary": {"unit.dilations": {"choice": [[1], [1, 2]]}},
    }
    space = nas.SearchSpace(SpaceDefinition.model_validate(definition))
    with pytest.raises(nas.InvalidInput, match="no network of space two fits the budgets"):
        nas.search(space, data="digits", max_params=1, runs_dir=tmp_path)


def test_folders_from_the_environment(run: nas.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKNAS_RUNS_DIR", os.fspath(run.path.parent))
    assert nas.open_run("api").name == "api"
