"""What a bundle says of itself."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.data import DataConfig
from nas.export.shipped.runtime import FORMAT
from nas.export.targets import Precision

Split: TypeAlias = Literal["val", "test"]


class Part(BaseModel):
    """Frozen, and nothing in it that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(Part):
    """From an image to the network's input, (1, C, size, size).

    Attributes:
        channels: 1: grey; 3: red, green, blue.
        size: Pixels of a side.
        resize: Pixels of the shorter side before the centre is cut out.
        mean: Per channel, of pixels in [0, 1]; the input is (pixel - mean) / std.
        std: See mean.
    """

    channels: int
    size: int
    resize: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Accuracy(Part):
    """Share of images named as their labels do.

    Attributes:
        split: The held-out images: "val", or "test" for a network trained on the validation images too.
        images: Of the split that were looked at, evenly spread over it.
        top1: Share that was right.
    """

    split: Split
    images: int
    top1: float


class Parity(Part):
    """How far an artifact's outputs are from the PyTorch network's, on the images of the accuracy.

    Attributes:
        images: Images compared.
        max_abs_difference: Largest difference of any logit.
        top1_agreement: Share of images on which both name the same class.
    """

    images: int
    max_abs_difference: float
    top1_agreement: float


class Latency(Part):
    """Milliseconds of one image on one thread of the machine that exported; see ``shipped/bench.py``.

    Attributes:
        n: Calls timed.
        p50: Median.
        p90: Nine of ten calls took no longer.
        least: The fastest call.
        busy: Whether the spread says that the machine did something else as well.
    """

    n: int
    p50: float
    p90: float
    least: float
    busy: bool


class File(Part):
    """One file of a bundle."""

    name: str
    bytes: int
    sha256: str


class Artifact(Part):
    """The network for one runtime.

    Attributes:
        target: The runtime's name.
        precision: "fp32" or "int8".
        files: What belongs together; the first is the one to load.
        parity: Measured in the runtime itself.
        accuracy: Measured in the runtime itself.
        latency: None where it could not be measured.
        float_layers: Of an int8 artifact the layers left in float32 since they lost most.
        undelegated: Operators that the runtime's fast library did not take; None where there is no such
            division.
    """

    target: str
    precision: Precision
    files: tuple[File, ...]
    parity: Parity
    accuracy: Accuracy
    latency: Latency | None
    float_layers: tuple[str, ...] = ()
    undelegated: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Such as onnx-int8."""
        return f"{self.target}-{self.precision}"

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


class Manifest(Part):
    """manifest.json of a bundle.

    Attributes:
        format: Version of this layout.
        key: Canonical key of the network.
        spec: The network.
        params: Learnable numbers.
        mflops: Multiply-adds in millions, for one image.
        activations: Numbers that convolutions and linear layers write, for one image.
        peak_activation_bytes: See ``nas.cost.peak_activation_bytes``, for one image in float32.
        class_names: In the order of the outputs.
        preprocessing: Of an image.
        data: The images the network was trained on.
        seed: Of the training.
        epochs: Trained.
        val_error: Share of the held-out images named wrongly, as training reported it; None when they
            were trained on.
        test_error: The same on the test set, when the network was trained in full; else None.
        accuracy: Of the network in PyTorch, on the images that the artifacts were given.
        machine: The processor that exported, where the latencies were measured.
        versions: Of the packages that made the artifacts.
        artifacts: The network for each runtime and precision.
    """

    format: int = FORMAT
    key: str
    spec: ArchSpec
    params: int
    mflops: float
    activations: int
    peak_activation_bytes: int
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    data: DataConfig
    seed: int
    epochs: int
    val_error: float | None
    test_error: float | None
    accuracy: Accuracy
    machine: str
    versions: dict[str, str]
    artifacts: tuple[Artifact, ...]
