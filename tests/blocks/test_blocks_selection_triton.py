"""The GPU kernels of the selection: on the CPU by Triton's interpreter, and on a GPU if there is one."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blocks import SelectiveKernel
from blocks.units import selection

# Imported before the interpreter is asked for: Triton's own functions stay what they are.
pytest.importorskip("triton")
tl = importlib.import_module("triton.language")

MODULE = "blocks.units.selection_triton"
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
GUARD = 512


@pytest.fixture(scope="module")
def interpreted() -> ModuleType:
    """The module once more, with kernels that run on the CPU; nobody else gets to see it."""
    module = ModuleType("interpreted_selection_triton")
    source = Path(selection.__file__).with_name("selection_triton.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        SourceFileLoader(module.__name__, str(source)).exec_module(module)
    return module


@pytest.fixture
def kernels(interpreted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The interpreted kernels. Triton's sum was made for the compiler; what it calls is taken itself."""

    def total(numbers: Any, axis: int) -> Any:
        return tl.reduce(numbers, axis, tl.standard._sum_combine)

    monkeypatch.setattr(tl, "sum", total)
    return interpreted


class Case:
    """Maps, weights and gradients of one call."""

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        branches: int,
        *,
        dtype: torch.dtype = torch.float64,
        layout: str = "nchw",
        upstream: str = "nchw",
        act: bool = True,
        device: str = "cpu",
    ) -> None:
        generator = torch.Generator().manual_seed(0)

        def random(*size: int) -> Tensor:
            return torch.randn(*size, generator=generator).to(device, dtype)

        maps = [random(*shape).contiguous(memory_format=LAYOUTS[layout]) for _ in range(branches)]
        self.act, self.maps = act, [branch.relu() if act else branch for branch in maps]
        # The last axis is the one that they come from: no weight is contiguous.
        weights = random(*shape[:2], 1, 1, branches).softmax(-1)
        self.weights: Sequence[Tensor] = weights.unbind(-1)
        if upstream == "expanded":
            self.upstream = random(1, 1, 1, 1).expand(shape)
        else:
            self.upstream = random(*shape).contiguous(memory_format=LAYOUTS[upstream])
        self.squeezed = random(shape[1], shape[0], 1, 1).transpose(0, 1)

    def run(self, module: ModuleType) -> list[Tensor]:
        """The selection, M gradients of weights and M gradients of maps."""
        return [
            module.select(self.maps, self.weights),
            *module.weight_gradients(self.maps, self.upstream),
            *module.map_gradients(
                self.maps, self.weights, self.upstream, self.squeezed, act=self.act
            ),
        ]

    def wanted(self) -> list[Tensor]:
        """The same by PyTorch's operations in 64 bits on the CPU."""
        other = copy.copy(self)
        other.maps, other.weights = [_wide(t) for t in self.maps], [_wide(t) for t in self.weights]
        other.upstream, other.squeezed = _wide(self.upstream), _wide(self.squeezed)
        return other.run(selection)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.cpu().double()


def check(got: Sequence[Tensor], wanted: Sequence[Tensor], dtype: torch.dtype) -> None:
    """The rounding of ``dtype``; the gradients of weights come in 32 bits or more."""
    rounding: dict[torch.dtype, dict[str, Any]] = {
        torch.float64: {"rtol": 1e-12, "atol": 1e-12},
        torch.float32: {"rtol": 1e-5, "atol": 1e-6},
        # The interpreter cuts off what the GPU rounds to the nearest.
        torch.bfloat16: {"rtol": 2**-8 if got[0].is_cuda else 2**-7, "atol": 1e-6},
        torch.float16: {"rtol": 2**-11, "atol": 1e-6},
    }
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    of_weights = rounding[dtype] if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-5}
    for ours, theirs in zip(got, wanted, strict=True):
        is_map = ours.shape[2:] != (1, 1) or ours.dtype != wide
        assert ours.dtype == (dtype if is_map else wide)
        bounds = rounding[dtype] if is_map else of_weights
        torch.testing.assert_close(ours.cpu().double(), theirs.double(), **bounds)


