"""Teachers from timm: real networks with random weights, since nothing is downloaded in tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from blocks import ArchSpec, InvalidInput, UnitSpec
from blocks.backbones import IMAGENET
from nas.cli.main import main
from nas.data import DataConfig, DataInfo
from nas.training import Recipe, TrainJob, load_checkpoint, read_info
from nas.training.distillation import load_teacher
from nas.training.fit import fit

NAME = "mobilenetv3_small_050"
SPEC = ArchSpec(
    backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
    stem_stride=2, unit=UnitSpec(kind="none"),
)  # fmt: skip
RECIPE = Recipe(epochs=1, batch_size=32, lr=0.02, weight_decay=5e-4, schedule="one_cycle")
HALF = DataInfo(
    name="made", num_classes=10, in_channels=1, input_size=16, class_names=tuple("0123456789"),
    mean=(0.5,), std=(0.25,), train_images=2, val_images=1, test_images=1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A network that is downloaded by mistake would wait for the network.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def network(classes: int = 10, channels: int = 1, name: str = NAME) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = timm.create_model(name, num_classes=classes, in_chans=channels)
    return made.eval()


def saved(**options: Any) -> str:
    torch.save(network(**options).state_dict(), "teacher.pt")
    return f"timm:{options.get('name', NAME)}=teacher.pt"


def job(name: str, **fields: object) -> TrainJob:
    return TrainJob.model_validate(
        {
            "spec": SPEC, "data": DataConfig(name="digits", limit=64), "recipe": RECIPE, "seed": 0,
            "folder": Path(name), "log_name": "test", "log_version": name, "threads": 1,
        }
        | fields
    )  # fmt: skip


def test_it_sees_the_same_picture_at_its_own_size_and_normalisation() -> None:
    teach = load_teacher(saved(), SPEC, HALF)
    pixels = torch.rand(2, 1, 16, 16)
    got = teach((pixels - 0.5) / 0.25)
    # What timm's own data loader would give it: ImageNet's figures, averaged for one channel.
    mean, std = IMAGENET.of_channels(1).mean[0], IMAGENET.of_channels(1).std[0]
    expected = functional.interpolate(
        (pixels - mean) / std, (224, 224), mode="bilinear", antialias=True
    )
    with torch.inference_mode():
        assert torch.allclose(got, network()(expected), atol=1e-4)
    assert not got.requires_grad


@pytest.mark.integration
def test_a_network_learns_from_it_and_goes_on_with_it_alone() -> None:
    teacher = saved()
    fit(job("a"))
    fit(job("b", teacher=teacher))
    one, other = (load_checkpoint(Path(n) / "checkpoint.pt").model.state_dict() for n in "ab")
    assert one.keys() == other.keys()
    assert not torch.equal(one["fc.weight"], other["fc.weight"])
    digest = read_info(Path("b/checkpoint.pt")).teacher
    assert digest is not None
    assert digest.startswith(f"timm:{NAME} ")
    longer = RECIPE.model_copy(update={"epochs": 2})
    fit(job("b", teacher=teacher, recipe=longer))
    torch.manual_seed(1)
    torch.save(timm.create_model(NAME, num_classes=10, in_chans=1).state_dict(), "teacher.pt")
    with pytest.raises(InvalidInput, match="other teacher"):
        fit(job("b", teacher=teacher, recipe=longer))


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("timm:nix", "has no network of this name"),
        ("timm:resnet18.nix", "Invalid pretrained tag"),
        (f"timm:{NAME}", f"know 1000 classes; the network has 10; allowed: timm:{NAME}=FILE"),
        (f"timm:{NAME}=none.pt", "none.pt: no such file"),
        (f"timm:{NAME}=text.pt", "text.pt: not a file of weights"),
        (f"timm:{NAME}=seven.pt", r"classifier.weight is \(7, 1024\), expected \(10, 1024\)"),
        ("timm:resnet18=seven.pt", "is missing, expected"),
    ],
)
def test_refusals_are_one_line(teacher: str, message: str) -> None:
    Path("text.pt").write_text("text")
    torch.save(network(classes=7).state_dict(), "seven.pt")
    with pytest.raises(InvalidInput, match=message) as refused:
        load_teacher(teacher, SPEC, HALF)
    assert "\n" not in str(refused.value)


def test_pretrained_weights_that_cannot_be_had_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise OSError("no network\nat all")

    thousand = SPEC.model_copy(update={"num_classes": 1000})
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InvalidInput, match="cannot be made: no network at all; allowed: timm:"):
        load_teacher(f"timm:{NAME}", thousand, HALF)


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InvalidInput, match=r"pip install 'sknas\[timm\]'"):
        load_teacher("timm:resnet18", SPEC, HALF)


@pytest.mark.integration
def test_the_command_takes_it(capfd: pytest.CaptureFixture[str]) -> None:
    Path("plain.yaml").write_text(SPEC.to_yaml())
    words = [
        "train",
        "plain.yaml",
        "--data",
        "digits",
        "--recipe",
        "tiny",
        "--epochs",
        "1",
        "--threads",
        "1",
    ]
    assert main([*words, "--teacher", "timm:nix"]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.endswith("has no network of this name")
    assert main([*words, "--teacher", saved()]) == 0
