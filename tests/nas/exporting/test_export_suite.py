"""Latency benchmark suites: what they hold, how they are written and measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from blocks.deploy import fuse
from blocks.units import UNITS
from blocks.units.surgery import block_in
from nas.cost.latency import blocks_of, plain_of
from nas.errors import WorkFailed
from nas.exporting import Benchmark, benchmarks_of, suite, write_suite
from nas.exporting.evaluate import load

pytestmark = pytest.mark.integration

SPEC = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
    unit=UnitSpec(dilations=(1,), branch_act=True),
)  # fmt: skip
BENCHMARKS = benchmarks_of([SPEC], seed=0)
"""The plain network, this network, and six kinds of block, each without units and with them."""
OLD = Path(__file__).parent / "made_by_0.1.0/kit"
"""A suite of two blocks, BENCHMARKS[2:4], that version 0.1.0 wrote as a kit of pieces."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of one block for ONNX Runtime; for reading."""
    folder = tmp_path_factory.mktemp("suites") / "suite"
    write_suite(folder, BENCHMARKS[2:3], "onnx", "fp32")
    return folder


def measure(python: Path | str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), str(folder / "bench.py"), "--seconds", "0.002", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_every_benchmark_runs_without_pytorch(tmp_path: Path, bare_python: Path) -> None:
    assert len(BENCHMARKS) == 2 + 6 * 2
    folder = tmp_path / "suite"
    write_suite(folder, BENCHMARKS, "onnx", "fp32", workers=2)
    done = measure(bare_python, folder, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["key"] for one in found["latencies"]] == [benchmark.key for benchmark in BENCHMARKS]
    assert all(one["p50"] > 0 and one["n"] >= 100 for one in found["latencies"])
    archs = [one["arch"] for one in found["latencies"] if one["arch"] is not None]
    assert [ArchSpec.model_validate(arch).key for arch in archs] == [BENCHMARKS[0].key, SPEC.key]
    table = measure(bare_python, folder)
    assert "and 12 benchmarks of networks" in table.stdout


def test_a_benchmark_computes_what_the_block_does(tmp_path: Path) -> None:
    benchmark = next(one for one in BENCHMARKS if one.path == "stage3.1" and "sk" in one.key)
    torch.manual_seed(0)
    block = fuse(build(benchmark.spec), "graph").get_submodule(benchmark.path)
    torch.manual_seed(0)
    suite.export_benchmark(tmp_path, benchmark, "onnx", "fp32")
    image = torch.randn(benchmark.shape)
    run = load("onnx", tmp_path / benchmark.folder / "model.onnx")
    np.testing.assert_allclose(run(image.numpy()), block(image).detach().numpy(), atol=1e-5)


UNITS_EVERYWHERE = [
    *(UnitSpec(kind=kind) for kind in ("sk", "se", "nl", "snl", "gc", "cbam", "bam")),
    *(UnitSpec(kind="se", placement=place) for place in ("conv", "standard", "pre", "post")),
    *(UnitSpec(kind="sk", blocks=blocks) for blocks in [(0,), (-1,), (0, -1)]),
    UnitSpec(kind="bam", blocks=(-1,)),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone", ["shufflenet_v2", pytest.param("mobilenet_v2", marks=pytest.mark.long)]
)
@pytest.mark.parametrize("unit", UNITS_EVERYWHERE, ids=lambda unit: f"{unit.kind}{unit.blocks}")
def test_every_benchmark_holds_its_unit(unit: UnitSpec, backbone: str) -> None:
    spec = ArchSpec(backbone=backbone, width=0.5, num_classes=10, input_size=32, unit=unit)
    blocks = {one.path: one for one in blocks_of(backbone, spec.geometry)}
    found = [benchmark for benchmark in benchmarks_of([spec], seed=0, whole=0) if benchmark.path]
    changes: list[int] = []
    for benchmark in found:
        with torch.device("meta"):
            own = block_in(build(benchmark.spec), benchmark.path)
            plain = block_in(build(plain_of(spec)), benchmark.path)
        block = blocks[benchmark.path]
        stands = benchmark.spec.unit.at(block.stage)
        # The closed form knows what a unit adds; the module has to have it.
        added = sum(
            (UNITS[stands.kind].count(stands, point) - point.plain).params
            for point in block.insertion_points
        )
        sizes = [sum(value.numel() for value in one.parameters()) for one in (own, plain)]
        assert sizes[0] - sizes[1] == added
        changes.append(added)
    assert any(changes)


def test_benchmarks_in_eight_bits(tmp_path: Path) -> None:
    write_suite(tmp_path / "suite", BENCHMARKS[-1:], "onnx", "int8")
    found = json.loads((tmp_path / "suite/suite.json").read_text())
    (benchmark,) = found["benchmarks"]
    assert found["precision"] == "int8"
    assert [file["name"] for file in benchmark["files"]] == ["model.int8.onnx"]
    assert measure(sys.executable, tmp_path / "suite").returncode == 0