@given(
    shape=st.tuples(
        st.integers(1, 2), st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 3, 5])
    ),
    branches=st.integers(2, 4),
    dtype=st.sampled_from([torch.float64, torch.float32]),
    layout=st.sampled_from(["nchw", "nhwc"]),
    upstream=st.sampled_from(["nchw", "nhwc", "expanded"]),
    act=st.booleans(),
    block=st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([2, 8])),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_as_pytorchs_operations(
    kernels: ModuleType, shape: Any, branches: int, dtype: torch.dtype, block: Any, **options: Any
) -> None:
    case = Case(shape, branches, dtype=dtype, **options)
    with pytest.MonkeyPatch.context() as patch:  # small tiles, several along each axis
        patch.setattr(kernels, "tile", lambda layout, **_: block)
        check(case.run(kernels), case.wanted(), dtype)


@pytest.mark.parametrize("branches", [2, 3, 4])
@pytest.mark.parametrize(
    ("layout", "shape"),
    [("nchw", (2, 9, 11, 13)), ("nchw", (1, 3, 27, 41)), ("nhwc", (2, 131, 3, 5))],
)
def test_tiles_as_on_a_gpu(kernels: ModuleType, layout: str, shape: Any, branches: int) -> None:
    case = Case(shape, branches, layout=layout, upstream="nchw")
    check(case.run(kernels), case.wanted(), torch.float64)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("branches", [2, 3])
def test_sixteen_bits(kernels: ModuleType, dtype: torch.dtype, branches: int) -> None:
    case = Case((2, 5, 7, 5), branches, dtype=dtype, layout="nhwc", upstream="nhwc")
    check(case.run(kernels), case.wanted(), dtype)


@pytest.mark.parametrize(("first", "other"), [("nchw", "nhwc"), ("nhwc", "nchw")])
def test_the_first_map_says_how_results_are_laid_out(
    kernels: ModuleType, first: str, other: str
) -> None:
    case = Case((2, 3, 5, 4), 2, layout=first, upstream="expanded")
    case.maps[1] = case.maps[1].contiguous(memory_format=LAYOUTS[other])
    selected, _, _, *gradients = got = case.run(kernels)
    check(got, case.wanted(), torch.float64)
    for result in (selected, *gradients):
        assert result.stride() == case.maps[0].stride()


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_parts_of_larger_maps(kernels: ModuleType, layout: str) -> None:
    case = Case((2, 6, 5, 4), 3, layout=layout)
    case.maps = [branch[:, 1:4, :, ::2] for branch in case.maps]
    case.weights = [weight[:, 1:4] for weight in case.weights]
    case.upstream, case.squeezed = case.upstream[:, 1:4, :, ::2], case.squeezed[:, 1:4]
    check(case.run(kernels), case.wanted(), torch.float64)


def test_an_empty_batch(kernels: ModuleType) -> None:
    case = Case((0, 3, 5, 4), 2)
    for ours, theirs in zip(case.run(kernels), case.wanted(), strict=True):
        assert ours.shape == theirs.shape


def test_saturated_weights_give_a_branch_exactly(kernels: ModuleType) -> None:
    case = Case((2, 3, 5, 4), 2, dtype=torch.float32)
    for chosen in (0, 1):
        weights = [torch.full((2, 3, 1, 1), float(index == chosen)) for index in range(2)]
        assert torch.equal(kernels.select(case.maps, weights), case.maps[chosen])


