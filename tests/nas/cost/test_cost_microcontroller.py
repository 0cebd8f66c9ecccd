"""The memory of networks on microcontrollers, predicted from their operators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blocks import ArchSpec, InvalidInput, build
from blocks.deploy import fuse
from nas.cost import Budgets, costs_on
from nas.cost.microcontroller import memory_of
from nas.cost.microcontroller.arena import Buffer, arena_of, buffers_of, constants_of, planned_bytes
from nas.cost.microcontroller.deployed import deployed_on_meta
from nas.cost.microcontroller.flatbuffer import file_bytes
from nas.cost.microcontroller.graph import Graph
from nas.cost.microcontroller.lowering import lower
from nas.cost.microcontroller.memory import graph_of
from nas.cost.microcontroller.trace import trace
from nas.exporting.pixels import from_pixels
from nas.exporting.targets import Quantization, Wishes
from nas.exporting.targets.litert import quantize_litert, write_litert
from nas.exporting.targets.tflite_file import operators, read_tflite
from nas.exporting.targets.tflm import write_tflm

BUFFERS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 20), st.integers(0, 5)).map(
        lambda one: Buffer(16 * one[0], one[1], one[1] + one[2])
    ),
    min_size=1,
    max_size=40,
)


def network(backbone: str, unit: Mapping[str, Any], **changes: Any) -> ArchSpec:
    fields = {"width": 0.25, "num_classes": 10, "in_channels": 1, "input_size": 32}
    return ArchSpec.model_validate({"backbone": backbone, "unit": unit, **fields, **changes})


def shuffle_net(**unit: Any) -> ArchSpec:
    return network("shufflenet_v2", unit)


@given(BUFFERS)
def test_a_plan_holds_what_lives_together(buffers: list[Buffer]) -> None:
    planned = planned_bytes(buffers)
    together = [
        sum(one.size for one in buffers if one.first <= step <= one.last) for step in range(26)
    ]
    assert max(together) <= planned <= sum(one.size for one in buffers)


@given(BUFFERS, st.integers(1, 30))
def test_a_plan_depends_on_the_order_of_lifetimes_alone(buffers: list[Buffer], later: int) -> None:
    moved = [Buffer(one.size, one.first + later, one.last + later) for one in buffers]
    assert planned_bytes(moved) == planned_bytes(buffers)


def test_the_plan_is_greedy() -> None:
    # The largest lies at 0; the two smaller ones share what is above it, for they never meet.
    buffers = [Buffer(64, 1, 3), Buffer(32, 1, 1), Buffer(48, 2, 3)]
    assert planned_bytes(buffers) == 112


def test_a_mean_takes_scratch_memory_for_its_sums() -> None:
    graph = Graph([(1, 8, 8, 24)])
    graph.add("MEAN", (0,), (1, 1, 1, 24), constants=(("axes", 1, 2),))
    assert [one.size for one in buffers_of(graph)] == [1536, 32, 96, 16, 16]
    assert constants_of(graph) == 1


@pytest.mark.parametrize(
    "unit",
    [
        {"kind": "sk", "dilations": (1,), "branch_act": False},
        {"kind": "sk", "dilations": (1, 2), "reduction": 4, "min_dim": 4},
        {"kind": "sk", "dilations": (1, 2, 3), "kernel": "real", "branch_act": False},
        {"kind": "sk", "dilations": (1, 3), "select": "sum", "shortcut": True, "group_width": 2},
        {
            "kind": "sk",
            "stages": {3: {"kind": "none"}, 4: {"dilations": (1, 2, 4), "blocks": (-1,)}},
        },
        {"kind": "se", "stages": {2: {"kind": "sk"}}},
        {"kind": "none"},
    ],
)
@pytest.mark.parametrize(
    ("backbone", "width"),
    [("shufflenet_v2", 0.5), ("mobilenet_v2", 0.35), ("efficientnet_lite0", 0.5)],
)
def test_networks_that_share_a_trace_have_the_operators_of_their_own(
    unit: dict[str, Any], backbone: str, width: float
) -> None:
    spec = network(backbone, unit, width=width, input_size=40)
    model, image = deployed_on_meta(spec)
    own = lower(trace(model, image), tuple(image.shape), requantize=True)
    assert graph_of(spec) == own


def test_the_arena_grows_with_branches_and_images() -> None:
    one, two = (shuffle_net(kind="sk", dilations=dilations) for dilations in ((2,), (1, 2)))
    large = one.model_copy(update={"input_size": 64})
    assert memory_of(one).arena < memory_of(two).arena
    assert memory_of(one).arena < memory_of(large).arena
    assert memory_of(one).file < memory_of(two).file


def test_the_planner_needs_more_than_the_activations_of_small_images() -> None:
    arena = arena_of(graph_of(network("shufflenet_v2", {}, input_size=16)))
    assert arena.activations < arena.planning
    assert arena.bytes > arena.bookkeeping + arena.activations


def test_weights_of_all_layers_are_in_the_file() -> None:
    narrow, wide = (
        network("mobilenet_v2", {"kind": "none"}, num_classes=classes) for classes in (10, 11)
    )
    assert file_bytes(graph_of(wide)) - file_bytes(graph_of(narrow)) == 1280 + 4 + 2 * 12


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (shuffle_net(kind="bam"), "unit.kind bam: .*: none, se, sk$"),
        (network("resnet26", {"kind": "none"}, width=1.0), "backbone resnet26: .*mobilenet_v2"),
        (shuffle_net(kind="se", pool="max"), "the operation amax of this network: .*"),
    ],
)
def test_other_networks_are_refused(spec: ArchSpec, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{reason}"):
        memory_of(spec)


def test_memory_is_a_budget() -> None:
    spec = shuffle_net(kind="none")
    costs, memory = costs_on(None), memory_of(spec)
    assert costs["sram_kb"](spec) == memory.arena / 1024
    assert costs["flash_kb"](spec) == memory.file / 1024
    assert Budgets.model_validate({"max_sram_kb": memory.arena / 1024}).fits(spec, costs)
    (broken,) = Budgets.model_validate({"max_flash_kb": 100.0}).violations(spec, costs)
    assert (broken.cost, broken.limit) == ("flash_kb", 100.0)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (shuffle_net(kind="sk", reduction=4, min_dim=8), 16),
        (network("mobilenet_v2", {"kind": "se"}), 32),
        # Its last layer has 1280 channels and sees one pixel: preparing it takes most.
        (network("mobilenet_v2", {"kind": "none"}, width=0.1), 16),
        (network("mobilenet_v3_small", {"kind": "sk"}), 48),
    ],
)
def test_a_file_keeps_what_was_predicted(spec: ArchSpec, size: int, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    spec = spec.model_copy(update={"input_size": size})
    torch.manual_seed(0)
    trained = build(spec)
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.ndim == 1:  # a training leaves no bias at 0
                parameter.add_(0.1 * torch.randn_like(parameter))
    model = from_pixels(fuse(trained, "channels_last"), [0.5], [0.25], 1)
    images = torch.rand(2, 1, size, size)
    write_litert(model, images[:1], tmp_path)
    how = Quantization(images, io="int8", input_range=(0, 1))
    arena = write_tflm(quantize_litert(model, how, tmp_path).files[0], tmp_path, Wishes()).arena
    assert arena is not None
    predicted = memory_of(spec)
    assert arena.bytes <= predicted.arena < 1.05 * arena.bytes
    assert arena.flash <= predicted.file < 1.05 * arena.flash
    # The operators are those of the file, in its order.
    found = [
        one for one in operators(read_tflite(tmp_path / "model.tflm.tflite")) if one != "QUANTIZE"
    ]
    expected = [one.kind for one in graph_of(spec).operators if one.kind != "QUANTIZE"]
    assert [one.replace("SUM", "MEAN") for one in found] == expected
