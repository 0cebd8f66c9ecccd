"""What a network takes of an Ethos-U before its training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import nas
from blocks import ArchSpec, InvalidInput
from nas.cost import costs_on
from nas.cost.microcontroller import estimate_of, npu
from nas.cost.microcontroller.memory import graph_of
from nas.cost.microcontroller.untrained import untrained_file
from nas.exporting.targets.tflite_file import operators, read_tflite
from nas.searching import SearchConfig

pytest.importorskip("ethosu")
U55: Literal["ethos-u55-128"] = "ethos-u55-128"
SK = {"kind": "sk", "reduction": 4, "min_dim": 8}

SPACE = """
name: two
fixed: {backbone: shufflenet_v2, width: 0.25, stem_stride: 1}
vary:
  unit.dilations: {choice: [[1], [1, 2]]}
"""


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of caches that knows nothing yet."""
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path / "caches"))
    npu._kept.cache_clear()
    yield tmp_path / "caches/microcontroller"
    npu._kept.cache_clear()


def network(backbone: str = "shufflenet_v2", unit: dict[str, Any] = SK, **more: Any) -> ArchSpec:
    fields = {"width": 0.25, "num_classes": 10, "in_channels": 1, "input_size": 32, **more}
    return ArchSpec.model_validate({"backbone": backbone, "unit": unit, **fields})


@pytest.mark.parametrize(
    "spec",
    [
        network(),
        network("mobilenet_v2", {"kind": "se"}),
        network("mobilenet_v3_small", {"kind": "none"}, in_channels=3),
        network(unit={"kind": "sk", "dilations": (1, 2, 3)}, input_size=40),
    ],
)
def test_an_untrained_file_runs_and_has_the_operators(spec: ArchSpec, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    graph, file = graph_of(spec), tmp_path / "model.tflite"
    file.write_bytes(untrained_file(graph))
    assert operators(read_tflite(file)) == [one.kind for one in graph.operators]
    run = Interpreter(str(file))
    run.allocate_tensors()
    (given,), (taken,) = run.get_input_details(), run.get_output_details()
    assert tuple(given["shape"]) == (1, spec.input_size, spec.input_size, spec.in_channels)
    run.set_tensor(given["index"], np.zeros(given["shape"], np.int8))
    run.invoke()
    assert run.get_tensor(taken["index"]).shape == (1, 10)


def test_figures_are_kept(caches: Path) -> None:
    spec = network()
    found = estimate_of(spec, U55)
    assert found.sram > 0
    assert found.milliseconds > 0
    (file,) = caches.iterdir()
    assert json.loads(file.read_text())["key"] == spec.key
    # A torn line is left out; what is there is not compiled again.
    file.write_text(file.read_text().replace(f'"sram": {found.sram}', '"sram": 7') + '{"key": "x"')
    npu._kept.cache_clear()
    assert estimate_of(spec, U55).sram == 7


def test_accelerators_differ() -> None:
    small, large = (estimate_of(network(), one) for one in (U55, "ethos-u55-256"))
    assert large.milliseconds < small.milliseconds


def test_an_accelerator_has_costs_of_its_own() -> None:
    spec, costs = network(), costs_on(None, (), U55)
    found = estimate_of(spec, U55)
    assert costs["sram_kb"](spec) == found.sram / 1024
    assert costs["flash_kb"](spec) == found.flash / 1024
    assert costs["npu_ms"](spec) == found.milliseconds
    assert "npu_ms" not in costs_on(None)


@pytest.mark.parametrize("given", [{"objectives": ("error", "npu_ms")}, {"limits": {"npu_ms": 1}}])
def test_milliseconds_need_an_accelerator(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"npu_ms(=1)?: only with a device class such as ethos-u55"
    ):
        nas.search("quickstart", data="digits", runs_dir=tmp_path, progress=False, **given)


def test_an_unknown_device_class_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"^device_class: .ethos-u99.; allowed: tflm, .*ethos-u55-128"
    ):
        nas.search(
            "quickstart", data="digits", runs_dir=tmp_path, progress=False,
            device_class="ethos-u99",  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.mark.integration
@pytest.mark.slow
def test_the_compiled_file_keeps_the_budgets(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(SPACE, encoding="utf-8")
    run = nas.search(
        tmp_path / "two.yaml", data="digits", trials=1, epochs=1, limits={"sram_kb": 30, "npu_ms": 2},
        objectives="error,sram_kb,npu_ms", device_class=U55, name="npu", progress=False,
        runs_dir=tmp_path, logs_dir=tmp_path / "logs",
    )  # fmt: skip
    assert isinstance(run.config, SearchConfig)
    (point,) = run.front.points
    predicted = estimate_of(point.spec, U55)
    (artifact,) = run.export(point, targets="ethos_u", images=20).manifest.artifacts
    assert artifact.npu is not None
    assert artifact.npu.accelerator == U55
    assert artifact.npu.sram <= predicted.sram <= 30 * 1024
    assert artifact.npu.flash <= predicted.flash < 1.1 * artifact.npu.flash
    assert artifact.npu.milliseconds == pytest.approx(predicted.milliseconds, rel=0.1)
