"""Files for microcontrollers that break the memory budget of their search are not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

import nas
from nas.cli.main import main
from nas.cost.microcontroller import memory_of
from nas.errors import WorkFailed
from nas.exporting.making import Made, Making
from nas.exporting.memory_budget import MemoryBudget, budget_of, check_memory
from nas.exporting.targets import Arena, Npu, Wishes, Written
from tests.nas.conftest import MadeOnce, made_once

__all__ = ["made_once"]

LIMIT = 80.0


def arena(head: int, flash: int = 0) -> Arena:
    return Arena(head=head, tail=0, flash=flash, operators=())


def made(tmp_path: Path, float_layers: tuple[str, ...] = (), **measured: object) -> Made:
    file = tmp_path / "model.tflm.tflite"
    file.touch()
    written = Written((file,), **measured)  # type: ignore[arg-type]
    return Made("tflm", "int8", written, float_layers)


SPEC = nas.ArchSpec(
    backbone="mobilenet_v2", width=0.1, num_classes=10, in_channels=1, input_size=16,
    unit=nas.UnitSpec(kind="none"),
)  # fmt: skip


def test_a_file_over_the_budget_fails_with_its_figures_and_a_way_out(tmp_path: Path) -> None:
    one = made(tmp_path, ("fc",), arena=arena(2049, 3072))
    making = Making([one])
    check_memory(making, MemoryBudget("tflm", 2, 2.5), Wishes(rgb=True, io="float32"), SPEC)
    assert making.made == []
    memory = memory_of(SPEC)
    assert making.failed == {
        "tflm-int8": "it breaks the budget of the search: SRAM 2.0 KiB measured, "
        f"{memory.arena / 1024:,.1f} predicted, budget 2; flash memory 3.0 KiB measured, "
        f"{memory.file / 1024:,.1f} predicted, budget 2.5; allowed: no rgb, io='int8', a network that "
        "needs no layers in float32 (fc), a smaller network"
    }
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_too_large_is_not_blamed_on_the_options(tmp_path: Path) -> None:
    making = Making([made(tmp_path, arena=arena(4096))])
    check_memory(making, MemoryBudget("tflm", 2, None), Wishes(), SPEC)
    assert making.failed["tflm-int8"].endswith("budget 2; allowed: a smaller network")


@pytest.mark.parametrize(
    ("budget", "breaks"),
    [
        (MemoryBudget("tflm", 2, 3), False),  # the limits are inclusive
        (MemoryBudget("tflm", None, None), False),
        (MemoryBudget("ethos-u55-128", 1, 1), False),  # another chip's memory
        (MemoryBudget("tflm", None, 2), True),
    ],
)
def test_limits(tmp_path: Path, budget: MemoryBudget, breaks: bool) -> None:
    one = made(tmp_path, arena=arena(2048, 3072))
    assert bool(budget.broken_by(one)) is breaks


def test_an_accelerator_has_a_budget_of_its_own(tmp_path: Path) -> None:
    npu = Npu("ethos-u55-128", 2049, 10, 1, 1.0, 1, 0)
    one = made(tmp_path, npu=npu)
    assert MemoryBudget("ethos-u55-128", 2, None).broken_by(one)
    assert not MemoryBudget("ethos-u55-256", 2, None).broken_by(one)
    assert not MemoryBudget("tflm", 2, None).broken_by(one)


def test_a_file_of_no_search_has_no_budget(tmp_path: Path) -> None:
    assert budget_of(tmp_path / "checkpoint.pt") is None
    assert budget_of(tmp_path / "runs/plain/train/0000/checkpoint.pt") is None


@pytest.fixture
def searched(made_once: MadeOnce) -> Path:
    """A folder with runs/tiny: a network that is a little smaller than its budget."""

    def make() -> None:
        nas.search(
            "mcu_sk", data="digits", trials=1, epochs=1, limits={"sram_kb": LIMIT}, name="tiny",
            progress=False,
        )  # fmt: skip

    return made_once("memory-budget", make)


@pytest.mark.integration
@pytest.mark.slow
def test_floats_at_the_ends_break_the_budget(
    searched: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tflite_micro")
    monkeypatch.chdir(searched)
    run = nas.open_run("tiny")
    config = run.folder.config
    (point,) = run.front.points
    measured = run.export(point, targets="tflm", images=20, out=tmp_path / "plain").manifest
    (artifact,) = measured.artifacts
    assert artifact.arena is not None
    # The tightest limit that the plain file keeps.
    tight = artifact.arena.bytes / 1024
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("max_sram_kb: 80.0", f"max_sram_kb: {tight}"), encoding="utf-8")
    try:
        assert run.export(
            point, targets="tflm", images=20, out=tmp_path / "kept"
        ).manifest.artifacts
        with pytest.raises(
            WorkFailed, match=r"tflm-int8: it breaks the budget of the search: SRAM [\d.]+ KiB"
        ):
            run.export(point, targets="tflm", io="float32", images=20, out=tmp_path / "broken")
        command = ["export", "tiny", "--trial", str(point.trial), "--targets", "tflm,onnx"]
        options = ["--io", "float32", "--images", "20", "--out", str(tmp_path / "half")]
        code = main([*command, *options])
    finally:
        config.write_text(text, encoding="utf-8")
    assert code == 1
    said = capsys.readouterr().err
    assert "nas: target tflm-int8 failed: it breaks the budget of the search" in said
    assert not (tmp_path / "broken").exists()
    assert (tmp_path / "half/model.onnx").is_file()
    assert not (tmp_path / "half/model.tflm.tflite").exists()
