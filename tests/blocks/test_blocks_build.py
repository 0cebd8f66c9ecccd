from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torchvision import models
from torchvision.models.resnet import Bottleneck, ResNet

from blocks import BACKBONES, ArchSpec, SelectiveKernel, UnitSpec, build
from blocks.profile import profile
from blocks.units.surgery import insert
from tests.blocks.arch_strategies import CHEAP, MOBILE, arch_specs, skeleton


def resnet(blocks: list[int], groups: int, group_width: int) -> Callable[..., nn.Module]:
    """torchvision's class with figures for which it has no builder."""

    def make(*, weights: None, num_classes: int) -> nn.Module:
        assert weights is None
        made: nn.Module = ResNet(
            Bottleneck, blocks, num_classes, groups=groups, width_per_group=group_width
        )
        return made

    return make


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
    ("resnet50", 1.0, models.resnet50, {}),
    ("resnext50", 1.0, models.resnext50_32x4d, {}),
    ("resnet26", 1.0, resnet([2, 2, 2, 2], 1, 64), {}),
    ("resnext26", 1.0, resnet([2, 2, 2, 2], 32, 4), {}),
]
# Too large to draw their numbers here: the layers alone are compared.
LARGE: dict[str, Callable[..., nn.Module]] = {
    "resnet101": models.resnet101,
    "resnext50_36x4d": resnet([3, 4, 6, 3], 36, 4),
    "resnext56": resnet([3, 4, 8, 3], 32, 4),
    "resnext101": resnet([3, 4, 23, 3], 32, 4),
}
CIFAR = {"resnext29_16x32d": (16, 32), "resnext29_8x64d": (8, 64), "resnext29_16x64d": (16, 64)}
OF_OUR_OWN = {"resnext50_wider", "efficientnet_lite0"}
"""No torchvision class makes them: compared with the paper's counts, or with another package."""


@pytest.mark.integration
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


@pytest.mark.parametrize("backbone", LARGE)
def test_large_ones_are_torchvisions_layer_for_layer(backbone: str) -> None:
    with torch.device("meta"):
        wanted = LARGE[backbone](weights=None, num_classes=7)
    got = skeleton(
        ArchSpec(backbone=backbone, num_classes=7, input_size=96, unit=UnitSpec(kind="none"))
    )
    assert str(got) == str(wanted)
    assert list(got.state_dict()) == list(wanted.state_dict())


@pytest.mark.parametrize("backbone", CIFAR)
def test_resnext_for_small_images_is_three_stages_of_torchvisions(backbone: str) -> None:
    groups, group_width = CIFAR[backbone]
    with torch.device("meta"):
        wanted: Any = resnet([3, 3, 3, 3], groups, group_width)(weights=None, num_classes=7)
        del wanted.layer4
        wanted.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        wanted.fc = nn.Linear(1024, 7)
    got = skeleton(
        ArchSpec(
            backbone=backbone,
            num_classes=7,
            input_size=32,
            stem_stride=1,
            unit=UnitSpec(kind="none"),
        )
    )
    layers = {name: str(m) for name, m in got.named_modules() if list(m.parameters(recurse=False))}
    assert layers == {
        name: str(m) for name, m in wanted.named_modules() if list(m.parameters(recurse=False))
    }
    assert got.get_submodule("conv1").stride == (1, 1)
    assert not [m for m in got.modules() if isinstance(m, nn.MaxPool2d)]


def test_resnext_for_small_images_starts_like_torchvisions() -> None:
    torch.manual_seed(0)
    model = build(ArchSpec(backbone="resnext29_16x32d", input_size=32, unit=UnitSpec(kind="none")))
    stem = model.get_parameter("conv1.weight")
    assert stem.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.1)


def test_every_backbone_is_compared_with_torchvision() -> None:
    compared = {backbone for backbone, *_ in TORCHVISION} | {*LARGE, *CIFAR}
    assert compared | OF_OUR_OWN == set(BACKBONES)