def test_what_is_not_a_number_shows(kernels: ModuleType) -> None:
    case = Case((1, 2, 3, 3), 3)
    case.maps[2][0, 1, 1, 1] = torch.nan
    case.upstream[0, 0, 2, 2] = torch.nan
    got, wanted = case.run(kernels), case.wanted()
    assert got[0].isnan().any()
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_two_runs_give_the_same_bits(kernels: ModuleType, layout: str) -> None:
    case = Case((2, 7, 9, 11), 3, dtype=torch.float32, layout=layout)
    for one, other in zip(case.run(kernels), case.run(kernels), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("branches", [2, 4])
def test_nothing_beside_the_maps_is_touched(
    kernels: ModuleType, monkeypatch: pytest.MonkeyPatch, layout: str, branches: int
) -> None:
    case = Case((2, 5, 3, 7), branches, layout=layout, upstream=layout)
    wanted = case.wanted()
    case.maps = [_guarded(branch) for branch in case.maps]
    case.weights = [_guarded(weight.contiguous()) for weight in case.weights]
    case.upstream, case.squeezed = _guarded(case.upstream), _guarded(case.squeezed.contiguous())
    empty = torch.empty
    results = []

    def empty_like(tensor: Tensor) -> Tensor:
        results.append(_guarded(tensor * 0))
        return results[-1]

    def empty_vector(*size: int, **options: Any) -> Tensor:
        results.append(_guarded(empty(*size, **options).zero_()))
        return results[-1]

    monkeypatch.setattr(torch, "empty_like", empty_like)
    monkeypatch.setattr(torch, "empty", empty_vector)
    got = case.run(kernels)
    monkeypatch.undo()
    check(got, wanted, torch.float64)
    assert len(results) == len(got)
    for result in results:
        around = result.as_strided((result.numel() + 2 * GUARD,), (1,), 0)
        assert around.isnan().sum() == 2 * GUARD


def _guarded(tensor: Tensor) -> Tensor:
    """The same, with numbers before and after it that are none."""
    around = torch.full((tensor.numel() + 2 * GUARD,), torch.nan, dtype=tensor.dtype)
    inside = around.as_strided(tensor.shape, tensor.stride(), GUARD)
    inside.copy_(tensor)
    return inside


@given(
    channels=st.integers(1, 5000),
    pixels=st.integers(1, 2**20),
    channels_last=st.booleans(),
    numbers=st.sampled_from([1024, 2048]),
    run=st.sampled_from([64, 128, 512]),
)
def test_tiles_are_powers_of_two_that_waste_little(
    interpreted: ModuleType, channels: int, pixels: int, channels_last: bool, **limits: int
) -> None:
    layout = interpreted.Layout(1, channels, pixels, channels_last)
    block_c, block_p = interpreted.tile(layout, **limits)
    for block, size in ((block_c, channels), (block_p, pixels)):
        assert block.bit_count() == 1
        assert block < 2 * size
    assert block_c * block_p <= limits["numbers"]
    assert (block_c if channels_last else block_p) <= limits["run"]


@pytest.mark.parametrize("branches", [2, 3])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_unit_trains_with_the_kernels_as_without(
    kernels: ModuleType, monkeypatch: pytest.MonkeyPatch, layout: str, branches: int
) -> None:
    unit, x = unit_and_input(branches, layout)
    wanted = step(copy.deepcopy(unit).double(), x.double())
    monkeypatch.setattr(selection, "_kernels", lambda maps: kernels)
    for ours, theirs in zip(step(unit.double(), x.double()), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def unit_and_input(branches: int, layout: str) -> tuple[SelectiveKernel, Tensor]:
    torch.manual_seed(0)
    unit = SelectiveKernel(6, tuple(range(1, branches + 1)), min_dim=4)
    nn.init.normal_(unit.select.weight)
    return unit, torch.randn(16, 6, 9, 7).contiguous(memory_format=LAYOUTS[layout])


def step(unit: SelectiveKernel, x: Tensor) -> list[Tensor]:
    """What the unit gives, and the gradients of its input and parameters."""
    x.requires_grad_()
    out = unit(x)
    # A BatchNorm takes out constant and proportional gradients; what would be left of them is rounding.
    pull = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    return [out.detach(), *torch.autograd.grad(out, [x, *unit.parameters()], pull)]


@pytest.mark.integration
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("name", "branches", "options"),
    [
        *[("_select_kernel", 2, {}), ("_select_kernel", 4, {})],
        ("_weight_gradients_kernel", 3, {}),
        ("_map_gradients_kernel", 3, {"act": True}),
        ("_map_gradients_kernel", 4, {"act": False}),
    ],
)
def test_compiled_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, branches: int,
    options: dict[str, Any], channels_last: bool,
) -> None:  # fmt: skip
    """The compiler needs no GPU, and takes less than the interpreter does."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    compiler = importlib.import_module("triton.compiler")
    kernel = getattr(importlib.import_module(MODULE), name)
    blocks = {"block_c": 64, "block_p": 16} if channels_last else {"block_c": 8, "block_p": 128}
    unit_stride = "stride_c" if channels_last else "stride_p"
    fixed = {**options, **blocks, "branches": branches, "wide": tl.float32, unit_stride: 1}
    types, constants, aligned = {}, {}, {}
    for index, argument in enumerate(kernel.arg_names):
        if argument in fixed:
            types[argument], constants[(index,)] = "constexpr", fixed[argument]
        else:
            number = argument.startswith(("channels", "pixels", "stride"))
            types[argument] = "i32" if number else "*fp32" if "sum" in argument else "*bf16"
            aligned[(index,)] = [["tt.divisibility", 16]]
    source = compiler.ASTSource(kernel, types, constants, aligned)
    target = importlib.import_module("triton.backends.compiler").GPUTarget("cuda", 80, 32)
    code = compiler.compile(source, target=target).asm["ptx"]
    reads = {"_select_kernel": branches, "_weight_gradients_kernel": branches + 1}
    assert code.count("ld.global.v4") >= reads.get(name, 1 + branches * options.get("act", 0))
    assert ("cvt.rn.bf16" in code) == (name != "_weight_gradients_kernel"), "rounded to the nearest"
    assert not re.search(r"\b(atom|red)\.(global|relaxed|acq)", code), "no sum depends on an order"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
class TestOnGpu:
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    @pytest.mark.parametrize(
        "shape", [(3, 24, 28, 28), (2, 131, 7, 5), (2, 3, 1, 1), (2, 1, 9, 40)]
    )
    @pytest.mark.parametrize("branches", [2, 3, 4])
    def test_the_same_as_pytorchs_operations(
        self, dtype: torch.dtype, layout: str, shape: Any, branches: int
    ) -> None:
        for act in (False, True):
            case = Case(shape, branches, dtype=dtype, layout=layout, act=act, device="cuda")
            assert selection._kernels(case.maps) is not None
            got = case.run(selection)
            check(got, case.wanted(), dtype)
            for one, other in zip(got, case.run(selection), strict=True):
                assert torch.equal(one, other)

    @pytest.mark.parametrize("branches", [2, 3])
    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    @pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
    def test_a_unit_trains_as_on_the_cpu(
        self, monkeypatch: Any, layout: str, branches: int, dtype: torch.dtype, bound: float
    ) -> None:
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
        unit, x = unit_and_input(branches, layout)
        wanted = step(copy.deepcopy(unit).double(), x.double())
        for ours, theirs in zip(
            step(unit.to("cuda", dtype), x.to("cuda", dtype)), wanted, strict=True
        ):
            torch.testing.assert_close(ours.cpu().double(), theirs, rtol=bound, atol=bound)

    @pytest.mark.parametrize("branches", [2, 3])
    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    def test_bfloat16_autocast_trains(self, layout: str, branches: int) -> None:
        unit, x = unit_and_input(branches, layout)
        wanted = step(copy.deepcopy(unit), x.clone())
        unit, x = unit.cuda(), x.cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            got = step(unit, x)
        assert got[0].dtype == torch.bfloat16
        for ours, theirs in zip(got, wanted, strict=True):
            similar = torch.cosine_similarity(ours.cpu().float().flatten(), theirs.flatten(), dim=0)
            assert similar > 0.9

    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    def test_deterministic_training_gives_the_same_bits(
        self, monkeypatch: Any, layout: str
    ) -> None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        unit, x = unit_and_input(2, layout)
        unit, x = unit.cuda(), x.cuda()
        torch.use_deterministic_algorithms(True)
        try:
            first, second = step(copy.deepcopy(unit), x.clone()), step(unit, x.clone())
        finally:
            torch.use_deterministic_algorithms(False)
        for one, other in zip(first, second, strict=True):
            assert torch.equal(one, other)
