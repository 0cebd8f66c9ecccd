"""Arguments of wrong types: every public name answers with InvalidInput, on one line."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nas

api: Any = nas  # calls that type checkers refuse
WRONG: tuple[object, ...] = (None, 3, True, -1, 2.5, "x", [], {}, object())
SPEC = nas.ArchSpec(
    backbone="shufflenet_v2",
    width=0.5,
    num_classes=10,
    in_channels=1,
    input_size=16,
    stem_stride=1,
    unit=nas.UnitSpec(kind="none"),
)
# Each call fails for other reasons, at the latest, so that nothing is trained or written.
CALLS: dict[str, dict[str, Any]] = {
    "ArchSpec": {"backbone": "shufflenet_v2"},
    "Budgets": {"max_mflops": "x"},
    "EpochMetrics": {"epoch": 1, "train_loss": 1.0, "seconds": None},
    "FullTraining": {},
    "Run": {"folder": None},
    "SearchSpace": {"definition": None},
    "TrainJob": {},
    "UnitSpec": {"kind": 3},
    "build": {"spec": None},
    "check_data": {"path": "none"},
    "count": {"spec": None},
    "evaluate": {"network": "none.pt"},
    "export": {"checkpoint": "none.pt"},
    "load_space": {"name_or_path": "none"},
    "objective": {"name": "Not a name"},
    "open_run": {"name": "none"},
    "search": {"space": "quickstart", "data": "digits", "sampler": "none", "recipe": "none"},
    "train": {"network": SPEC, "data": "digits", "recipe": "none", "pretrained": "none.pt"},
}
MADE_BY_THE_PROGRAM = {
    "Bundle", "ConfirmedFront", "Counts", "DataCheck", "Datasets", "Evaluated", "Front", "FrontPoint"
}  # fmt: skip
ERRORS = {"InvalidInput", "WorkFailed"}


def arguments_of(name: str) -> list[str]:
    """The names of the arguments of a public function or class."""
    what = getattr(nas, name)
    fields = getattr(what, "model_fields", None)
    return list(fields if fields is not None else inspect.signature(what).parameters)


def outcome(call: Callable[..., object], arguments: dict[str, Any]) -> str:
    """The message of InvalidInput; empty when there is none. Any other exception fails the test."""
    with contextlib.suppress(nas.InvalidInput):
        call(**arguments)
        return ""
    with pytest.raises(nas.InvalidInput) as caught:
        call(**arguments)
    return str(caught.value)


def test_every_public_name_is_tried() -> None:
    public = {name for name in nas.__all__ if not name.startswith("__")}
    assert public == {*CALLS, *MADE_BY_THE_PROGRAM, *ERRORS}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for argument in arguments_of(name):
        for value in WRONG:
            said = outcome(getattr(nas, name), {**CALLS[name], argument: value})
            assert "\n" not in said, (argument, value, said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: api.ArchSpec(), "ArchSpec: backbone: Field required"),
        (lambda: api.ArchSpec(backbone="foo"), "ArchSpec: unknown backbone 'foo'; allowed: "),
        (lambda: api.UnitSpec(colour=1), "UnitSpec: colour: unknown field; allowed: kind, dil"),
        (lambda: api.Budgets(max_params=True), "Budgets: max_params: .* number, got True"),
        (lambda: api.EpochMetrics(epoch=1), "EpochMetrics: train_loss: Field required .and 1 more"),
        (lambda: api.build("x"), "spec: 'x'; allowed: an ArchSpec"),
        (lambda: api.count(3), "spec: 3; allowed: an ArchSpec"),
        (lambda: api.open_run(None), "run name None: allowed are letters"),
        (lambda: api.search(limits=3), "space is missing; allowed: "),
        (
            lambda: api.search("quickstart", data="digits", limits=3),
            "limits: 3; allowed: a mapping",
        ),
        (lambda: api.search("quickstart", data="digits", objectives=7), "objectives: 7; allowed: "),
        (
            lambda: api.search("quickstart", data="digits", sampler=object()),
            "sampler: .*; allowed: a name, a class, a function of a seed, or the import path of one$",
        ),
        (
            lambda: api.search("quickstart", data="digits", sampler="none"),
            "sampler: unknown sampler 'none'; allowed: tpe, .*forecast, or one of your own: package",
        ),
        (
            lambda: api.search("quickstart", data="digits", evaluator=3),
            "evaluator: 3; allowed: a callable, or its import path$",
        ),
        (lambda: api.objective("error"), "objective 'error': .*latency_ms, npu_ms, mflops, params"),
        (lambda: api.search({"name": "a"}, data=3), "data: 3; allowed: a name, a callable"),
        (lambda: api.search("quickstart", data="digits", trials=True), "trials: .* got True"),
        (
            lambda: api.search("quickstart", data="digits", objectives="error,x"),
            "objectives: unknown objective 'x'; allowed: error, .*npu_ms, and those of your own",
        ),
        (
            lambda: api.search("quickstart", data="digits", limits={"foo": 1}),
            "limits foo=1: unknown objective 'foo'; allowed: mflops, ",
        ),
    ],
)
def test_the_message_says_what_and_what_is_allowed(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(nas.InvalidInput, match=f"^{message}"):
        call()


def test_a_file_is_no_folder_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "below"):
        with pytest.raises(
            nas.InvalidInput, match=r"^runs_dir: .*file is a file; allowed: a folder"
        ):
            nas.open_run("first", runs_dir=folder)
    monkeypatch.setenv("SKNAS_RUNS_DIR", os.fspath(file))
    with pytest.raises(nas.InvalidInput, match=r"^SKNAS_RUNS_DIR: .*file is a file"):
        nas.open_run("first")


def test_public_names_are_all_that_dir_shows() -> None:
    assert {name for name in dir(nas) if not name.startswith("__")} == {
        name for name in nas.__all__ if not name.startswith("__")
    }
