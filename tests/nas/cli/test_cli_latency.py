"""From a measured latency benchmark suite to a search with a latency budget."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.cli.latency import default_folder
from nas.cli.main import main
from nas.cost import load_table
from nas.runs import RunFolder, TrialState
from nas.searching import read_run
from search_spaces import load_space

pytestmark = [pytest.mark.slow]
SPACE = """
name: small
about: Eight networks.
fixed: {backbone: shufflenet_v2, width: 0.5, stem_stride: 2}
vary:
  unit.dilations: {choice: [[1], [1, 2]]}
  unit.group_width: {choice: [1, 2]}
  unit.branch_act: {choice: [false, true]}
"""
SUITE = ["latency", "suite", "--space", "small.yaml", "--data", "digits", "--target", "ncnn"]
SEARCH = [
    "search", "--space", "small.yaml", "--data", "digits", "--recipe", "tiny", "--epochs", "1",
    "--seed", "0", "--workers", "2", "--device", "here",
]  # fmt: skip


@pytest.fixture(scope="session")
def measured(made_once: Callable[..., Path]) -> Path:
    """A folder with a suite, its measurements and the table of this machine; for reading."""

    def make() -> None:
        Path("small.yaml").write_text(SPACE)
        assert main([*SUITE, "--out", "suite"]) == 0
        command = [sys.executable, "suite/bench.py", "--seconds", "0.02", "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        Path("measurements.json").write_text(done.stdout)
        words = ["latency", "import", "measurements.json", "--device", "here", "--allow-busy"]
        assert main(words) == 0

    return made_once("measured", make)


@pytest.fixture
def here(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with copies that a test may damage."""
    for name in ("small.yaml", "measurements.json"):
        shutil.copy(measured / name, tmp_path)
    shutil.copytree(measured / "devices", tmp_path / "devices")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capfd: pytest.CaptureFixture[str]) -> str:
    (line,) = capfd.readouterr().err.strip().splitlines()
    return line


def networks(name: str = "here") -> dict[str, float]:
    """Milliseconds of every network of the space, by key."""
    table = load_table(name)
    space = load_space("small.yaml").bind(num_classes=10, in_channels=1, input_size=16)
    return {spec.key: table.predict(spec) for spec in space.enumerate()}


def test_a_search_keeps_the_limit_and_minimises_what_the_device_takes(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    milliseconds = networks()
    limit = sorted(milliseconds.values())[len(milliseconds) // 2]
    words = [*SEARCH, "--trials", "3", "--objectives", "error,latency_ms", "--name", "first"]
    assert main([*words, "--max-latency-ms", str(limit)]) == 0
    # The run keeps the table: it goes on, and is read, where the file of the device is gone.
    shutil.rmtree("devices")
    config, records = read_run(RunFolder.existing("first"))
    trained = [one for one in records if one.state is TrialState.TRAINED]
    assert len(trained) == 3
    for one in trained:
        assert one.values[1] == pytest.approx(milliseconds[one.key])
        assert one.values[1] <= limit
    assert config.reference_point[1] == pytest.approx(limit)
    assert main(["search", "--resume", "first", "--trials", "4"]) == 0
    capfd.readouterr()
    front = json.loads(Path("runs/first/pareto.json").read_text())["front"]
    fastest = min(point["values"]["latency_ms"] for point in front)
    assert main(["pareto", "first", "--max-latency-ms", str(fastest), "--json"]) == 0
    picked = json.loads(capfd.readouterr().out)["pick"]
    assert picked["values"]["latency_ms"] == fastest
    assert "latency (ms)" in Path("runs/first/report.html").read_text()


def test_a_limit_that_nothing_keeps_names_the_fastest(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*SEARCH, "--trials", "1", "--max-latency-ms", "0.0001"]) == 2
    line = refusal(capfd)
    assert "max_latency_ms 0.0001" in line
    assert f"{min(networks().values()):.6g}" in line
    assert not Path("runs").exists()


def test_a_device_of_another_space_is_refused_before_anything_is_written(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*SEARCH, "--trials", "1", "--max-latency-ms", "9", "--space", "mobilenet_v2_sk"]
    assert main(words) == 2
    assert "device here: has no measurements for mobilenet_v2" in refusal(capfd)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-latency-ms", "3"], "max_latency_ms: only with --device"),
        (["--objectives", "error,latency_ms"], "latency_ms: only with --device"),
        (["--device", "pi9"], "device pi9: no file devices/pi9.json; allowed: here"),
        (["--device", "here", "--max-latency-ms", "-1"], "--max-latency-ms"),
    ],
)
def test_a_search_without_what_latency_needs_is_refused(
    words: list[str], message: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = ["search", "--space", "small.yaml", "--data", "digits", "--trials", "1"]
    assert main([*base, *words]) == 2
    assert message in refusal(capfd)
    assert not Path("runs").exists()


def test_count_tells_the_latency(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    space = load_space("small.yaml").bind(num_classes=10, in_channels=1, input_size=16)
    spec = list(space.enumerate())[-1]
    Path("arch.yaml").write_text(spec.to_yaml())
    assert main(["count", "arch.yaml", "--device", "here", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["latency_ms"] == pytest.approx(networks()[spec.key])
    assert main(["count", "arch.yaml", "--device", "here"]) == 0
    assert "on here: " in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.json", "--device", "x"], "none.json: no such file"),
        (["small.yaml", "--device", "x"], "small.yaml: not JSON"),
        (["measurements.json", "--device", "../x"], "--device ../x: allowed: "),
        (
            ["measurements.json", "--device", "x", "--network", "onnx-int8"],
            "no benchmarks of networks for",
        ),
    ],
)
def test_files_without_measurements_leave_no_table(
    words: list[str], message: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*"))
    assert main(["latency", "import", *words]) == 2
    assert message in refusal(capfd)
    assert sorted(here.rglob("*")) == before


def test_a_space_or_data_cannot_name_a_folder_elsewhere() -> None:
    latency = Path("runs/latency")
    folder = default_folder("../../x", "imagefolder:/home/me", "onnx", "int8")
    assert folder.parent == latency
    assert folder.resolve().parent == latency.resolve()
    assert default_folder("small", "digits", "ncnn", "fp32") == latency / "small-digits-ncnn"


def test_a_suite_is_not_written_over(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(measured)
    assert main([*SUITE, "--out", "suite"]) == 2
    assert "suite: holds a finished suite" in refusal(capfd)
    assert main([*SUITE, "--out", "devices"]) == 2
    assert "devices: holds something else" in refusal(capfd)


def test_the_command_of_version_0_1_is_an_alias(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(measured)
    assert main(["latency", "kit", *SUITE[2:], "--out", "suite"]) == 2
    assert "suite: holds a finished suite" in refusal(capfd)
    assert main(["latency", "--help"]) == 0
    commands = capfd.readouterr().out
    assert "suite" in commands
    assert "kit" not in commands
