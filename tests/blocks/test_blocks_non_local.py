from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import NonLocalAttn
from torch import Tensor

from blocks import InvalidInput, NonLocal
from blocks.unit_spec import Pairwise
from nas.cost import FvcoreCounter
from tests.blocks import feature_unit_checks as checks

PAIRWISE = list(get_args(Pairwise))
UNITS = [
    {"kind": "nl", "pairwise": pairwise, "subsample": subsample}
    for pairwise in PAIRWISE
    for subsample in (False, True)
]


def pooled(positions: Tensor, height: int, width: int) -> Tensor:
    """Maxima of (B, C, H W) over 2x2 positions, fewer of them at the end of an odd side."""
    maps = positions.unflatten(2, (height, width))
    corners = [(row, column) for row in range(0, height, 2) for column in range(0, width, 2)]
    return torch.stack(
        [maps[:, :, row : row + 2, column : column + 2].amax((2, 3)) for row, column in corners], 2
    )


def transcribed(unit: NonLocal, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    x = x.flatten(2)  # (B, C, N)
    keys, g = x, checks.matrix(unit.g) @ x + checks.bias(unit.g)
    if unit.pairwise != "gaussian":
        theta = checks.matrix(unit.theta) @ x + checks.bias(unit.theta)
        keys = checks.matrix(unit.phi) @ x + checks.bias(unit.phi)
    if unit.subsample:
        keys, g = pooled(keys, height, width), pooled(g, height, width)
    count = keys.shape[2]
    if unit.pairwise == "gaussian":
        f = torch.exp(torch.einsum("bci,bcj->bij", x, keys))  # (2)
    elif unit.pairwise == "embedded":
        f = torch.exp(torch.einsum("bci,bcj->bij", theta, keys))  # (3)
    elif unit.pairwise == "dot":
        f = torch.einsum("bci,bcj->bij", theta, keys)  # (4)
    else:
        pairs = torch.cat(
            (
                theta[:, :, :, None].expand(-1, -1, -1, count),
                keys[:, :, None].expand(-1, -1, theta.shape[2], -1),
            ),
            dim=1,
        )
        w_f = torch.cat((checks.matrix(unit.of_query), checks.matrix(unit.of_key)), dim=1)
        f = torch.einsum("c,bcij->bij", w_f[0], pairs).clamp(min=0)  # (5)
    softmax = unit.pairwise in ("gaussian", "embedded")
    total = f.sum(2, keepdim=True) if softmax else torch.tensor(float(count))
    y = torch.einsum("bij,bcj->bci", f / total, g)  # (1)
    z = checks.matrix(unit.out) @ y + checks.bias(unit.out) + x  # (6)
    maps: Tensor = z.unflatten(2, (height, width))
    return maps


@settings(max_examples=40)
@given(
    st.sampled_from(PAIRWISE),
    st.booleans(),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_equals_the_equations_with_gradients(
    pairwise: Pairwise, subsample: bool, channels: int, height: int, width: int
) -> None:
    unit = NonLocal(channels, pairwise, subsample).double()
    checks.randomise(unit, channels * 100 + height)
    torch.manual_seed(width)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    checks.same_with_gradients(unit, x, transcribed(unit, x))


@pytest.mark.parametrize("unit", UNITS)
def test_exports(unit: dict[str, Any]) -> None:
    module = NonLocal(6, unit["pairwise"], unit["subsample"])
    checks.randomise(module, 1)
    checks.exports(module, 6)


def test_equals_timm_without_its_scale_and_norm() -> None:
    ours = NonLocal(12).double()
    theirs = NonLocalAttn(12, use_scale=False, rd_channels=6).double().eval()
    checks.randomise(ours, 4)
    for name, layer in {"t": "theta", "p": "phi", "g": "g", "z": "out"}.items():
        theirs.get_submodule(name).load_state_dict(ours.get_submodule(layer).state_dict())
    # Its BatchNorm, made an identity.
    torch.nn.init.constant_(theirs.norm.weight, (1 + theirs.norm.eps) ** 0.5)
    x = torch.randn(3, 12, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_starts_as_the_identity_close_to_the_mean(pairwise: Pairwise) -> None:
    torch.manual_seed(0)
    unit = NonLocal(64, pairwise)
    x = torch.randn(1, 64, 5, 5)
    assert torch.equal(unit(x), x)
    if pairwise in ("embedded", "concat"):
        relations = unit.relations(x)
        torch.testing.assert_close(relations, torch.full((1, 25, 25), 1 / 25), rtol=0.5, atol=0)


@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_trains_on_one_image(pairwise: Pairwise) -> None:
    unit = NonLocal(8, pairwise).train()
    unit(torch.randn(1, 8, 1, 1)).sum().backward()
    assert all(parameter.grad is not None for parameter in unit.parameters())


@pytest.mark.parametrize("unit", UNITS)
def test_fvcore_agrees(unit: dict[str, Any], reference_counter: FvcoreCounter) -> None:
    checks.counts_agree(checks.spec_of("shufflenet_v2", unit), reference_counter)


@pytest.mark.parametrize("placement", ["conv", "standard", "pre", "post"])
def test_fvcore_agrees_at_each_placement(placement: str, reference_counter: FvcoreCounter) -> None:
    unit = {"kind": "nl", "subsample": True, "placement": placement, "blocks": [0]}
    # 17 pixels: odd sides, down to one.
    checks.counts_agree(checks.spec_of("mobilenet_v2", unit, input_size=17), reference_counter)


def test_one_block_costs_what_gcnet_prints() -> None:
    # Table 4, "+1 NL": right before the last block of res4. Its 4.11 GFLOPs are 0.25 above the plain
    # network; the block's convolutions alone come to 0.41 at 14x14 pixels.
    one = {"kind": "nl", "blocks": [-2]}
    params, _ = checks.millions("resnet50", {"kind": "none", "stages": {4: one}})
    assert round(params, 2) == 27.66


@pytest.mark.parametrize("backbone", checks.BACKBONES)
def test_trains_a_step(backbone: str) -> None:
    checks.trains_a_step(checks.spec_of(backbone, {"kind": "nl"}))


@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_starts_plain_and_learns(pairwise: str, tmp_path: Path) -> None:
    spec = checks.spec_of("shufflenet_v2", {"kind": "nl", "pairwise": pairwise})
    checks.starts_plain(spec, tmp_path / "plain.pt")
    # A softmax does not see what the bias of phi adds to all scores of a row.
    checks.learns_from_a_plain_start(spec, r"phi\.bias$" if pairwise == "embedded" else "^$")


def test_labels_say_what_is_not_the_default() -> None:
    unit = {"kind": "nl", "pairwise": "dot", "subsample": True, "placement": "pre"}
    assert checks.spec_of("mobilenet_v2", unit).label == "nl dot subsampled pre"


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"^channels: 0 is below 1$"):
        NonLocal(0)
    wanted = r"^pairwise: sum; nl allows gaussian, embedded, dot, concat$"
    with pytest.raises(InvalidInput, match=wanted):
        NonLocal(4, "sum")  # type: ignore[arg-type]
