"""The network of a checkpoint, made ready to be run on any images of its classes."""

from __future__ import annotations

from pathlib import Path

from blocks.errors import InvalidInput
from nas.data import Data, DataConfig, DataInfo, load_data
from nas.data.config import PHOTOGRAPHS, data_name, is_same_data, shown_name
from nas.evaluation.evaluate import Subject
from nas.evaluation.pictures import renormalised
from nas.evaluation.predictions import SPLITS, Split
from nas.folders import runs_dir
from nas.training import CheckpointInfo, load_checkpoint
from nas.training.trained_on import load_trained_on

MOST_NAMES = 3


def checkpoint_subject(
    checkpoint: Path, name: str | None = None, data_dir: str | None = None
) -> tuple[Subject, Data]:
    """The network of a checkpoint, and the data set that it is to be evaluated on.

    Args:
        checkpoint: Of a trial or of a full training.
        name: Of the data set; None: that of the training.
        data_dir: Where its images are looked for; None: as in the training.

    Raises:
        InvalidInput: The file is no checkpoint, the data are missing, or they do not fit the network.
    """
    loaded = load_checkpoint(checkpoint)
    info = loaded.info
    own = info.data.model_copy(update={"data_dir": data_dir or info.data.data_dir})
    # Its splits are those of the training; its class names, and what it is normalised by, as well.
    trained = load_trained_on(checkpoint, info.model_copy(update={"data": own}))
    foreign = name is not None and not is_same_data(name, own.name)
    data = foreign_data(str(name), data_dir, info.spec.input_size) if foreign else trained
    names = info.class_names or trained.info.class_names
    check_images(data.info, names, info.spec.in_channels, info.spec.input_size)
    run = renormalised(loaded.model, data.info, trained.info.mean, trained.info.std)
    subject = Subject(
        title=_title(checkpoint, info),
        source=str(checkpoint),
        key=info.spec.key,
        class_names=names,
        run=run,
        model=loaded.model,
        seen=_seen(info),
        costs=info.recipe.costs,
        foreign=foreign,
    )
    return subject, data


def _title(checkpoint: Path, info: CheckpointInfo) -> str:
    """What a page calls a network: the checkpoint as seen from here, and the architecture."""
    for above in (Path.cwd(), runs_dir()):
        if checkpoint.is_absolute() and checkpoint.is_relative_to(above):
            checkpoint = checkpoint.relative_to(above)
    return f"{checkpoint}: {info.spec.label}"


def photographs_subject(checkpoint: Path, config: DataConfig) -> tuple[Subject, Data]:
    """The network of a checkpoint, and photographs that it is to judge; the training's are not needed.

    Args:
        checkpoint: Of a network that was trained on photographs.
        config: Of the photographs; files that cannot be decoded are left out, and the input size is
            that of the network.

    Raises:
        InvalidInput: The file is no such checkpoint, or the network does not know the classes.
    """
    loaded = load_checkpoint(checkpoint)
    info = loaded.info
    if not info.data.is_photographs:
        raise InvalidInput(
            f"{checkpoint} was trained on {info.data.name}; allowed: a network trained on photographs"
        )
    changes = {"input_size": info.spec.input_size, "on_bad_image": "skip"}
    data = load_data(config.model_copy(update=changes))
    names = info.class_names or load_trained_on(checkpoint, info).info.class_names
    check_images(data.info, names, info.spec.in_channels, info.spec.input_size)
    # All photographs are normalised alike.
    subject = Subject(
        title=_title(checkpoint, info),
        source=str(checkpoint),
        key=info.spec.key,
        class_names=names,
        run=loaded.model,
        model=loaded.model,
        seen=_seen(info),
        foreign=True,
    )
    return subject, data


def foreign_data(name: str, data_dir: str | None, input_size: int) -> Data:
    """A data set that a network was not trained on; image files are read at the network's size."""
    size = input_size if data_name(name).startswith(PHOTOGRAPHS) else None
    return load_data(DataConfig(name=name, data_dir=data_dir, input_size=size))


def check_images(info: DataInfo, names: tuple[str, ...], channels: int, size: int) -> None:
    """Raise InvalidInput when a network of these classes and inputs cannot be run on a data set."""
    data = shown_name(info.name)
    unknown = [name for name in info.class_names if name not in names]
    if unknown:
        listed = ", ".join(unknown[:MOST_NAMES]) + (", ..." if len(unknown) > MOST_NAMES else "")
        known = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise InvalidInput(
            f"{data}: {len(unknown):,} class{'es' * (len(unknown) > 1)} that the network does not know "
            f"({listed}); allowed: {known}"
        )
    for what, have, want in (
        ("channels", info.in_channels, channels),
        ("pixels a side", info.input_size, size),
    ):
        if have != want:
            raise InvalidInput(f"{data}: images of {have} {what}; the network takes {want}")


def default_splits(subject: Subject, data: Data, split: str | None) -> tuple[Split, ...]:
    """The splits that figures are of, from a person's choice.

    By default those of another data set than that of the training are all of them; of the training's
    own, the images that the network has not seen, and that nothing was chosen by: the test images after
    a full training, else the validation images.

    Raises:
        InvalidInput: There is no such split.
    """
    if split is None and not subject.foreign:
        return ("test",) if "val" in subject.seen else ("val",)
    if split in (None, "all"):
        sizes = (data.info.train_images, data.info.val_images, data.info.test_images)
        return tuple(one for one, size in zip(SPLITS, sizes, strict=True) if size)
    found = [one for one in SPLITS if one == split]
    if not found:
        raise InvalidInput(f"--split {split}: allowed: {', '.join(SPLITS)}, all")
    return tuple(found)


def _seen(info: CheckpointInfo) -> tuple[Split, ...]:
    return ("train", "val") if info.full else ("train",)
