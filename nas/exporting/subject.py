"""The network of a bundle, made ready to be evaluated in its own runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from blocks.errors import InvalidInput
from nas.data import Data, DataConfig, load_data
from nas.data.config import is_same_data
from nas.evaluation import Subject, Temperature
from nas.evaluation.pictures import renormalised
from nas.evaluation.subjects import check_images, foreign_data
from nas.exporting.manifest import Manifest
from nas.exporting.shipped.runtime import MANIFEST, Artifact, Refused, runnable
from nas.exporting.targets.quiet import quiet
from nas.training.trained_on import with_found_record


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle's folder."""
    return (path / MANIFEST).is_file()


def bundle_subject(
    bundle: Path, network: str | None = None, name: str | None = None, data_dir: str | None = None
) -> tuple[Subject, Data]:
    """A network of a bundle, and the data set that it is to be evaluated on.

    Args:
        bundle: Folder of the bundle.
        network: Such as onnx or onnx-int8; None: the first whose runtime is installed.
        name: Of the data set; None: that of the training.
        data_dir: Where its images are looked for; None: as in the training.

    Raises:
        InvalidInput: The bundle is damaged, its runtime is missing, or the data do not fit.
    """
    try:
        artifact = _chosen(bundle, network)
        manifest = Manifest.model_validate_json((bundle / MANIFEST).read_text(encoding="utf-8"))
        with quiet():
            run = artifact.open()
    except Refused as refused:
        raise InvalidInput(str(refused)) from None
    except ValueError:
        raise InvalidInput(
            f"{bundle / MANIFEST}: damaged; allowed: a folder that nas export wrote"
        ) from None
    own = manifest.data.name
    how, foreign = manifest.preprocessing, not is_same_data(name or own, own)
    data = (
        foreign_data(str(name), data_dir, how.size)
        if foreign
        else load_data(_own(bundle, manifest.data, data_dir))
    )
    check_images(data.info, manifest.class_names, how.channels, how.size)

    def logits(images: Tensor) -> Tensor:
        given = images.contiguous().numpy()
        return torch.from_numpy(np.concatenate([run(image[None]) for image in given]))

    subject = Subject(
        title=f"{bundle}, {artifact.name}: {manifest.spec.label}",
        source=str(bundle),
        key=manifest.key,
        class_names=manifest.class_names,
        run=renormalised(logits, data.info, how.mean, how.std),
        model=None,
        seen=("train", "val") if manifest.accuracy.split == "test" else ("train",),
        foreign=foreign,
        temperature=_shipped(manifest),
    )
    return subject, data


def _chosen(bundle: Path, network: str | None) -> Artifact:
    found = runnable(bundle, network)
    able = [one for one in found if one.can_run]
    if not able:
        names = ", ".join(one.name for one in found)
        raise InvalidInput(f"{bundle}: no runtime of these is installed: {names}")
    return able[0]


def _own(bundle: Path, config: DataConfig, data_dir: str | None) -> DataConfig:
    """The images of the training, in the splits that its run has noted, if it is still there."""
    found = with_found_record(config, bundle)
    return found.model_copy(update={"data_dir": data_dir or config.data_dir})


def _shipped(manifest: Manifest) -> Temperature:
    found = manifest.temperature
    return found if found.images else Temperature(note=found.note or "the bundle ships none")
