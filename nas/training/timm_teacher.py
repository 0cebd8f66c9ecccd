"""Teachers from timm: any of its networks, with its pretrained weights or those of a file.

timm is optional. A state dict says nothing about the images that it was trained on; they are taken to be
those of timm's configuration of the network: its size, mean and standard deviation.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blocks.errors import InvalidInput

if TYPE_CHECKING:  # jobs know the names without torch
    from torch import nn

    from blocks import ArchSpec
    from blocks.backbones import Normalisation

PREFIX = "timm:"


class TimmName(NamedTuple):
    """``timm:NAME`` or ``timm:NAME=FILE``.

    Attributes:
        name: Of the network, with or without the tag of its weights.
        file: Of a state dict; None: the pretrained weights.
    """

    name: str
    file: Path | None

    @classmethod
    def parse(cls, teacher: str) -> TimmName | None:
        """What ``teacher`` names; None if it is no network of timm."""
        if not teacher.startswith(PREFIX):
            return None
        name, equals, file = teacher.removeprefix(PREFIX).partition("=")
        return cls(name, Path(file).expanduser() if equals else None)


class TimmNetwork(NamedTuple):
    """A network and the images that it expects."""

    net: nn.Module
    side: int
    normalisation: Normalisation


def load_timm(wanted: TimmName, spec: ArchSpec) -> TimmNetwork:
    """A network of timm for the classes and channels of ``spec``, in evaluation mode.

    Raises:
        InvalidInput: timm is missing, does not know the name, or cannot get the weights; the file does
            not fit; or the pretrained weights are for other classes.
    """
    said = f"teacher {PREFIX}{wanted.name}"
    if find_spec("timm") is None:
        raise InvalidInput(f"{said}: the package timm is missing; pip install 'sknas[timm]'")
    import timm
    from timm.data import resolve_model_data_config

    from blocks.backbones import Normalisation

    if not timm.is_model(wanted.name):
        raise InvalidInput(f"{said}: timm {timm.__version__} has no network of this name")
    try:
        config = timm.get_pretrained_cfg(wanted.name)
    except RuntimeError as error:
        raise InvalidInput(f"{said}: {error}") from None
    classes = spec.num_classes
    if wanted.file is None:
        if config is None or not config.has_weights:
            raise InvalidInput(f"{said}: timm has no weights of it; {_allowed(wanted, classes)}")
        if config.num_classes != classes:
            raise InvalidInput(
                f"{said}: its pretrained weights know {config.num_classes} classes; the network has "
                f"{classes}; {_allowed(wanted, classes)}"
            )
    try:
        net = timm.create_model(
            wanted.name,
            pretrained=wanted.file is None,
            num_classes=classes,
            in_chans=spec.in_channels,
        )
    except (OSError, RuntimeError, ValueError) as error:  # of a download: anything below OSError
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput(
            f"{said}: cannot be made: {reason}; {_allowed(wanted, classes)}"
        ) from None
    if wanted.file is not None:
        _load_file(net, wanted.file, said)
    expected = resolve_model_data_config(net)
    normalisation = Normalisation(tuple(expected["mean"]), tuple(expected["std"]))
    return TimmNetwork(
        net.eval(), expected["input_size"][-1], normalisation.of_channels(spec.in_channels)
    )


def _load_file(net: nn.Module, file: Path, said: str) -> None:
    from blocks.pretrained import read_state

    state, wanted = read_state(file), net.state_dict()
    odd = [name for name in {**wanted, **state} if name not in state or name not in wanted]
    odd += [one for one in wanted if one in state and wanted[one].shape != state[one].shape]
    if odd:
        got, want = (
            tuple(some[odd[0]].shape) if odd[0] in some else "missing" for some in (state, wanted)
        )
        raise InvalidInput(
            f"{said}: {file}: not the weights of this network for these classes and channels: "
            f"{odd[0]} is {got}, expected {want}"
        )
    net.load_state_dict(state)


def _allowed(wanted: TimmName, classes: int) -> str:
    return f"allowed: {PREFIX}{wanted.name}=FILE, a state dict for {classes} classes"
