"""The images of a full training: those of a search, or others that options name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from blocks.errors import InvalidInput
from blocks.yaml_files import parse
from nas.api.references import named
from nas.data import DataConfig, load_data
from nas.data.splits_file import splits_of
from nas.folders import given_path, make_folder, source_of_runs_dir
from nas.naming import option
from nas.plugins import is_reference
from nas.runs import TrialFolder, write_text

OPTIONS = (
    "data", "data_dir", "input_size", "cache_gb", "group_by", "splits", "on_bad_image",
)  # fmt: skip
SPLITTING = ("group_by", "splits", "on_bad_image")


def chosen_images(given: Mapping[str, Any], searched: DataConfig | None = None) -> DataConfig:
    """The images that options ask for.

    Args:
        given: ``OPTIONS`` by name; None: not given.
        searched: Those of the search, if it is a network of one.

    Raises:
        InvalidInput: An option is out of range, or would split the images of the search otherwise.
    """
    fields = {name: given[name] for name in OPTIONS if given[name] is not None}
    for name in ("data_dir", "splits"):
        if name in fields:
            fields[name] = str(given_path(name, fields[name]))
    if "data" in fields:
        fields["name"] = named(fields.pop("data"), "data")
    typed = {name: option(name) for name in OPTIONS} | {"name": option("data")}
    if searched is None:
        return parse(DataConfig, fields, "", typed)
    other = parse(DataConfig, {"name": searched.name} | fields, "", typed).name
    if other == searched.name:
        for name in SPLITTING:
            if name in fields:
                raise InvalidInput(
                    f"{typed[name]}: the images of a run are split as its splits.csv says; allowed: "
                    f"with {typed['name']} and other images"
                )
        return parse(DataConfig, searched.model_dump() | fields, "", typed)
    anew = {"record": None, "splits": None, "group_by": None, "split_rule": "hash"}
    return parse(DataConfig, searched.model_dump() | anew | fields, "", typed)


def sized(images: DataConfig, size: int) -> DataConfig:
    """Photographs, and images of one's own, are read at the size that the network is for."""
    if images.is_photographs or is_reference(images.name):
        return images.model_copy(update={"input_size": size})
    return images


def with_record(images: DataConfig, folder: TrialFolder) -> DataConfig:
    """Images whose splits are kept in splits.csv of a training, which is written if it is new.

    Raises:
        InvalidInput: The photographs are missing, or have changed since the training began.
    """
    if not images.keeps_record or images.record is not None:
        return images
    if not folder.splits.is_file() or not folder.checkpoint.is_file():
        splits = splits_of(load_data(images))
        assert splits is not None
        make_folder(folder.path, source_of_runs_dir(folder.path))
        write_text(folder.splits, splits)
    return images.model_copy(update={"record": os.path.abspath(folder.splits)})
