"""The command as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.cli.main import main
from nas.doctor.course import Pace
from nas.doctor.runtimes import Runtime

pytestmark = pytest.mark.integration

WELL = Runtime(name="onnx", difference=1e-6, milliseconds=0.1)
AILING = Runtime(name="onnx", problem="the process crashed (SIGSEGV)")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def with_runtimes(monkeypatch: pytest.MonkeyPatch, onnx: Runtime) -> None:
    """The runtimes have tests of their own; here litert is always ill."""
    ill = Runtime(name="litert", problem="ImportError: no litert")
    known = {"onnx": onnx, "litert": ill}
    monkeypatch.setattr(
        "nas.doctor.diagnosis.try_runtime", lambda name: known.get(name, Runtime(name=name))
    )
    chip = "compiles a network for ethos-u55-32"
    monkeypatch.setattr("nas.doctor.diagnosis.try_chip", lambda name: Runtime(name=name, done=chip))


@pytest.mark.slow
def test_json_says_what_was_found_and_what_a_search_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_runtimes(monkeypatch, WELL)
    monkeypatch.setattr("nas.doctor.sweep.SECONDS", 0.5)
    command = ["doctor", "--recipe", "tiny", "--epochs", "2", "--workers", "2", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["works"] is True
    assert found["problems"] == []
    assert [one["name"] for one in found["runtimes"]] == [
        "onnx", "executorch", "litert", "ncnn", "tflm", "ethos_u",
    ]  # fmt: skip
    assert found["machine"]["cores"] >= 1
    assert found["disk"]["folder"] == str(Path("runs").absolute())
    sweep = found["sweep"]
    assert (sweep["recipe_epochs"], sweep["workers"], sweep["problem"]) == (2, 2, None)
    assert 0 < sweep["least"] <= sweep["minutes"] <= sweep["most"]
    # Two epochs of 36 steps, ten networks, two at a time: at least the steps themselves.
    assert sweep["minutes"] > sweep["step_seconds"] * 2 * 35 * 10 / 2 / 60
    assert not Path("runs").exists()


def test_what_a_search_needs_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_runtimes(monkeypatch, AILING)
    monkeypatch.setattr("nas.doctor.sweep.TIMEOUT", 0.1)
    assert main(["doctor"]) == 1
    captured = capsys.readouterr()
    assert "runtime  litert: ImportError: no litert" in captured.out
    assert "runtime  ethos_u: works; compiles a network for ethos-u55-32" in captured.out
    assert "cannot be estimated: not finished after 0.1 seconds" in captured.out
    (line,) = captured.err.splitlines()
    assert "runtime onnx: the process crashed (SIGSEGV)" in line
    assert "a training fails: not finished" in line
    assert "litert" not in line, "no search and no ONNX export needs it"
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--space", "x"], "unknown space 'x'; allowed:"),
        (["--data", "x"], "unknown data set 'x'"),
        (["--data", "imagefolder:nowhere"], "the image folder nowhere does not exist"),
        (["--recipe", "x"], "x"),
        (["--epochs", "0"], "--epochs"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_tried(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert says in line


def test_a_training_is_its_steps_its_validations_and_its_checkpoints() -> None:
    pace = Pace(begin=5, step=0.5, steps=4, steps_per_epoch=20, validation=2, checkpoint=1)
    assert pace.training(3) == 5 + 3 * (20 * 0.5 + 2 + 1)
