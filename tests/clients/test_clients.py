"""Files of ``nas export`` in programs that others wrote: the class is that of PyTorch on 20 images.

In 8 bits it is that of LiteRT or ONNX Runtime. What a client cannot do is in faults.py, with its
message; a client that can do it after all fails the test.
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from tests.clients.environments import CLIENTS, Answer, Client, ask
from tests.clients.faults import WRONG, Fault, fault_of
from tests.clients.networks import NETWORKS, export, train, unseen
from tests.nas.conftest import MadeOnce, made_once

__all__ = ["made_once"]

pytestmark = [pytest.mark.clients, pytest.mark.long, pytest.mark.timeout(1800)]

IMAGES = 20
FILES = {
    "onnx-fp32": "bundle/model.onnx",
    "onnx-int8": "bundle/model.int8.onnx",
    "onnx-pixels": "uint8/model.onnx",
    "tflite-fp32": "bundle/model.tflite",
    "tflite-int8": "bundle/model.int8.tflite",
    "tflite-uint8": "uint8/model.int8.tflite",
    "ncnn-fp32": "bundle/model.ncnn.param",
    "ncnn-fp16": "bundle/model.fp16.ncnn.param",
    "ncnn-int8": "bundle/model.int8.ncnn.param",
    "coreml-fp32": "bundle/model.mlpackage.zip",
    "coreml-fp16": "bundle/model.fp16.mlpackage.zip",
}
"""Name of a file -> where the exports of ``exported`` have put it."""
TAKE_RGB = ("tflite", "coreml")
"""Targets whose files take colours of a grey network too, with --rgb."""
REFERENCES = {"onnx-int8": "ONNX Runtime", "tflite-int8": "LiteRT", "tflite-uint8": "LiteRT"}
COLUMNS = ("network", "file", "client", "version", "same", "images", "fault")
CASES = [
    pytest.param(client, file, id=f"{client}-{file}")
    for client, about in CLIENTS.items()
    for file in about.files
]


@dataclass(frozen=True)
class Exported:
    """The files of a network, and what they are asked.

    Attributes:
        folder: Of the files, pixels and answers.
        classes: PyTorch's, of the images.
        side: Of an image.
    """

    folder: Path
    classes: list[int]
    side: int

    def names(self, classes: list[int]) -> list[str]:
        """Of these classes."""
        manifest = json.loads((self.folder / "bundle/manifest.json").read_text())
        return [manifest["class_names"][one] for one in classes]

    def file(self, name: str) -> Path:
        """A file, under a name of its own."""
        source = self.folder / FILES[name]
        copy = self.folder / f"{name}{''.join(source.suffixes[-1:])}"
        shutil.copyfile(source, copy)
        if source.suffix == ".param":
            shutil.copyfile(source.with_suffix(".bin"), copy.with_suffix(".bin"))
        return copy

    def pixels(self, name: str) -> Path:
        """The images that the file takes."""
        rgb = name.startswith(TAKE_RGB)
        return self.folder / ("colours.npy" if rgb else "pixels.npy")

    def ask(self, client: Client, name: str) -> Answer:
        """What the client makes of the file."""
        return ask(client, self.file(name), self.pixels(name), self.folder / "how.json")


@pytest.fixture
def exported(request: pytest.FixtureRequest, made_once: MadeOnce) -> Exported:
    """The network of the class, trained and exported once for all its clients."""
    network = request.cls.network
    about = NETWORKS[network]

    def make() -> None:
        checkpoint = train(about)
        targets = "onnx,litert,ncnn,coreml"
        export(about, checkpoint, "bundle", targets, "--fp16")
        export(about, checkpoint, "uint8", "onnx,litert", "--io", "uint8")
        pixels, classes = unseen(checkpoint, IMAGES)
        np.save("pixels.npy", pixels)
        np.save("colours.npy", np.broadcast_to(pixels, (*pixels.shape[:3], 3)))
        how = json.loads(Path("bundle/manifest.json").read_text())["preprocessing"]
        Path("how.json").write_text(json.dumps({"mean": how["mean"], "std": how["std"]}))
        Path("classes.json").write_text(json.dumps(classes))

    folder = made_once(f"clients-{network}", make)
    classes = json.loads((folder / "classes.json").read_text())
    # The comparison says nothing about a network that gives every image one class.
    assert len(set(classes)) > 3
    return Exported(folder, classes, int(np.load(folder / "pixels.npy").shape[1]))


def expected(exported: Exported, file: str) -> list[int]:
    """The classes that every client is to give."""
    if file not in REFERENCES:
        return exported.classes
    answer = exported.ask(CLIENTS[REFERENCES[file]], file)
    assert answer.said is not None, answer.refusal
    return [int(np.argmax(row)) for row in answer.said["scores"]]


class OfNetwork:
    """A network in every client. A class for each, since a class stays in one process (loadscope)."""

    network: str

    @pytest.mark.parametrize(("client", "file"), CASES)
    def test_client_gives_the_same_class(
        self, client: str, file: str, exported: Exported, request: pytest.FixtureRequest
    ) -> None:
        about, fault = CLIENTS[client], fault_of(client, file, self.network)
        answer = exported.ask(about, file)
        same, refusal = 0, answer.refusal
        if answer.said is not None:
            same, refusal = agreeing(exported, file, answer.said)
        note(
            request,
            (self.network, file, client, about.version, str(same), str(len(exported.classes))),
            fault,
        )
        if fault is not None:
            assert refusal, (
                f"{client} {about.version} takes the file: remove the fault from faults.py"
            )
            assert fault.message in refusal
            pytest.xfail(f"{client} {about.version}: {fault.reason}")
        assert not refusal


class TestPlain(OfNetwork):
    network = "plain"


class TestSqueezeExcitation(OfNetwork):
    network = "se"


class TestSelectiveKernel(OfNetwork):
    network = "sk"


class TestMobileNetV3(OfNetwork):
    network = "mobilenet_v3"


class TestGrey(OfNetwork):
    network = "grey"


def test_every_network_has_a_class() -> None:
    assert {one.network for one in OfNetwork.__subclasses__()} == set(NETWORKS)


def agreeing(exported: Exported, file: str, said: dict[str, Any]) -> tuple[int, str]:
    """On how many images a client agrees, and what is wrong; empty if nothing is."""
    images = len(exported.classes)
    if "cpu" in said:  # Vela compiles and does not run
        left = said["cpu"]
        return (0, f"{left} operators left to the processor") if left else (images, "")
    if "image" in said:  # coremltools reads and does not run
        wanted = [exported.side, exported.side, "RGB"]
        every = exported.names(list(range(len(said["labels"]))))
        right = {"image": wanted, "outputs": ["classLabel", "classLabel_probs"], "labels": every}
        return (images, "") if said == right else (0, str(said))
    classes = [int(np.argmax(row)) for row in said["scores"]]
    same = sum(a == b for a, b in zip(classes, expected(exported, file), strict=True))
    if same < images:
        return same, f"{WRONG}: {images - same} of {images}"
    names = said.get("names")  # MediaPipe takes them from the file
    if names is not None and [names[k] for k in range(images)] != exported.names(classes):
        return same, f"wrong names: {names}"
    return same, ""


def note(request: pytest.FixtureRequest, row: tuple[str, ...], fault: Fault | None) -> None:
    """Add a row to clients.csv in the folder of --figures."""
    folder = request.config.getoption("--figures")
    if not folder:
        return
    path = Path(folder) / "clients.csv"
    with FileLock(path.with_suffix(".lock")):
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(COLUMNS)
            writer.writerow((*row, fault.reason if fault else ""))