def test_what_is_there_is_not_exported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "suite"
    broken = Benchmark(BENCHMARKS[0].key, BENCHMARKS[0].spec, "no.such.block", BENCHMARKS[0].shape)
    with pytest.raises(WorkFailed, match=r"onnx: a benchmark could not be exported \(Attrib"):
        write_suite(folder, [BENCHMARKS[2], broken], "onnx", "fp32")
    assert not (folder / "suite.json").exists()
    there = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.onnx")}
    assert not list(folder.glob(".*/"))
    done: list[int] = []
    write_suite(folder, BENCHMARKS[2:4], "onnx", "fp32", progress=done.append)
    assert done[-1] == 2
    for path, changed in there.items():
        assert path.stat().st_mtime_ns == changed
    assert len(json.loads((folder / "suite.json").read_text())["benchmarks"]) == 2


@pytest.mark.long
def test_a_killed_export_leaves_no_process_and_is_continued(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from tests.nas.exporting.test_export_suite import BENCHMARKS\n"
        "from nas.exporting import write_suite\n"
        "if __name__ == '__main__':\n"
        "    write_suite(Path('suite'), BENCHMARKS, 'onnx', 'fp32')\n"
    )
    (tmp_path / "begin.py").write_text(code)
    paths = os.pathsep.join(sys.path)
    begun = subprocess.Popen(
        [sys.executable, "begin.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}
    )
    folder = tmp_path / "suite"
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("*/benchmark.json")):
            assert begun.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with pytest.raises(InvalidInput, match="another process is writing this suite"):
            write_suite(folder, BENCHMARKS, "onnx", "fp32")
        workers = psutil.Process(begun.pid).children(recursive=True)
    finally:
        begun.kill()
        begun.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    with pytest.raises(InvalidInput, match="begun for onnx-fp32"):
        write_suite(folder, BENCHMARKS, "onnx", "int8")
    (folder / ".half-leftover").mkdir()
    write_suite(folder, BENCHMARKS, "onnx", "fp32")
    assert not list(folder.glob(".*"))
    assert measure(sys.executable, folder).returncode == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda suite: (suite / "suite.json").write_text("{"), "suite.json: missing or damaged"),
        (lambda suite: (suite / "suite.json").write_text("[]"), "suite.json: missing or damaged"),
        (
            lambda suite: (suite / "suite.json").write_text(
                (suite / "suite.json").read_text().replace('"format": 2', '"format": 9')
            ),
            "format 9",
        ),
        (
            lambda suite: (suite / "suite.json").write_text(
                (suite / "suite.json").read_text().replace("model.onnx", "../../../etc/passwd")
            ),
            "passwd: missing",
        ),
        (lambda suite: next(suite.glob("*/model.onnx")).write_bytes(b"x"), "its checksum differs"),
        (lambda suite: next(suite.glob("*/model.onnx")).unlink(), "missing; export"),
    ],
    ids=["no JSON", "a list", "another format", "outside", "another file", "no file"],
)
def test_damaged_suites_are_refused_in_one_line(
    damage: Callable[[Path], object], message: str, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "suite"
    shutil.copytree(finished, folder)
    damage(folder)
    done = measure(sys.executable, folder)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert message in line


def test_a_suite_of_version_0_1_is_measured(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(OLD, folder)
    done = measure(sys.executable, finished, str(folder), "--json")
    assert done.returncode == 0, done.stderr
    latencies = json.loads(done.stdout)["latencies"]
    assert [one["key"] for one in latencies] == [one.key for one in BENCHMARKS[2:4]]
    (folder / "kit.json").write_text("{}")
    done = measure(sys.executable, finished, str(folder))
    assert done.returncode == 2
    assert "kit.json: missing or damaged" in done.stderr


def test_a_suite_of_version_0_1_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(OLD, folder)
    with pytest.raises(InvalidInput, match="holds a finished suite"):
        write_suite(folder, BENCHMARKS[2:4], "onnx", "fp32")


def test_an_unfinished_suite_of_version_0_1_is_completed(tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(OLD, folder)
    (folder / "kit.json").unlink()
    (folder / ".unfinished").touch()
    with pytest.raises(InvalidInput, match="begun for onnx-fp32"):
        write_suite(folder, BENCHMARKS[2:5], "onnx", "int8")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.onnx")}
    write_suite(folder, BENCHMARKS[2:5], "onnx", "fp32")
    assert len(before) == 2
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())
    entries = json.loads((folder / "suite.json").read_text())["benchmarks"]
    assert [one["key"] for one in entries] == [one.key for one in BENCHMARKS[2:5]]
    assert measure(sys.executable, folder).returncode == 0