@settings(max_examples=20, deadline=None)
@given(arch_specs(MOBILE))  # in ResNets units are put in by the same code, and take seconds to run
def test_logits_and_gradients(spec: ArchSpec) -> None:
    model = build(spec)
    logits = model(torch.randn(2, spec.in_channels, spec.input_size, spec.input_size))
    assert logits.shape == (2, spec.num_classes)
    logits.logsumexp(1).sum().backward()
    lost = [name for name, p in model.named_parameters() if p.grad is None]
    assert not lost


@pytest.mark.parametrize(
    "unit",
    [
        {"dilations": [1]},
        {"dilations": [2], "branch_act": False},
        {},
        {"select": "sum"},
        {"select": "reduced"},
        *({"kind": "se", "placement": p} for p in ("conv", "standard", "pre", "post", "identity")),
    ],
)
@pytest.mark.parametrize(
    "backbone",
    ["shufflenet_v2", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0", "resnext26"],
)
def test_units_train_before_an_activation_in_place(backbone: str, unit: dict[str, Any]) -> None:
    # MobileNets activate the unit's output in place; a unit whose backward pass needs that output fails.
    if unit.get("placement") == "identity" and backbone in MOBILE:
        return  # refused, see below
    model = build(ArchSpec(backbone=backbone, num_classes=2, input_size=32, unit=UnitSpec(**unit)))
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["se", "sk"])
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_untouched_layers_keep_name_and_shape(backbone: str, kind: str) -> None:
    spec = ArchSpec(backbone=backbone, unit=UnitSpec(kind=kind))
    plain = skeleton(spec.model_copy(update={"unit": UnitSpec(kind="none")})).state_dict()
    state = skeleton(spec).state_dict()
    shapes = {name: weight.shape for name, weight in state.items()}
    replaced = set()
    for paths in spec.profile.module_paths:
        for path in (paths.conv, paths.norm) if kind == "sk" else ():
            replaced |= {n for n in plain if n.startswith(f"{path}.")}
        if kind == "se" and backbone not in MOBILE:
            # A Bottleneck has no list of layers to put a unit into.
            for name in [n for n in plain if n.startswith(f"{paths.exit}.")]:
                path, _, last = name.rpartition(".")
                plain[f"{path}.0.{last}"] = plain.pop(name)
    assert {n: w.shape for n, w in plain.items() if n not in replaced}.items() <= shapes.items()
    assert not replaced & set(state)
    assert len(shapes) > len(plain) - len(replaced)


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_every_convolution_that_sees_neighbours_is_a_site(backbone: str) -> None:
    spec = ArchSpec(backbone=backbone)
    with torch.device("meta"):
        model = BACKBONES[backbone].make(spec.geometry)
    wide = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1)
    }
    assert {paths.conv for paths in spec.profile.module_paths} == wide - {
        BACKBONES[backbone].stem()
    }


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_blocks_are_numbered_in_each_stage(backbone: str) -> None:
    plain = ArchSpec(backbone=backbone).profile
    for stage in plain.stages:
        module_paths = [paths for paths in plain.module_paths if paths.stage == stage.number]
        inside = [paths.index for paths in module_paths if paths.block is not None]
        assert inside == list(range(stage.depth))
        assert (
            len({paths.block for paths in module_paths if paths.block is not None}) == stage.depth
        )
        assert {paths.index for paths in module_paths if paths.block is None} <= {0}
    shortcuts = [paths for paths in plain.module_paths if paths.block is None]
    assert len(shortcuts) == (3 if backbone == "shufflenet_v2" else 0)


