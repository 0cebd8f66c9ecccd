"""Options of an export that would change no file: refused, or said in a line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from blocks.errors import InvalidInput
from nas.exporting.targets import TARGETS, Target, Wishes
from nas.naming import option

TAKES: dict[str, Callable[[Target, Wishes], bool]] = {
    "int8": lambda target, _: target.has_int8,
    "fp16": lambda target, _: target.write_fp16 is not None,
    "io": lambda target, wishes: target.takes_io(wishes),
    "rgb": lambda target, _: target.takes_pixels,
    "accelerator": lambda target, _: bool(target.accelerators),
}
"""Option -> whether it changes a file of a target."""


def check_used(names: Sequence[str], wishes: Wishes, given: Collection[str]) -> list[str]:
    """Look for options that change nothing.

    Args:
        names: The targets that are asked for.
        wishes: All options.
        given: Names of the options that were given, of those in TAKES.

    Returns:
        A line for each option that some of the targets do not take.

    Raises:
        InvalidInput: None of the targets takes an option.
    """
    lines = []
    for name in given:
        takes = TAKES[name]
        without = [one for one in names if not takes(TARGETS[one], wishes)]
        said = option(name, wishes.io) if name == "io" else option(name)
        if len(without) == len(names):
            raise InvalidInput(
                f"{said}: {', '.join(names)}; allowed: with the targets {_takers(name, wishes)}"
            )
        # Only an Ethos-U has accelerators: nobody expects others to.
        if without and name != "accelerator":
            lines.append(
                f"{said} changes nothing for {', '.join(without)}; it is for {_takers(name, wishes)}"
            )
    return lines


def check_colours(wishes: Wishes, channels: int) -> None:
    """Raise InvalidInput when RGB images are asked for, and the network takes them anyway."""
    if wishes.rgb and channels != 1:
        raise InvalidInput(
            f"{option('rgb')}: the network takes RGB images; allowed: with a grey one"
        )


def _takers(name: str, wishes: Wishes) -> str:
    """The targets that take an option, such as ``litert with --int8, tflm or ethos_u``."""
    takes, found = TAKES[name], []
    for target in TARGETS:
        if takes(TARGETS[target], wishes):
            found.append(target)
        elif takes(TARGETS[target], replace(wishes, int8=True)):
            found.append(f"{target} with {option('int8')}")
    return " or ".join(filter(None, (", ".join(found[:-1]), found[-1])))
