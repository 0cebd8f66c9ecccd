from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from blocks import ArchSpec, InvalidInput, SelectiveKernel, UnitSpec, build
from tests.blocks.arch_strategies import CHEAP, MOBILE

NONE = UnitSpec(kind="none")


def save_plain(spec: ArchSpec, path: Path, **changes: Any) -> dict[str, Tensor]:
    """A file of the plain network's weights, no number in it the one that a fresh layer starts with."""
    torch.manual_seed(11)
    model = build(spec.model_copy(update={"unit": NONE, **changes}))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                assert isinstance(value, Tensor)
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.running_mean):
                assert isinstance(value, Tensor)
                nn.init.normal_(value, std=0.1)
    torch.save(model.state_dict(), path)
    return model.state_dict()


@pytest.mark.integration
@pytest.mark.parametrize("backbone", CHEAP)
@pytest.mark.parametrize("kind", ["none", "se", "sk"])
def test_every_untouched_layer_loads(backbone: str, kind: str, tmp_path: Path) -> None:
    spec = ArchSpec(backbone=backbone, num_classes=5, unit=UnitSpec(kind=kind))
    plain = save_plain(spec, tmp_path / "plain.pt")
    state = build(spec, pretrained=tmp_path / "plain.pt").state_dict()
    if kind == "se" and backbone not in MOBILE:
        # There a layer and the unit behind it become a list of two.
        exits = tuple(f"{paths.exit}." for paths in spec.profile.module_paths)
        beside = {".".join([*n.split(".")[:-1], "0", n.split(".")[-1]]): n for n in plain}
        moved = {new: old for new, old in beside.items() if old.startswith(exits)}
        assert not moved.values() & state.keys()
        plain = {old: value for old, value in plain.items() if old not in moved.values()} | {
            new: plain[old] for new, old in moved.items()
        }
    kept = [name for name in plain if name in state]
    insertion_points = len(spec.profile.insertion_points) if kind == "sk" else 0
    assert (
        len(plain) - len(kept) == insertion_points * 6
    )  # a convolution's and a BatchNorm's tensors
    assert all(torch.equal(state[name], plain[name]) for name in kept)


@pytest.mark.parametrize("kernel", ["dilated", "real"])
def test_branches_start_from_the_depthwise_weights(kernel: str, tmp_path: Path) -> None:
    unit = UnitSpec(dilations=(1, 2, 3), kernel=kernel, group_width=2)  # type: ignore[arg-type]
    spec = ArchSpec(backbone="mobilenet_v3_small", unit=unit)
    plain = save_plain(spec, tmp_path / "plain.pt")
    model = build(spec, pretrained=tmp_path / "plain.pt")
    kernels = set()
    for paths, point in zip(spec.profile.module_paths, spec.profile.insertion_points, strict=True):
        module = model.get_submodule(paths.conv)
        assert isinstance(module, SelectiveKernel)
        source = plain[f"{paths.conv}.weight"]
        kernels.add(point.kernel)
        for branch in module.branches:
            weight = branch[0].weight  # type: ignore[index]
            middle, reach = weight.shape[-1] // 2, min(weight.shape[-1], point.kernel) // 2
            inner = slice(middle - reach, middle + reach + 1)
            centre = point.kernel // 2
            outer = slice(centre - reach, centre + reach + 1)
            wanted = torch.zeros_like(weight)
            for channel in range(point.channels):
                wanted[channel, channel % 2, inner, inner] = source[channel, 0, outer, outer]
            assert torch.equal(weight, wanted)
            for name, value in branch[1].state_dict().items():  # type: ignore[index]
                assert torch.equal(value, plain[f"{paths.norm}.{name}"])
    assert kernels == {3, 5}


def dense(weight: Tensor) -> Tensor:
    """A grouped kernel (C, g, k, k) as the one (C, C, k, k) that computes the same."""
    channels, width = weight.shape[:2]
    whole = weight.new_zeros(channels, channels, *weight.shape[2:])
    for output in range(channels):
        start = output // width * width
        whole[output, start : start + width] = weight[output]
    return whole


@pytest.mark.parametrize(
    "unit",
    [
        UnitSpec(groups=(32, 8)),
        UnitSpec(groups=(16, 64, 128), dilations=(0, 1, 2), kernel="real", select="sum"),
    ],
)
def test_branches_start_from_the_grouped_weights_they_can_hold(
    unit: UnitSpec, tmp_path: Path
) -> None:
    spec = ArchSpec(
        backbone="resnext26", unit=unit.model_copy(update={"blocks": (0,)}), input_size=32
    )
    plain = save_plain(spec, tmp_path / "plain.pt")
    model = build(spec, pretrained=tmp_path / "plain.pt")
    paths = spec.profile.module_paths[0]
    source = dense(plain[f"{paths.conv}.weight"])
    for groups, branch in zip(unit.groups, model.get_submodule(paths.conv).branches, strict=True):  # type: ignore[arg-type]
        weight = branch[0].weight
        width = 128 // groups
        assert weight.shape[:2] == (128, width)
        seen = dense(torch.ones(128, width, 1, 1))
        margin = (weight.shape[-1] - 3) // 2
        assert torch.equal(
            dense(weight), nn.functional.pad(source, (margin, margin, margin, margin)) * seen
        )
        for name, value in branch[1].state_dict().items():
            assert torch.equal(value, plain[f"{paths.norm}.{name}"])


