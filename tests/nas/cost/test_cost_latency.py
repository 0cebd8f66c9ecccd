"""The latency of networks as a sum over measured benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import ArchSpec, InvalidInput, UnitOverride, UnitSpec
from blocks.units import UNITS
from nas.cost import COSTS, LATENCY, Budgets, costs_on, count
from nas.cost.latency import (
    LatencyTable,
    Measurements,
    blocks_of,
    load_table,
    make_table,
    read_measurements,
)
from nas.exporting import Benchmark, benchmarks_of

DEVICE = {
    "cpu": "a cpu", "architecture": "x", "cores": 1, "system": "x", "python": "3", "runtimes": {},
}  # fmt: skip
WIDTHS = {"shufflenet_v2": 0.5, "mobilenet_v2": 0.35, "mobilenet_v3_small": 0.5}

sk_units = st.builds(
    UnitSpec,
    # Attention between more than two branches is predicted from two: not exact.
    dilations=st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple),
    kernel=st.sampled_from(["dilated", "real"]),
    group_width=st.sampled_from([1, 2]),
    reduction=st.sampled_from([2, 8]),
    min_dim=st.sampled_from([4, 32]),
    branch_act=st.booleans(),
    shortcut=st.booleans(),
)
units = sk_units | st.builds(UnitSpec, kind=st.sampled_from(["none", "se"]), reduction=st.just(4))


@st.composite
def networks(draw: st.DrawFn) -> ArchSpec:
    """With units of two kinds: in one stage another than in the others, and not in every block."""
    backbone = draw(st.sampled_from(sorted(WIDTHS)))
    blocks = draw(st.sampled_from([(), (0,), (-1,)]))
    other = draw(units)
    override = UnitOverride.model_validate(other.model_dump(exclude={"stages", "blocks"}))
    unit = draw(units).model_copy(update={"blocks": blocks, "stages": ((3, override),)})
    return ArchSpec(
        backbone=backbone, width=WIDTHS[backbone], num_classes=10, input_size=32, unit=unit
    )


def macs_of(benchmark: Benchmark) -> float:
    """The latency of a benchmark on a device with one multiply-add per millisecond."""
    if not benchmark.path:
        return count(benchmark.spec).macs
    blocks = blocks_of(benchmark.spec.backbone, benchmark.spec.geometry)
    (block,) = [one for one in blocks if one.path == benchmark.path]
    unit = benchmark.spec.unit.at(block.stage)
    # Every call of the runtime has a fixed cost.
    return 7 + sum(UNITS[unit.kind].count(unit, point).macs for point in block.insertion_points)


def measurements_of(benchmarks: list[Benchmark], **changes: Any) -> Measurements:
    latencies = [
        {
            "key": benchmark.key,
            "arch": None if benchmark.path else benchmark.spec,
            "network": "onnx-fp32",
            "p50": macs_of(benchmark),
            "busy": False,
        }
        for benchmark in benchmarks
    ]
    whole = {"format": 2, "device": DEVICE, "setting": {"threads": 1}, "latencies": latencies}
    return Measurements.model_validate(whole | changes)


@settings(deadline=None, max_examples=60)
@given(networks())
def test_the_table_is_exact_for_additive_latency(spec: ArchSpec) -> None:
    table = make_table("it", [measurements_of(benchmarks_of([spec], seed=0, whole=0))])
    assert table.predict(spec) == pytest.approx(count(spec).macs, rel=1e-12)
    assert table.predict(spec) == table.predict(spec)  # the second from what it remembers


@settings(deadline=None)
@given(sk_units)
def test_latency_terms_add_up_to_one_unit(unit: UnitSpec) -> None:
    latency_terms = UNITS["sk"].latency_terms(unit)
    assert sum(latency_terms.values()) == 1
    assert all(len(set(one.dilations)) == 1 or one == unit for one in latency_terms)


def test_branches_of_other_groups_are_separate_latency_terms() -> None:
    unit = UnitSpec(dilations=(3, 1), groups=(2, 4), select="sum", branch_act=True)
    latency_terms = {one: n for one, n in UNITS["sk"].latency_terms(unit).items() if n > 0}
    found = {(one.dilations, one.groups, one.branch_act, one.select) for one in latency_terms}
    assert found == {
        ((1, 1), (), True, "sum"),  # the frame
        ((1,), (2,), False, "full"),  # the first figure belongs to the least dilation
        ((3,), (4,), False, "full"),
    }


def test_few_benchmarks_predict_many_networks() -> None:
    specs = [
        ArchSpec(
            backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32,
            unit=UnitSpec(dilations=d, group_width=g, branch_act=a, reduction=r, min_dim=8),
        )
        for d in [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3)]
        for g in (1, 2, 4)
        for a in (False, True)
        for r in (2, 4, 8)
    ]  # fmt: skip
    blocks = [benchmark for benchmark in benchmarks_of(specs, seed=0, whole=0) if benchmark.path]
    # Six kinds of block: 9 branches, 3 frames, and 3 other widths of the attention.
    assert len({spec.key for spec in specs}) == 18 + 18 * 3
    assert len(blocks) <= 6 * (9 + 3 + 3)


def test_networks_that_take_twice_their_sum_set_the_scale() -> None:
    base = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32)
    specs = [
        base.model_copy(update={"unit": UnitSpec(dilations=(1, d), group_width=g)})
        for d in (1, 2, 3)
        for g in (1, 2)
    ]
    benchmarks = benchmarks_of(specs, seed=0, whole=6)
    measurements = measurements_of(benchmarks)
    plain = next(
        one.p50 for one in measurements.latencies if one.arch and one.arch.unit.kind == "none"
    )
    slow = [
        one.model_copy(update={"p50": plain + 2 * (one.p50 - plain)}) if one.arch else one
        for one in measurements.latencies
    ]
    table = make_table("it", [measurements.model_copy(update={"latencies": tuple(slow)})])
    assert table.scale == pytest.approx(2)
    assert table.fit.networks == 6
    assert table.fit.median_error == pytest.approx(0, abs=1e-9)
    exact = make_table("it", [measurements])
    assert exact.scale == pytest.approx(1)


OLD = Path(__file__).parent / "made_by_0.1.0"
"""The measurements and the table of a device, as version 0.1.0 wrote them."""
SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32)
MEASURED = measurements_of(benchmarks_of([SPEC], seed=0))


def test_a_network_of_another_space_is_refused_by_name() -> None:
    table = make_table("pi4", [MEASURED])
    for other in (
        SPEC.model_copy(update={"input_size": 64}),
        SPEC.model_copy(update={"unit": UnitSpec(dilations=(1, 4))}),
    ):
        with pytest.raises(InvalidInput, match=r"^device pi4: has no measurements for shuff"):
            table.predict(other)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            [measurements_of(benchmarks_of([SPEC], seed=0)[:1])],
            "no benchmarks of networks for onnx-fp32",
        ),
        (
            [MEASURED, measurements_of([], setting={"threads": 2}, latencies=MEASURED.latencies)],
            "several devi",
        ),
        (
            [
                MEASURED.model_copy(
                    update={
                        "latencies": tuple(
                            one.model_copy(update={"busy": i % 10 == 0})
                            for i, one in enumerate(MEASURED.latencies)
                        )
                    }
                )
            ],
            "the device was busy",
        ),
        (
            [
                MEASURED.model_copy(
                    update={
                        "latencies": (
                            *MEASURED.latencies,
                            MEASURED.latencies[0].model_copy(update={"network": "ncnn-fp32"}),
                        )
                    }
                )
            ],
            "--network is missing; allowed: ncnn-fp32, onnx-fp32",
        ),
    ],
    ids=["no benchmarks", "two devices", "busy", "two networks"],
)
def test_figures_that_make_no_table_are_refused(files: list[Measurements], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_table("it", files)


def test_a_table_with_a_large_error_is_refused() -> None:
    wholes = [one for one in MEASURED.latencies if one.arch is not None]
    wrong = [
        one.model_copy(update={"p50": one.p50 * 9}) if one in wholes[:1] else one
        for one in MEASURED.latencies
    ]
    measurements = MEASURED.model_copy(update={"latencies": tuple(wrong)})
    assert wholes[0].arch is not None
    assert wholes[0].arch.unit.kind == "none"
    with pytest.raises(InvalidInput, match="with a median error of"):
        make_table("it", [measurements])
    assert make_table("it", [measurements], allow_busy=True).fit.networks == 1
    without = [one for one in MEASURED.latencies if one is not wholes[0]]
    with pytest.raises(InvalidInput, match="no plain network was measured"):
        make_table("it", [MEASURED.model_copy(update={"latencies": tuple(without)})])


def test_figures_of_a_busy_device_are_taken_when_asked_for() -> None:
    busy = [one.model_copy(update={"busy": True}) for one in MEASURED.latencies]
    measurements = MEASURED.model_copy(update={"latencies": tuple(busy)})
    assert make_table("it", [measurements], allow_busy=True) == make_table("it", [MEASURED])


def test_a_limit_of_latency_needs_a_device() -> None:
    table = make_table("it", [MEASURED])
    value = table.predict(SPEC)
    with pytest.raises(InvalidInput, match=r"max_latency_ms: only with device"):
        Budgets(max_latency_ms=1).fits(SPEC, COSTS)
    assert Budgets(max_latency_ms=value).fits(SPEC, costs_on(table))
    (violation,) = Budgets(max_latency_ms=value / 2).violations(SPEC, costs_on(table))
    assert (violation.cost, violation.value, violation.excess) == (LATENCY, value, 1)


def test_a_table_comes_back_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = make_table("pi4", [MEASURED])
    Path("devices").mkdir()
    Path("devices/pi4.json").write_text(table.model_dump_json())
    assert load_table("pi4") == table == load_table("devices/pi4.json")
    assert load_table("pi4").predict(SPEC) == table.predict(SPEC)
    with pytest.raises(InvalidInput, match=r"device pi5: no file .*; allowed: pi4"):
        load_table("pi5")


def test_files_of_version_0_1_are_read() -> None:
    measurements = read_measurements(OLD / "answer.json")
    table = load_table(str(OLD / "devices/pc.json"))
    assert make_table("pc", [measurements], allow_busy=True) == table
    networks = [one for one in measurements.latencies if one.arch is not None]
    assert len(networks) == 2
    for one in networks:
        assert one.arch is not None
        assert table.predict(one.arch) == pytest.approx(one.p50, rel=0.01)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x"}', "\x00\xff", "[" * 100_000])
def test_damaged_files_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(text, encoding="latin-1")
    for read in (read_measurements, lambda path: load_table(str(path))):
        with pytest.raises(InvalidInput, match=r"damaged\.json: ") as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"scale": 0}, {"blocks": {"x": -1.0}}, {"plains": {"x": float("nan")}}]
)
def test_impossible_figures_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    fields = make_table("it", [MEASURED]).model_dump(mode="json") | change
    (tmp_path / "it.json").write_text(json.dumps(fields))
    with pytest.raises(InvalidInput, match=r"it\.json: "):
        load_table(str(tmp_path / "it.json"))
    assert set(fields) == set(LatencyTable.model_fields)
