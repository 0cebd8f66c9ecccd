"""Rates of layers, frozen layers and blended batches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from blocks import ArchSpec, UnitSpec, build
from nas.training import RECIPES, Recipe
from nas.training.frozen import freeze
from nas.training.mixing import mix
from nas.training.norms import set_momentum
from nas.training.optimizer import classifier_of, make_optimizer, make_schedule

BASE = RECIPES["tiny"]


def network() -> nn.Module:
    return build(
        ArchSpec(
            backbone="mobilenet_v2",
            width=0.25,
            num_classes=4,
            input_size=32,
            unit=UnitSpec(kind="sk"),
        )
    )


def rates(net: nn.Module, recipe: Recipe) -> dict[str, float]:
    of = {
        id(parameter): group["lr"]
        for group in make_optimizer(net, recipe).param_groups
        for parameter in group["params"]
    }
    return {name: of[id(parameter)] for name, parameter in net.named_parameters()}


def test_every_parameter_is_optimised_once_at_one_rate_by_default() -> None:
    net = network()
    optimizer = make_optimizer(net, BASE)
    given = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(given) == len({id(one) for one in given}) == len(list(net.parameters()))
    assert {group["lr"] for group in optimizer.param_groups} == {BASE.lr}
    for group in optimizer.param_groups:
        assert (group["weight_decay"] > 0) == all(one.ndim > 1 for one in group["params"])


def test_rates_increase_from_the_first_layer_to_the_classifier() -> None:
    net = network()
    got = rates(net, BASE.model_copy(update={"lr": 0.01, "first_lr": 0.1, "head_lr": 5.0}))
    assert got["classifier.1.weight"] == got["classifier.1.bias"] == pytest.approx(0.05)
    assert got["features.0.0.weight"] == pytest.approx(0.001)
    body = [rate for name, rate in got.items() if not name.startswith("classifier.1.")]
    assert body == sorted(body)
    assert body[-1] == pytest.approx(0.01)


@given(st.sampled_from(["one_cycle", "cosine", "constant"]), st.floats(0.01, 1), st.floats(1, 20))
def test_schedules_keep_the_ratio_of_the_rates(schedule: str, first: float, head: float) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(2, 3))
    recipe = BASE.model_copy(
        update={"schedule": schedule, "epochs": 2, "first_lr": first, "head_lr": head}
    )
    optimizer = make_optimizer(net, recipe)
    steps = make_schedule(optimizer, recipe, 4)
    rows = []
    for _ in range(8):
        rows.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        steps.step()
    largest = max(row[0] for row in rows)
    for row in rows:
        # Where one cycle ends, at almost nothing, its rates of all groups are rounded.
        if row[0] > 1e-3 * largest:
            assert [one / row[0] for one in row] == pytest.approx([o / rows[0][0] for o in rows[0]])


def test_only_the_classifier_is_trained_at_first() -> None:
    net = network()
    recipe = BASE.model_copy(update={"head_epochs": 1})
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = make_optimizer(net, recipe)

    def step(epoch: int) -> set[str]:
        net.train()
        freeze(net, recipe, epoch)
        optimizer.zero_grad()
        net(torch.rand(4, 3, 32, 32)).square().mean().backward()
        optimizer.step()
        state = net.state_dict()
        return {name for name, value in state.items() if not torch.equal(value, before[name])}

    assert step(0) == {"classifier.1.weight", "classifier.1.bias"}
    after = step(1)
    assert {"features.0.0.weight", "features.0.1.running_mean", "classifier.1.weight"} <= after


def test_frozen_statistics_stay_while_scale_and_shift_are_trained() -> None:
    net = network()
    recipe = BASE.model_copy(update={"freeze_norm": True, "optimizer": "adamw"})
    mean, scale = net.features[0][1].running_mean.clone(), net.features[0][1].weight.clone()  # type: ignore[index,union-attr]
    optimizer = make_optimizer(net, recipe)
    freeze(net.train(), recipe, 3)
    net(torch.rand(4, 3, 32, 32)).square().mean().backward()
    optimizer.step()
    assert torch.equal(net.features[0][1].running_mean, mean)  # type: ignore[index,union-attr]
    assert not torch.equal(net.features[0][1].weight, scale)  # type: ignore[index,union-attr]


def test_the_recipe_sets_how_fast_statistics_follow_in_every_unit() -> None:
    unit = UnitSpec(kind="sk", kernel="plain", branch_act=False)
    spec = ArchSpec(backbone="efficientnet_lite0", num_classes=4, input_size=32, unit=unit)
    net = build(spec)

    def momenta() -> set[float | None]:
        return {one.momentum for one in net.modules() if isinstance(one, nn.BatchNorm2d)}

    assert momenta() == {0.01}
    set_momentum(net, None)
    assert momenta() == {0.01}
    set_momentum(net, 0.1)
    assert momenta() == {0.1}
    assert RECIPES["fine_tune"].norm_momentum == 0.1


def test_the_classifier_is_the_last_linear_layer_and_a_network_may_have_none() -> None:
    net = network()
    assert classifier_of(net) is net.get_submodule("classifier.1")
    assert classifier_of(nn.Conv2d(1, 1, 1)) is None


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_blended_labels_are_the_shares_of_the_blended_images(mixup: float, cutmix: float) -> None:
    # Images of one colour that is their label: the mean of a blend says whose shares it has.
    labels = torch.arange(4)
    images = labels[:, None, None, None].expand(4, 3, 32, 32).float()
    recipe = BASE.model_copy(update={"mixup": mixup, "cutmix": cutmix})
    torch.manual_seed(0)
    for _ in range(8):
        mixed, targets = mix(images, labels, recipe, 4)
        assert mixed.shape == images.shape
        assert torch.allclose(targets.sum(1), torch.ones(4))
        assert torch.allclose(mixed.mean((1, 2, 3)), targets @ labels.float(), atol=1e-4)


def test_without_blending_the_batch_is_the_same_and_nothing_is_drawn() -> None:
    images, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
    state = torch.get_rng_state()
    assert mix(images, labels, BASE, 4) == (images, labels)
    assert torch.equal(torch.get_rng_state(), state)
