"""The deployment bundle of one network: artifacts that were run and compared, and their manifest."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.deploy import fuse
from blocks.errors import InvalidInput
from blocks.registry import Registry
from nas.cost import count
from nas.data import Data, load_data
from nas.errors import WorkFailed
from nas.export.executorch import EXECUTORCH
from nas.export.manifest import Artifact, File, Manifest, Parity
from nas.export.ncnn import NCNN
from nas.export.onnx import ONNX
from nas.export.target import Target
from nas.training import Checkpoint, TestResult, load_checkpoint

MANIFEST = "manifest.json"
PARITY_IMAGES = 200
TOLERANCE = 1e-4
"""Largest difference of a logit, as a share of the largest logit, that float32 may show."""


TARGETS: Registry[Target] = Registry("export target")
TARGETS.register("onnx", ONNX)
TARGETS.register("executorch", EXECUTORCH)
TARGETS.register("ncnn", NCNN)


def export_bundle(checkpoint: Path, bundle: Path, targets: Sequence[str]) -> Manifest:
    """Export the network of ``checkpoint`` for every target, run each file, and write the bundle.

    The bundle appears complete or not at all; an earlier one of the name is replaced in the end.

    Args:
        checkpoint: Of a trial or of a full training.
        bundle: Folder of the bundle.
        targets: Names in TARGETS.

    Raises:
        InvalidInput: The checkpoint is not one, a target is unknown or a package of it is missing, the
            data are missing.
        WorkFailed: A runtime's outputs differ from PyTorch's.
    """
    chosen = {name: TARGETS[name] for name in targets}
    for name, target in chosen.items():
        target.check_installed(name)
    _check_replaceable(bundle)
    loaded = load_checkpoint(checkpoint)
    data = load_data(loaded.info.data)
    images = _real_images(data)
    with torch.inference_mode():
        expected = loaded.model(images).numpy()
    with _appearing_whole(bundle) as folder:
        artifacts = [
            _artifact(name, target, loaded.model, images, expected, folder)
            for name, target in chosen.items()
        ]
        manifest = _manifest(loaded, data, checkpoint, chosen, artifacts)
        (folder / "arch.yaml").write_text(loaded.info.spec.to_yaml(), encoding="utf-8")
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def _check_replaceable(bundle: Path) -> None:
    """Refuse to put a bundle where something else lies."""
    if not bundle.exists():
        return
    if not bundle.is_dir():
        raise InvalidInput(f"{bundle}: a file; allowed: a new folder, or an earlier bundle")
    if any(bundle.iterdir()) and not (bundle / MANIFEST).is_file():
        raise InvalidInput(
            f"{bundle}: a folder with something else in it; allowed: a new folder, or an earlier bundle"
        )
    if bundle.resolve() == Path.cwd():
        raise InvalidInput(f"{bundle}: the current folder cannot be replaced; name another")


def _real_images(data: Data) -> Tensor:
    """Up to PARITY_IMAGES validation images, normalised, (N, C, H, W)."""
    images, _ = next(iter(data.val_batches(PARITY_IMAGES, torch.device("cpu"))))
    return images.contiguous()


def _artifact(
    name: str,
    target: Target,
    model: nn.Module,
    images: Tensor,
    expected: NDArray[np.float32],
    folder: Path,
) -> Artifact:
    files = target.write(fuse(model, target.form), images[:1], folder)
    run = target.load(files[0])
    actual = np.concatenate([run(image[None]) for image in images.numpy()])
    difference = float(np.abs(actual - expected).max())
    agreement = float((actual.argmax(1) == expected.argmax(1)).mean())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise WorkFailed(
            f"{name}: the exported file differs from the network by {difference:.3g} in a logit, "
            f"over {len(images)} images; nothing was exported"
        )
    return Artifact(
        target=name,
        files=tuple(_file(path) for path in files),
        parity=Parity(images=len(images), max_abs_difference=difference, top1_agreement=agreement),
    )


def _file(path: Path) -> File:
    content = path.read_bytes()
    return File(name=path.name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _manifest(
    loaded: Checkpoint,
    data: Data,
    checkpoint: Path,
    chosen: dict[str, Target],
    artifacts: Sequence[Artifact],
) -> Manifest:
    info, spec = loaded.info, loaded.info.spec
    counts = count(spec)
    packages = {"torch", "sknas", *(p for target in chosen.values() for p in target.packages)}
    return Manifest(
        key=spec.key,
        spec=spec,
        params=counts.params,
        mflops=counts.mflops,
        activations=counts.activations,
        class_names=data.info.class_names,
        mean=data.info.mean,
        std=data.info.std,
        data=info.data,
        seed=info.seed,
        epochs=len(info.history),
        val_error=info.history[-1].val_error if info.history else None,
        test_error=_test_error(checkpoint) if info.full else None,
        versions={package: version(package) for package in sorted(packages)},
        artifacts=tuple(artifacts),
    )


def _test_error(checkpoint: Path) -> float | None:
    """The error on the test set that the full training beside ``checkpoint`` wrote."""
    result = checkpoint.with_name("result.json")
    if not result.is_file():
        return None
    return TestResult.model_validate_json(result.read_text(encoding="utf-8")).test_error


@contextmanager
def _appearing_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the name ``folder`` when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        if folder.exists():
            retired = temporary.with_name(f"{temporary.name}.old")
            folder.rename(retired)
            try:
                temporary.rename(folder)
            except OSError:
                retired.rename(folder)
                raise
            shutil.rmtree(retired)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
