"""What every unit that works on a feature map must do, shared by the tests of the kinds."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from nas.cost import Counts, FvcoreCounter, count

BACKBONES = ("shufflenet_v2", "mobilenet_v2", "resnext26")


def spec_of(backbone: str, unit: dict[str, Any], **figures: Any) -> ArchSpec:
    width = {"shufflenet_v2": 0.5, "mobilenet_v2": 0.35}.get(backbone, 1.0)
    whole = {"width": width, "num_classes": 9, "input_size": 32, **figures}
    return ArchSpec(backbone=backbone, unit=UnitSpec(**unit), **whole)


def randomise(module: nn.Module, seed: int) -> None:
    """Draw every weight, so that none is a zero or an identity that would hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.copy_(torch.randn(layer.num_features, generator=generator))
                layer.running_var.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)


def matrix(layer: nn.Module) -> Tensor:
    """The weight of a 1x1 convolution, as a matrix."""
    assert isinstance(layer, nn.Conv2d)
    return layer.weight.flatten(1)


def bias(layer: nn.Module) -> Tensor:
    """The bias of a convolution, as a column."""
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return layer.bias[:, None]


def same_with_gradients(module: nn.Module, x: Tensor, wanted: Tensor) -> None:
    """``module`` gives ``wanted`` for ``x`` (which requires a gradient), and the same gradients."""
    got = module(x)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    pull = torch.randn_like(got)
    weights = [x, *module.parameters()]
    pairs = zip(
        torch.autograd.grad((got * pull).sum(), weights),
        torch.autograd.grad((wanted * pull).sum(), weights),
        strict=True,
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def counts_agree(spec: ArchSpec, reference_counter: FvcoreCounter) -> None:
    theirs = reference_counter.count(spec)
    assert Counts(theirs.params, theirs.macs, theirs.activations) == count(spec)


def millions(backbone: str, unit: dict[str, Any]) -> tuple[float, float]:
    """(Parameters in millions, multiply-adds in thousands of millions) of a full-size network."""
    counts = count(ArchSpec(backbone=backbone, unit=UnitSpec(**unit)))
    return counts.params / 1e6, counts.macs / 1e9


def trains_a_step(spec: ArchSpec) -> None:
    """A step changes weights, the unit's among them, and the network still gives numbers."""
    torch.manual_seed(2)
    model = build(spec).train()
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    image, label = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    functional.cross_entropy(model(image), label).backward()
    optimizer.step()
    added = before.keys() - dict(build(spec_of_plain(spec)).named_parameters()).keys()
    assert any(not torch.equal(model.get_parameter(name), before[name]) for name in added)
    assert model.eval()(image).isfinite().all()


def spec_of_plain(spec: ArchSpec) -> ArchSpec:
    return spec.model_copy(update={"unit": UnitSpec(kind="none")})


def starts_plain(spec: ArchSpec, path: Path) -> None:
    """With ``start="plain"`` the network computes, in float64, what the plain one computes."""
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(5)
        plain = build(spec_of_plain(spec))
        for layer in plain.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.8, 1.2)
                nn.init.normal_(layer.bias, std=0.1)
        plain(torch.randn(8, 3, 32, 32))  # so that the running figures are no identities
        torch.save(plain.state_dict(), path)
        model = build(spec, start="plain", pretrained=path).eval()
        assert len(model.state_dict()) > len(plain.state_dict())
        image = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(model(image), plain.eval()(image), rtol=1e-12, atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


def learns_from_a_plain_start(spec: ArchSpec, unseen: str = "^$") -> None:
    """After two steps every weight gets a gradient, but for those whose name matches ``unseen``."""
    torch.manual_seed(3)
    model = build(spec, start="plain").train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    image, label = torch.randn(8, 3, 32, 32), torch.arange(8)
    for _ in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(model(image), label).backward()
        optimizer.step()
    dead = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert [name for name in dead if not re.search(unseen, name)] == []


def refuses_a_plain_start(spec: ArchSpec) -> None:
    with pytest.raises(InvalidInput, match=r"placement .*; allowed: conv, standard"):
        build(spec, start="plain")


def exports(module: nn.Module, channels: int) -> None:
    """Traced and exported with any batch size, the module computes the same, on 4 axes at most."""
    module.eval()
    x = torch.randn(2, channels, 6, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit announces its end at every use
        traced = torch.jit.trace(module, x)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(module, (x,), dynamic_shapes=({0: batch},))
    other = torch.randn(3, channels, 6, 5)
    for form in (traced, exported.module()):
        torch.testing.assert_close(form(other), module(other))
    values = [node.meta.get("val") for node in exported.graph.nodes]
    assert max(value.dim() for value in values if isinstance(value, Tensor)) == 4
