from __future__ import annotations

import pytest
from pydantic import ValidationError

from blocks.errors import InvalidInput
from nas.data import DATASETS, DataConfig, load_data


@pytest.mark.parametrize(
    "name", ["", "mnist", "digits:here", "imagefolder", "imagefolder:", "Digits"]
)
def test_unknown_name_lists_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidInput, match="unknown data set") as caught:
        load_data(DataConfig(name=name))
    message = str(caught.value)
    assert "\n" not in message
    assert repr(name) in message
    assert all(known in message for known in DATASETS)


def test_known_names() -> None:
    assert DATASETS == (
        "digits",
        "fashion_mnist",
        "fashion_scenes",
        "cifar10",
        "cifar100",
        "imagefolder:PATH",
        "package.module:NAME or my.py:NAME",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_padding", -1),
        ("scale_jitter", 0.0),
        ("scale_jitter", 1.5),
        ("scale_jitter", float("nan")),
        ("input_size", 0),
        ("limit", 0),
        ("workers", -1),
        ("colour_jitter", 0.4),
    ],
)
def test_config_refuses_values_out_of_range(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        DataConfig.model_validate({"name": "digits", field: value})


def test_config_cannot_be_changed() -> None:
    config = DataConfig(name="digits")
    with pytest.raises(ValidationError, match="frozen"):
        config.name = "cifar10"
