"""The images that a checkpoint was trained on, as they are now."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from nas.data import Data, DataConfig, DataInfo, load_data
from nas.data.recorded import check_classes
from nas.runs import RunFolder, TrialFolder
from nas.training.checkpoint import CheckpointInfo


def load_trained_on(checkpoint: Path, info: CheckpointInfo) -> Data:
    """The images of a training, each in the split that it had then.

    Args:
        checkpoint: Where the checkpoint is; splits.csv is looked for beside it and in its run.
        info: Its description.

    Raises:
        InvalidInput: The images are gone, or have changed, or have other classes.
    """
    data = load_data(images_of(checkpoint, info))
    check_same_classes(info, data.info)
    if info.fingerprint not in (None, data.info.fingerprint):
        logging.getLogger("nas.data").warning(
            "%s: the photographs or their splits are others than those that %s was trained on",
            data.info.name,
            checkpoint,
        )
    return data


def images_of(checkpoint: Path, info: CheckpointInfo) -> DataConfig:
    """The images of a training, with the splits.csv that is found."""
    return with_found_record(info.data, checkpoint.parent)


def with_found_record(data: DataConfig, folder: Path) -> DataConfig:
    """Images with the splits.csv of a training: in ``folder``, in its run, or where it was then.

    Args:
        data: The images as a checkpoint or a bundle names them.
        folder: Of the checkpoint or the bundle, two levels below its run.
    """
    if not data.keeps_record:
        return data
    folder = folder.absolute()
    places = [TrialFolder(folder).splits, RunFolder(folder.parent.parent).splits]
    if data.record is not None:
        places.append(Path(data.record))
    record = next((os.path.abspath(one) for one in places if one.is_file()), None)
    return data.model_copy(update={"record": record})


def check_same_classes(info: CheckpointInfo, data: DataInfo) -> None:
    """Refuse data whose classes are not those that a network was trained with.

    Raises:
        InvalidInput: They differ. A checkpoint of an earlier version does not know its classes.
    """
    if info.class_names is not None:
        check_classes(data.name, info.class_names, data.class_names)
