from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection

import psutil
import pytest

from blocks import ArchSpec, UnitSpec
from nas.cost import FvcoreCounter, ReferenceCounterError, count, fvcore_count
from nas.cost.fvcore_trace import trace_count
from nas.errors import WorkFailed

pytestmark = pytest.mark.integration

SPEC = ArchSpec(backbone="shufflenet_v2", width=0.5, input_size=32, unit=UnitSpec(kind="none"))


def children() -> dict[int, psutil.Process]:
    """The reference_counters' processes, apart from multiprocessing's own resource tracker."""
    found = psutil.Process().children()
    return {child.pid: child for child in found if "spawn_main" in " ".join(child.cmdline())}


@pytest.fixture(scope="module")
def reference_counter() -> Iterator[FvcoreCounter]:
    before = set(children())
    with FvcoreCounter() as reference_counter:
        yield reference_counter
    assert set(children()) == before


def test_one_process_counts_several_and_is_replaced() -> None:
    before = set(children())
    pids = []
    with FvcoreCounter(traces_per_process=2) as reference_counter:
        for _ in range(3):
            assert reference_counter.count(SPEC).macs == count(SPEC).macs
            (pid,) = set(children()) - before
            pids.append(pid)
    assert pids[0] == pids[1] != pids[2]
    assert set(children()) == before


def test_a_process_that_dies_is_an_error_and_replaced() -> None:
    before = children()  # one may be shared by all tests
    with FvcoreCounter() as reference_counter:
        reference_counter.count(SPEC)
        (child,) = (one for pid, one in children().items() if pid not in before)
        child.kill()
        with pytest.raises(ReferenceCounterError, match=f"died at {SPEC.key} with exit code -9"):
            reference_counter.count(SPEC)
        assert reference_counter.count(SPEC).macs == count(SPEC).macs


def test_a_network_that_cannot_be_built_is_an_error_and_nothing_is_lost(
    reference_counter: FvcoreCounter,
) -> None:
    fields = {name: getattr(SPEC, name) for name in ArchSpec.model_fields}
    unchecked = ArchSpec.model_construct(**{**fields, "unit": UnitSpec(group_width=7)})
    with pytest.raises(
        ReferenceCounterError, match=r"cannot count .*: InvalidInput: group_width: 7"
    ) as error:
        reference_counter.count(unchecked)
    assert isinstance(error.value, WorkFailed)
    assert "\n" not in str(error.value)
    assert reference_counter.count(SPEC).macs == count(SPEC).macs


def test_an_interrupted_count_does_not_answer_for_the_next(
    reference_counter: FvcoreCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "poll", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reference_counter.count(SPEC.model_copy(update={"num_classes": 3}))
    assert reference_counter.count(SPEC).macs == count(SPEC).macs


def test_too_slow_a_count_is_an_error_and_leaves_no_process() -> None:
    before = set(children())
    with pytest.raises(ReferenceCounterError, match=r"gave no count of .* in 0\.05 s"):
        fvcore_count(SPEC, timeout=0.05)
    assert set(children()) == before


def test_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    fvcore_count(SPEC)
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::FutureWarning:torch.jit")
@pytest.mark.parametrize("operator", ["aten::_convolution", "aten::linear"])
@pytest.mark.parametrize("analysis", ["flop_count", "activation_count"])
def test_a_layer_that_fvcore_does_not_see_is_an_error(
    analysis: str, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when torch traces a layer under a new name.
    module = importlib.import_module(f"fvcore.nn.{analysis}")
    monkeypatch.delitem(module._DEFAULT_SUPPORTED_OPS, operator)
    with pytest.raises(RuntimeError, match="fvcore did not see"):
        trace_count(SPEC)


MEMORY = """
import gc, json, sys
import psutil, torch
from blocks import ArchSpec, build
from nas.cost import FvcoreCounter
from nas.cost.fvcore_trace import trace_count

def resident():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20

specs = [
    ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=n, input_size=32, unit={"kind": "none"}
    )
    for n in range(2, 42)
]
for spec in specs[:3]:
    spec.profile, build(spec).eval()(torch.zeros(1, 3, 32, 32))
start = resident()
with FvcoreCounter() as reference_counter:
    for spec in specs:
        reference_counter.count(spec)
pooled, loaded = resident() - start, "fvcore" in sys.modules
for spec in specs[:10]:
    trace_count(spec)
print(json.dumps({"pooled": pooled, "loaded": loaded, "direct": resident() - start - pooled}))
"""


@pytest.mark.long
def test_forty_counts_cost_the_asking_process_no_memory() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    grown = json.loads(answer.stdout)
    assert grown["pooled"] < 12, "MiB in the process that asks"
    assert not grown["loaded"]
    # The measure sees what it is there to see: a quarter of the counts, made here, cost more.
    assert grown["direct"] > 2 * max(grown["pooled"], 1), "MiB in a process that counts by itself"
