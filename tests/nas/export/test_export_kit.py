"""Kits: what is measured on a device, and how it comes there."""

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
from nas.export import Piece, kit, pieces_of, write_kit
from nas.export.evaluate import load

SPEC = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
    unit=UnitSpec(dilations=(1,), branch_act=True),
)  # fmt: skip
PIECES = pieces_of([SPEC], seed=0)
"""The plain network and this one, and of each of six kinds of block the plain one and one with units."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit for ONNX Runtime; for reading."""
    folder = tmp_path_factory.mktemp("kits") / "kit"
    write_kit(folder, PIECES, "onnx", "fp32", workers=2)
    return folder


def measure(python: Path | str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), str(folder / "bench.py"), "--seconds", "0.002", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_every_piece_is_measured_where_pytorch_is_not(finished: Path, bare_python: Path) -> None:
    assert len(PIECES) == 2 + 6 * 2
    answer = measure(bare_python, finished, "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [one["key"] for one in found["latencies"]] == [piece.key for piece in PIECES]
    assert all(one["p50"] > 0 and one["n"] >= 100 for one in found["latencies"])
    archs = [one["arch"] for one in found["latencies"] if one["arch"] is not None]
    assert [ArchSpec.model_validate(arch).key for arch in archs] == [PIECES[0].key, SPEC.key]
    table = measure(bare_python, finished)
    assert "and 12 pieces of networks" in table.stdout


def test_a_piece_computes_what_the_block_does(tmp_path: Path) -> None:
    piece = next(one for one in PIECES if one.path == "stage3.1" and "sk" in one.key)
    torch.manual_seed(0)
    block = fuse(build(piece.spec), "graph").get_submodule(piece.path)
    torch.manual_seed(0)
    kit.export_piece(tmp_path, piece, "onnx", "fp32")
    image = torch.randn(piece.shape)
    run = load("onnx", tmp_path / piece.folder / "model.onnx")
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
def test_every_piece_holds_its_unit(unit: UnitSpec, backbone: str) -> None:
    spec = ArchSpec(backbone=backbone, width=0.5, num_classes=10, input_size=32, unit=unit)
    blocks = {one.path: one for one in blocks_of(backbone, spec.geometry)}
    found = [piece for piece in pieces_of([spec], seed=0, whole=0) if piece.path]
    changes: list[int] = []
    for piece in found:
        with torch.device("meta"):
            own = block_in(build(piece.spec), piece.path)
            plain = block_in(build(plain_of(spec)), piece.path)
        block = blocks[piece.path]
        stands = piece.spec.unit.at(block.stage)
        # The closed form knows what a unit adds; the module has to have it.
        added = sum(
            (UNITS[stands.kind].count(stands, site) - site.plain).params for site in block.sites
        )
        sizes = [sum(value.numel() for value in one.parameters()) for one in (own, plain)]
        assert sizes[0] - sizes[1] == added
        changes.append(added)
    assert any(changes)


def test_pieces_in_eight_bits(tmp_path: Path) -> None:
    write_kit(tmp_path / "kit", PIECES[-1:], "onnx", "int8")
    found = json.loads((tmp_path / "kit/kit.json").read_text())
    (piece,) = found["pieces"]
    assert found["precision"] == "int8"
    assert [file["name"] for file in piece["files"]] == ["model.int8.onnx"]
    assert measure(sys.executable, tmp_path / "kit").returncode == 0


def test_what_is_there_is_not_exported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kit"
    broken = Piece(PIECES[0].key, PIECES[0].spec, "no.such.block", PIECES[0].shape)
    with pytest.raises(WorkFailed, match=r"onnx: a piece could not be exported \(Attrib"):
        write_kit(folder, [*PIECES[2:4], broken], "onnx", "fp32")
    assert not (folder / "kit.json").exists()
    there = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.onnx")}
    assert not list(folder.glob(".*/"))
    done: list[int] = []
    write_kit(folder, PIECES[2:5], "onnx", "fp32", progress=done.append)
    assert done[-1] == 3
    for path, changed in there.items():
        assert path.stat().st_mtime_ns == changed
    assert len(json.loads((folder / "kit.json").read_text())["pieces"]) == 3


@pytest.mark.long
def test_a_killed_kit_leaves_no_process_and_is_gone_on_with(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from test_export_kit import PIECES\n"
        "from nas.export import write_kit\n"
        "if __name__ == '__main__':\n"
        "    write_kit(Path('kit'), PIECES, 'onnx', 'fp32')\n"
    )
    (tmp_path / "begin.py").write_text(code)
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    begun = subprocess.Popen(
        [sys.executable, "begin.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}
    )
    folder = tmp_path / "kit"
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("*/piece.json")):
            assert begun.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with pytest.raises(InvalidInput, match="another process is writing this kit"):
            write_kit(folder, PIECES, "onnx", "fp32")
        workers = psutil.Process(begun.pid).children(recursive=True)
    finally:
        begun.kill()
        begun.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    with pytest.raises(InvalidInput, match="begun for onnx-fp32"):
        write_kit(folder, PIECES, "onnx", "int8")
    (folder / ".half-leftover").mkdir()
    write_kit(folder, PIECES, "onnx", "fp32")
    assert not list(folder.glob(".*"))
    assert measure(sys.executable, folder).returncode == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda kit: (kit / "kit.json").write_text("{"), "kit.json: missing or broken"),
        (lambda kit: (kit / "kit.json").write_text("[]"), "kit.json: missing or broken"),
        (
            lambda kit: (kit / "kit.json").write_text(
                (kit / "kit.json").read_text().replace('"format": 1', '"format": 9')
            ),
            "format 9",
        ),
        (
            lambda kit: (kit / "kit.json").write_text(
                (kit / "kit.json").read_text().replace("model.onnx", "../../../etc/passwd")
            ),
            "passwd: missing",
        ),
        (lambda kit: next(kit.glob("*/model.onnx")).write_bytes(b"x"), "its checksum differs"),
        (lambda kit: next(kit.glob("*/model.onnx")).unlink(), "missing; export"),
    ],
    ids=["no JSON", "a list", "another format", "outside", "another file", "no file"],
)
def test_damaged_kits_are_refused_in_one_line(
    damage: Callable[[Path], object], message: str, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(finished, folder)
    damage(folder)
    answer = measure(sys.executable, folder)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.strip().splitlines()
    assert message in line
