"""The user's options for the data."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from blocks.checked_model import CheckedModel, Integer, Number


class DataConfig(CheckedModel):
    """Choice of data set and of its training augmentation.

    Attributes:
        name: "digits", "fashion_mnist", "cifar10", "cifar100" or "imagefolder:PATH", where PATH
            holds train/ and val/ with one folder of images per class; or "my.py:NAME" or
            "package.module:NAME", a callable that returns `nas.Datasets`.
        data_dir: Folder looked at first, and the one downloads go to; downloads go to
            SKNAS_CACHE_DIR, else ~/.cache/sknas, when it is None. Not used by digits and imagefolder.
        flip: Whether training images are mirrored left to right with probability 1/2. None takes
            the default of the set: False for digits, True for all others but those of your own, which
            say it themselves.
        crop_padding: Black pixels added on each side before a random crop of the original size.
            None takes the default of the set: digits 1, fashion_mnist 2, cifar 4. Must be None
            for imagefolder and for PIL images of your own, which are cropped at random scales.
        scale_jitter: Lowest scale, in (0, 1]. Each image is pasted at a random scale in
            [scale_jitter, 1] and a random place on a black canvas of its own size. Scales and
            places are new in each training epoch, and fixed for the validation and test images:
            objects of many scales are a property of the task. None turns it off.
        input_size: Side of the image crop in pixels, for imagefolder and PIL images of your own; None
            means 224.
        limit: Use only the first images of the training split, in its fixed order; None, or more
            than there are, means all. Held-out validation images are not counted.
        val_limit: Use only the first of the held-out validation images, likewise.
        epoch_images: Images per epoch, drawn from the training split for each epoch; None, or more than
            there are, means all. A short epoch gives an early result of a training without a smaller
            training set. A full training uses all images.
        workers: Threads that read image files, or processes that read sets of your own; 0 reads in the
            main thread.
        cache_gb: Gigabytes of decoded photographs that are kept in ``SKNAS_CACHE_DIR`` (default
            ~/.cache/sknas), of all image folders together; what does not fit is read from its files. 0
            keeps none. Results do not depend on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    data_dir: str | None = None
    flip: bool | None = None
    crop_padding: Integer | None = Field(default=None, ge=0)
    scale_jitter: Number | None = Field(default=None, gt=0, le=1)
    input_size: Integer | None = Field(default=None, ge=1)
    limit: Integer | None = Field(default=None, ge=1)
    val_limit: Integer | None = Field(default=None, ge=1)
    epoch_images: Integer | None = Field(default=None, ge=1)
    workers: Integer = Field(default=2, ge=0)
    cache_gb: Number = Field(default=8.0, ge=0, allow_inf_nan=False)
