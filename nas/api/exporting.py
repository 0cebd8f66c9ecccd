"""``nas.export``: the files of a trained network that run on a device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from blocks.errors import InvalidInput
from blocks.wording import check_type
from nas.api.choosing import made_from
from nas.api.progress import given_console
from nas.folders import given_path
from nas.naming import option
from nas.plugins import end_load

if TYPE_CHECKING:
    from rich.console import Console

    from nas.exporting import Manifest

_log = logging.getLogger("nas.export")


@dataclass(frozen=True)
class Bundle:
    """A folder with the files of one network, the programs that run them, and their figures.

    Attributes:
        path: Of the folder.
        manifest: What manifest.json says: costs, accuracy, and size, parity and latency of each file.

    Examples:
        >>> import nas
        >>> run = nas.open_run("example")
        >>> bundle = run.export(run.pick("knee"), targets=["onnx"], images=50)
        >>> [one.name for one in bundle.manifest.artifacts]
        ['onnx-fp32']
    """

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.manifest.artifacts)
        return f"Bundle({str(self.path)!r}: {names})"


def export(
    checkpoint: str | Path,
    *,
    targets: str | Sequence[str] = ("onnx",),
    int8: bool = False,
    fp16: bool = False,
    io: str | None = None,
    rgb: bool = False,
    accelerator: str | None = None,
    images: int | None = None,
    out: str | Path | None = None,
    progress: bool | Console = False,
) -> Bundle:
    """Export a trained network. Every file is run and compared with PyTorch before it is kept.

    Args:
        checkpoint: Of a trial or of a full training.
        targets: Any of ``onnx``, ``executorch``, ``litert``, ``ncnn``, ``coreml``, ``tflm`` (TensorFlow
            Lite Micro) and ``ethos_u``; the last two are always int8.
        int8: Also write the network in 8-bit integers; ``coreml`` has no such files.
        fp16: Also write it in 16-bit floats; ``ncnn`` and ``coreml`` have such files.
        io: Type of the inputs and outputs of the int8 .tflite file: ``int8``, which takes pixels less
            128; ``uint8``, which takes pixels; or ``float32``, which takes pixels / 255. Default:
            ``int8``. With ``uint8``, ONNX files too take pixels in uint8, (batch, channels, height,
            width).
        rgb: .tflite and Core ML files of a grey network take red, green and blue, as some clients
            always give them.
        accelerator: The Ethos-U that the target ``ethos_u`` is compiled for. Default: that of the search
            (``device_class``), else ``ethos-u55-128``.
        images: Held-out images to measure on. Default: all.
        out: Folder of the bundle. Default: ``runs/RUN/export/NNNN`` for a checkpoint of a run, else
            beside the checkpoint. It replaces a former bundle there: a warning names the files of that
            one that are gone, and files of your own stay.
        progress: Show the step at hand, on standard output or on a console of rich.

    Raises:
        InvalidInput: The checkpoint is none, a target is unknown, its package is missing, or an option
            changes no file of the targets. If it changes those of some, a warning names the others.
        WorkFailed: Every target failed; one that fails while others do not is in ``manifest.missing``,
            with a file for a microcontroller that breaks the memory budget of its search.

    Examples:
        >>> import nas
        >>> nas.export("runs/none/trials/0000/checkpoint.pt")
        Traceback (most recent call last):
        ...
        blocks.errors.InvalidInput: runs/none/trials/0000/checkpoint.pt: no such file
    """
    end_load()
    from nas.exporting import export_bundle
    from nas.exporting.steps import shown_steps
    from nas.exporting.targets import IoType, Wishes

    asked = {"int8": int8, "fp16": fp16, "io": io, "rgb": rgb, "accelerator": accelerator}
    given = [name for name, value in asked.items() if value not in (None, False)]
    source = given_path("checkpoint", checkpoint)
    folder = made_from(source, "export") if out is None else given_path("out", out)
    if images is not None:
        check_type("images", images, int, "an integer above 0, or None for all")
        if images < 1:
            raise InvalidInput(f"images: {images}; allowed: an integer above 0, or None for all")
    from nas.exporting.memory_budget import budget_of
    from nas.exporting.replacing import files_in, removed_line
    from nas.exporting.targets.ethos_u import ACCELERATORS
    from nas.exporting.unused import check_used

    if accelerator is None:
        budget = budget_of(source)
        accelerator = (budget and budget.accelerator) or Wishes().accelerator
    for name, value, allowed in (
        ("io", io or Wishes().io, get_args(IoType)),
        ("accelerator", accelerator, ACCELERATORS),
    ):
        if value not in allowed:
            raise InvalidInput(f"{option(name)}: {value!r}; allowed: {', '.join(allowed)}")
    names = split_names(targets)
    wishes = Wishes(int8, cast(IoType, io or Wishes().io), rgb, accelerator, fp16)
    for line in check_used(names, wishes, given):
        _log.warning(line)
    before = files_in(folder)
    with shown_steps(given_console(progress)) as say:
        manifest = export_bundle(source, folder, names, wishes=wishes, images=images, say=say)
    if removed := removed_line(folder, before):
        _log.warning(removed)
    return Bundle(folder, manifest)


def split_names(names: str | Sequence[str]) -> list[str]:
    """Each name once; a text holds them with commas between.

    Raises:
        InvalidInput: There is none.
    """
    check_type("targets", names, (str, Sequence), "names, such as onnx")
    listed = names.split(",") if isinstance(names, str) else names
    found = list(dict.fromkeys(str(name).strip() for name in listed))
    if not found:
        raise InvalidInput("targets: none; allowed: at least one, such as onnx")
    return found