def test_other_number_of_classes_leaves_the_classifier_fresh(tmp_path: Path) -> None:
    spec = ArchSpec(backbone="mobilenet_v2", num_classes=5)
    plain = save_plain(spec, tmp_path / "plain.pt", num_classes=1000)
    model = build(spec, pretrained=tmp_path / "plain.pt")
    assert model.get_parameter("classifier.1.weight").shape == (5, 1280)
    torch.testing.assert_close(
        model.state_dict()["features.18.0.weight"], plain["features.18.0.weight"]
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("backbone", "channels"),
    [
        *((backbone, c) for backbone in (*MOBILE, "resnext26") for c in (1, 4)),
        ("resnext29_16x32d", 1),
    ],
)
def test_grey_image_gives_what_the_colour_network_gives(
    backbone: str, channels: int, tmp_path: Path
) -> None:
    spec = ArchSpec(backbone=backbone, in_channels=channels, input_size=32, unit=NONE)
    save_plain(spec, tmp_path / "plain.pt", in_channels=3)
    colour = build(spec.model_copy(update={"in_channels": 3}), pretrained=tmp_path / "plain.pt")
    adapted = build(spec, pretrained=tmp_path / "plain.pt")
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(
        adapted.eval()(grey.expand(-1, channels, -1, -1)),
        colour.eval()(grey.expand(-1, 3, -1, -1)),
        rtol=1e-4,
        atol=1e-4,
    )


def test_our_checkpoints_and_old_files_load(tmp_path: Path) -> None:
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, unit=NONE)
    plain = save_plain(spec, tmp_path / "plain.pt")
    torch.save({"model": plain, "epoch": 3}, tmp_path / "checkpoint.pt")
    counters = [name for name in plain if name.endswith("num_batches_tracked")]
    assert counters
    old = {name: value for name, value in plain.items() if name not in counters}
    torch.save(old, tmp_path / "old.pt")
    for name in ("checkpoint.pt", "old.pt"):
        state = build(spec, pretrained=tmp_path / name).state_dict()
        assert all(torch.equal(state[key], value) for key, value in plain.items())


class Hostile:
    """Its unpickling would create a directory."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def refusal(path: Path, **fields: Any) -> str:
    spec = ArchSpec(**{"backbone": "shufflenet_v2", "width": 0.5, **fields})
    with pytest.raises(InvalidInput) as caught:
        build(spec, pretrained=path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"conv1.0.weight": Hostile(str(trap))}, tmp_path / "zip.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Hostile(str(trap))))
    for name in ("zip.pt", "pickle.pt"):
        assert "not a file of weights" in refusal(tmp_path / name)
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"a": 1},
        {"model": {"a": "b"}},
        {3: torch.zeros(2)},
        torch.zeros(2),
        {"conv1.0.weight": torch.tensor(0.0)},
        {"conv1.0.weight": torch.zeros(24, 3)},
        {},
    ],
)
def test_files_of_something_else_are_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    assert "not " in refusal(tmp_path / "other.pt")


def test_unreadable_paths_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.pt")
    assert "directory" in refusal(tmp_path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.pt"
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5)
    plain = save_plain(spec, path)
    small = {name: plain[name] for name in list(plain)[:6]}
    torch.save(small, path)
    torch.save(small, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    originals = [path.read_bytes(), (tmp_path / "legacy.pt").read_bytes(), b"just some text\n", b""]
    generator = random.Random(0)
    damaged = tmp_path / "damaged.pt"
    for original in originals:
        for _ in range(20):
            damaged.write_bytes(original[: generator.randint(0, max(len(original) - 1, 0))])
            refusal(damaged)
        for _ in range(20):
            changed = bytearray(original)
            for _ in range(min(len(changed), 5)):
                changed[generator.randrange(len(changed))] = generator.randrange(256)
            damaged.write_bytes(bytes(changed))
            refusal(damaged)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"width": 1.0}, "misshapen"),
        ({"backbone": "mobilenet_v2"}, "unknown"),
        ({"backbone": "mobilenet_v3_small", "width": 1.0}, "unknown"),
    ],
)
def test_weights_of_another_network_are_refused(
    fields: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "plain.pt"
    save_plain(ArchSpec(backbone="shufflenet_v2", width=0.5), path)
    assert problem in refusal(path, **fields)


def test_weights_with_a_layer_missing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.pt"
    state = save_plain(ArchSpec(backbone="shufflenet_v2", width=0.5), path)
    del state["conv5.0.weight"]
    torch.save(state, path)
    assert "1 missing, such as conv5.0.weight" in refusal(path)
