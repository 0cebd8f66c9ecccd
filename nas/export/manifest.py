"""What a bundle says of itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.data import DataConfig

FORMAT = 2


class Parity(BaseModel):
    """How far an artifact's outputs are from the PyTorch network's, on real images.

    Attributes:
        images: Validation images compared.
        max_abs_difference: Largest difference of any logit.
        top1_agreement: Share of images on which both name the same class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    max_abs_difference: float
    top1_agreement: float


class File(BaseModel):
    """One file of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    bytes: int
    sha256: str


class Artifact(BaseModel):
    """The network for one runtime.

    Attributes:
        target: The runtime's name.
        files: What belongs together; the first is the one to load.
        parity: Measured by the runtime itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    files: tuple[File, ...]
    parity: Parity


class Manifest(BaseModel):
    """manifest.json of a bundle.

    Attributes:
        format: Version of this layout.
        key: Canonical key of the network.
        spec: The network.
        params: Learnable numbers.
        mflops: Multiply-adds in millions, for one image.
        activations: Numbers that convolutions and linear layers write, for one image.
        class_names: In the order of the outputs.
        mean: Per channel, of pixels in [0, 1]; the input is (pixel - mean) / std.
        std: See mean.
        data: The images the network was trained on.
        seed: Of the training.
        epochs: Trained.
        val_error: On the held-out images, when they were held out; else None.
        test_error: On the test set, when the network was trained in full; else None.
        versions: Of the packages that made the artifacts.
        artifacts: The network for each runtime.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    key: str
    spec: ArchSpec
    params: int
    mflops: float
    activations: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: DataConfig
    seed: int
    epochs: int
    val_error: float | None
    test_error: float | None
    versions: dict[str, str]
    artifacts: tuple[Artifact, ...]
