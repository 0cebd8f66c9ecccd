from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from arch_strategies import arch_specs
from hypothesis import given, settings
from torch import nn
from torchvision import models

from blocks import BACKBONES, ArchSpec, SelectiveKernel, UnitSpec, build
from blocks.survey import survey

TORCHVISION: list[tuple[str, float, Callable[..., nn.Module], dict[str, Any]]] = [
    ("shufflenet_v2", 0.5, models.shufflenet_v2_x0_5, {}),
    ("shufflenet_v2", 1.0, models.shufflenet_v2_x1_0, {}),
    ("shufflenet_v2", 1.5, models.shufflenet_v2_x1_5, {}),
    ("shufflenet_v2", 2.0, models.shufflenet_v2_x2_0, {}),
    *(
        ("mobilenet_v2", width, models.mobilenet_v2, {"width_mult": width})
        for width in (0.1, 0.35, 0.77, 1.0, 1.4)
    ),
    *(
        ("mobilenet_v3_small", width, models.mobilenet_v3_small, {"width_mult": width})
        for width in (0.3, 1.0)
    ),
    *(
        ("mobilenet_v3_large", width, models.mobilenet_v3_large, {"width_mult": width})
        for width in (0.75, 1.0)
    ),
]


@pytest.mark.parametrize(("backbone", "width", "theirs", "arguments"), TORCHVISION)
def test_no_unit_is_torchvision_draw_for_draw(
    backbone: str, width: float, theirs: Callable[..., nn.Module], arguments: dict[str, Any]
) -> None:
    unit = UnitSpec(kind="none")
    spec = ArchSpec(backbone=backbone, width=width, num_classes=7, input_size=96, unit=unit)
    torch.manual_seed(3)
    wanted = theirs(weights=None, num_classes=7, **arguments)
    next_draw = torch.rand(1)
    torch.manual_seed(3)
    got = build(spec)

    assert torch.equal(torch.rand(1), next_draw)
    states = got.state_dict(), wanted.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert str(got) == str(wanted)
    image = torch.randn(2, 3, 96, 96)
    assert torch.equal(got.eval()(image), wanted.eval()(image))


def test_every_backbone_is_compared_with_torchvision() -> None:
    assert {backbone for backbone, *_ in TORCHVISION} == set(BACKBONES)


@settings(max_examples=20, deadline=None)
@given(arch_specs())
def test_logits_and_gradients(spec: ArchSpec) -> None:
    model = build(spec)
    logits = model(torch.randn(2, spec.in_channels, spec.input_size, spec.input_size))
    assert logits.shape == (2, spec.num_classes)
    logits.logsumexp(1).sum().backward()
    lost = [name for name, p in model.named_parameters() if p.grad is None]
    assert not lost


@pytest.mark.parametrize("unit", [{"dilations": [1]}, {"dilations": [2], "branch_act": False}, {}])
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_units_train_before_an_activation_in_place(backbone: str, unit: dict[str, Any]) -> None:
    # MobileNets activate the unit's output in place; a unit whose backward pass needs that output fails.
    model = build(ArchSpec(backbone=backbone, num_classes=2, input_size=32, unit=UnitSpec(**unit)))
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["se", "sk"])
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_untouched_layers_keep_name_and_shape(backbone: str, kind: str) -> None:
    spec = ArchSpec(backbone=backbone, unit=UnitSpec(kind=kind))
    with torch.device("meta"):
        plain = build(spec.model_copy(update={"unit": UnitSpec(kind="none")})).state_dict()
        state = build(spec).state_dict()
    shapes = {name: weight.shape for name, weight in state.items()}
    replaced = set()
    if kind == "sk":
        for pair in spec.survey.pairs:
            replaced |= {n for n in plain if n.startswith(f"{pair.path}.")}
            replaced |= {n for n in plain if n.startswith(f"{pair.parent}.{pair.norm}.")}
    assert {n: w.shape for n, w in plain.items() if n not in replaced}.items() <= shapes.items()
    assert not replaced & set(state)


def test_every_depthwise_convolution_is_a_site() -> None:
    for backbone in BACKBONES:
        spec = ArchSpec(backbone=backbone)
        model = BACKBONES[backbone].make(spec.geometry)
        depthwise = {
            name
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and module.groups > 1
        }
        assert {pair.path for pair in spec.survey.pairs} == depthwise


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_published_stages_are_resolutions(backbone: str) -> None:
    sides = {site.stage: set() for site in ArchSpec(backbone=backbone).survey.sites}
    for site in ArchSpec(backbone=backbone).survey.sites:
        sides[site.stage].add(site.side)
    # ShuffleNetV2's max-pool halves once more before its stage 2.
    shift = backbone == "shufflenet_v2"
    assert sides == {stage: {224 // 2 ** (stage + shift)} for stage in sides}


def test_override_reaches_its_stage_only() -> None:
    unit = UnitSpec(dilations=(1, 2), stages=((3, {"dilations": [1, 2, 3]}), (4, {"kind": "none"})))  # type: ignore[arg-type]
    model = build(ArchSpec(backbone="shufflenet_v2", unit=unit))
    branches: dict[str, set[int]] = {"stage2": set(), "stage3": set(), "stage4": set()}
    for name, module in model.named_modules():
        if isinstance(module, SelectiveKernel):
            branches[name.split(".")[0]].add(len(module.branches))
    assert branches == {"stage2": {2}, "stage3": {3}, "stage4": set()}


def test_units_take_stride_and_norm_settings_of_what_they_replace() -> None:
    spec = ArchSpec(backbone="mobilenet_v3_large")
    model = build(spec)
    for pair, site in zip(spec.survey.pairs, spec.survey.sites, strict=True):
        unit = model.get_submodule(pair.path)
        convs = [m for m in unit.branches.modules() if isinstance(m, nn.Conv2d)]  # type: ignore[union-attr]
        assert {conv.stride for conv in convs} == {(site.stride, site.stride)}
        norms = [m for m in unit.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}


def test_small_images_keep_their_resolution() -> None:
    spec = ArchSpec(backbone="shufflenet_v2", input_size=64, stem_stride=1)
    assert [site.side for site in spec.survey.sites][1] == 32
    assert isinstance(build(spec).get_submodule("maxpool"), nn.Identity)
    large = spec.model_copy(update={"input_size": 65})
    assert isinstance(build(large).get_submodule("maxpool"), nn.MaxPool2d)


def test_a_survey_draws_no_random_numbers() -> None:
    spec = ArchSpec(backbone="mobilenet_v2", input_size=32)
    before = torch.get_rng_state()
    survey.cache_clear()
    assert spec.survey.sites
    assert torch.equal(torch.get_rng_state(), before)