@pytest.mark.parametrize("backbone", CHEAP)
def test_the_survey_sees_what_passes_by(backbone: str) -> None:
    """Shapes at each placement, against what a module put there is given."""

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = x.shape[1:]
            return x

    spec = ArchSpec(backbone=backbone, input_size=45, unit=UnitSpec(kind="none"))
    model = skeleton(spec)
    spies: list[tuple[Any, Any]] = []
    missing = set()
    for paths, point in zip(spec.profile.module_paths, spec.profile.insertion_points, strict=True):
        module_at = {
            "conv": paths.norm,
            "standard": paths.exit,
            "pre": paths.entry,
            "post": paths.block,
            "identity": paths.shortcut,
        }
        for placement, path in module_at.items():
            shape = getattr(point, placement)
            assert (shape is None) == (not path)
            if path:
                spies.append((Spy(), shape))
                insert(model, path, "spy", spies[-1][0], before=placement == "pre")
            elif paths.block is not None:
                missing.add(placement)
    model.eval()(torch.empty(1, 3, 45, 45, device="meta"))
    assert [spy.seen for spy, _ in spies] == [(s.channels, s.side, s.side) for _, s in spies]
    assert missing == ({"identity"} if backbone in MOBILE else set())


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_published_stages_are_resolutions(backbone: str) -> None:
    cifar = backbone in CIFAR
    figures: dict[str, Any] = {"input_size": 32, "stem_stride": 1} if cifar else {}
    spec = ArchSpec(backbone=backbone, **figures)
    sides: dict[int, set[int]] = {point.stage: set() for point in spec.profile.insertion_points}
    for point in spec.profile.insertion_points:
        sides[point.stage].add(point.side)
    if cifar:
        assert sides == {2: {32}, 3: {16}, 4: {8}}
        return
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
    for paths, point in zip(spec.profile.module_paths, spec.profile.insertion_points, strict=True):
        unit = model.get_submodule(paths.conv)
        convs = [m for m in unit.branches.modules() if isinstance(m, nn.Conv2d)]  # type: ignore[union-attr]
        assert {conv.stride for conv in convs} == {(point.stride, point.stride)}
        norms = [m for m in unit.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}


def test_a_unit_stands_in_the_blocks_named_and_in_no_other() -> None:
    unit = UnitSpec(
        blocks=(0, -1),
        stages=((3, {"blocks": [2, -2, 2]}), (4, {"kind": "se", "placement": "post"})),  # type: ignore[arg-type]
    )
    model = skeleton(ArchSpec(backbone="shufflenet_v2", unit=unit))
    found = {name for name, module in model.named_modules() if isinstance(module, SelectiveKernel)}
    assert found == {
        "stage2.0.branch1.0",
        "stage2.0.branch2.3",
        "stage2.3.branch2.3",
        "stage3.2.branch2.3",
        "stage3.6.branch2.3",
    }
    assert [name for name, _ in model.get_submodule("stage4").named_children()] == [
        "0",
        "0_se",
        "1",
        "2",
        "3",
        "3_se",
    ]


def test_the_shortcut_of_shufflenet_may_keep_its_convolutions() -> None:
    spec = ArchSpec(backbone="shufflenet_v2", unit=UnitSpec(shortcut=False))
    model = skeleton(spec)
    found = [name for name, module in model.named_modules() if isinstance(module, SelectiveKernel)]
    assert len(found) == 16
    assert not [name for name in found if "branch1" in name]


def test_small_images_keep_their_resolution() -> None:
    for backbone in ("shufflenet_v2", "resnext26"):
        spec = ArchSpec(backbone=backbone, input_size=64, stem_stride=1)
        assert [point.side for point in spec.profile.insertion_points][1] == {"resnext26": 64}.get(
            backbone, 32
        )
        assert isinstance(skeleton(spec).get_submodule("maxpool"), nn.Identity)
        large = spec.model_copy(update={"input_size": 65})
        assert isinstance(skeleton(large).get_submodule("maxpool"), nn.MaxPool2d)


def test_a_survey_draws_no_random_numbers() -> None:
    spec = ArchSpec(backbone="mobilenet_v2", input_size=32)
    before = torch.get_rng_state()
    profile.cache_clear()
    assert spec.profile.insertion_points
    assert torch.equal(torch.get_rng_state(), before)
