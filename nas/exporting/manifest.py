"""manifest.json: the description of a bundle."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from blocks import ArchSpec
from nas.data import DataConfig
from nas.data.config import stored_data
from nas.evaluation import Rate, Temperature, wilson
from nas.exporting.shipped.runtime import FORMAT, LOADERS, MICRO, Pixels, Port
from nas.exporting.targets import Arena, Npu, Precision
from nas.training.pretrained import WeightsOrigin

Split: TypeAlias = Literal["val", "test"]


class Part(BaseModel):
    """A frozen model without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(Part):
    """From an image to the network's input, (1, C, size, size).

    Attributes:
        channels: 1 for grey; 3 for red, green, blue.
        size: Side of the input in pixels.
        resize: Pixels of the shorter side before the centre is cut out.
        read_side: Pixels to which the shorter side of a larger image is reduced first; None: it is not.
        mean: Mean per channel of pixels in [0, 1]; the input is (pixel - mean) / std.
        std: Standard deviation per channel.
    """

    channels: int
    size: int
    resize: int
    read_side: int | None = None
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Accuracy(Part):
    """Share of images named as their labels do.

    Attributes:
        split: The held-out images: "val", or "test" for a network trained on the validation images too.
        images: Number of images, evenly spread over the split.
        top1: Share of correctly classified images.
    """

    split: Split
    images: int
    top1: float


class Parity(Part):
    """The difference between an artifact's outputs and PyTorch's, on the images of the accuracy.

    Attributes:
        images: Number of images.
        max_abs_difference: Largest absolute difference of a logit.
        top1_agreement: Share of images with the same class from both.
    """

    images: int
    max_abs_difference: float
    top1_agreement: float


class Latency(Part):
    """Milliseconds of one image on one thread of the exporting machine; see ``shipped/bench.py``.

    Attributes:
        n: Number of timed calls.
        p50: Median.
        p90: 90th percentile.
        least: The fastest call.
        busy: Whether the spread shows that the machine was busy.
    """

    n: int
    p50: float
    p90: float
    least: float
    busy: bool


class ClassAccuracy(Part):
    """What PyTorch makes of the images of one class, on the images of the accuracy.

    Attributes:
        name: Of the class.
        images: Number of images with this label.
        right: Number of these that are classified correctly.
        predicted: Number of images that are classified as this class.
    """

    name: str
    images: int
    right: int
    predicted: int

    @property
    def recall(self) -> Rate | None:
        """Share of the images of this class that are classified correctly; None without images."""
        return wilson(self.right, self.images) if self.images else None

    @property
    def precision(self) -> Rate | None:
        """Share of the images classified as this class that are of it; None when there are none."""
        return wilson(self.right, self.predicted) if self.predicted else None


class File(Part):
    """One file of a bundle."""

    name: str
    bytes: int
    sha256: str


class Missing(Part):
    """A target that was asked for and failed.

    Attributes:
        target: Its name.
        reason: One line.
    """

    target: str
    reason: str


class Artifact(Part):
    """The network for one runtime.

    Attributes:
        target: Name of the runtime.
        precision: "fp32", "fp16" or "int8".
        files: The files; the runtime loads the first one.
        parity: Measured in the runtime itself; None for a chip that this machine cannot stand for.
        accuracy: Likewise.
        latency: None if it could not be measured.
        float_layers: The layers of an int8 artifact that stay in float32, since they lost most accuracy.
        undelegated: Operators that the runtime's fast library does not run; None for a runtime
            without such a library.
        input: What the file takes; None in a bundle of version 0.1.
        output: What it gives, likewise.
        pixels: The normalisation that the file does itself; None: it takes normalised images.
        arena: Of a microcontroller's file.
        npu: Of an accelerator's file.
    """

    target: str
    precision: Precision
    files: tuple[File, ...]
    parity: Parity | None
    accuracy: Accuracy | None
    latency: Latency | None
    float_layers: tuple[str, ...] = ()
    undelegated: tuple[str, ...] | None = None
    input: Port | None = None
    output: Port | None = None
    pixels: Pixels | None = None
    arena: Arena | None = None
    npu: Npu | None = None

    @property
    def name(self) -> str:
        """Such as onnx-int8."""
        return f"{self.target}-{self.precision}"

    @property
    def bytes(self) -> int:
        """Size of what goes to the device: all files, or the flash memory of a microcontroller.

        The C array of a microcontroller is a copy of its file.
        """
        return sum(file.bytes for file in self.files) if self.arena is None else self.arena.flash

    @property
    def runs_here(self) -> bool:
        """Whether ``predict.py`` runs it on a computer."""
        return self.target in LOADERS

    @property
    def is_timed(self) -> bool:
        """Whether ``bench.py`` measures it unless told otherwise."""
        return self.runs_here and self.target not in MICRO


class Manifest(Part):
    """manifest.json of a bundle.

    Attributes:
        format: Version of this layout.
        key: Canonical key of the network.
        spec: The network.
        params: Parameters.
        mflops: Multiply-adds in millions, for one image.
        activations: Output elements of convolutions and linear layers, for one image.
        peak_activation_bytes: See ``nas.cost.peak_activation_bytes``, for one image in float32.
        class_names: Names of the classes, in the order of the outputs.
        labels: The file with these names, one a line; None in a bundle of before.
        preprocessing: From an image to the input.
        data: The images that the network was trained on.
        seed: Seed of the training.
        epochs: Number of trained epochs.
        val_error: Share of misclassified validation images, as the training reported it; None if the
            network was trained on them.
        test_error: Share of misclassified test images after a full training; else None.
        pretrained: The weights that the training started from, where their origin is known.
        accuracy: Accuracy of the network in PyTorch, on the images that the artifacts were run on.
        classes: The same by class; empty in a bundle of version 0.1.
        temperature: What ``predict.py`` divides the logits by before the softmax.
        machine: The processor on which the latencies were measured.
        versions: Versions of the packages that made the artifacts.
        artifacts: The artifacts, one per runtime and precision.
        missing: The targets that were asked for and failed.
    """

    format: int = FORMAT
    key: str
    spec: ArchSpec
    params: int
    mflops: float
    activations: int
    peak_activation_bytes: int
    class_names: tuple[str, ...]
    labels: str | None = None
    preprocessing: Preprocessing
    data: Annotated[DataConfig, BeforeValidator(stored_data)]
    seed: int
    epochs: int
    val_error: float | None
    test_error: float | None
    pretrained: WeightsOrigin | None = None
    accuracy: Accuracy
    classes: tuple[ClassAccuracy, ...] = ()
    temperature: Temperature = Temperature()
    machine: str
    versions: dict[str, str]
    artifacts: tuple[Artifact, ...]
    missing: tuple[Missing, ...] = ()
