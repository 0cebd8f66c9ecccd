"""Checks whether each export runtime runs a tiny network on this machine."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nas.doctor.probing import ProbeFailed, probe
from nas.exporting.shipped.runtime import MODULES

TIMEOUT = 180.0
"""Time limit in seconds; importing a converter takes several, and many on a busy machine."""


class Runtime(BaseModel):
    """An export target.

    Attributes:
        name: Name in ``nas export --targets``.
        problem: A one-line reason why it does not work; None: it works.
        difference: Largest difference of an output from PyTorch's, as a share of the largest output.
        milliseconds: Latency of the first image.
        done: What was tried, of a target whose files are for chips; it has no difference.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    problem: str | None = None
    difference: float | None = None
    milliseconds: float | None = None
    done: str | None = None


def try_runtime(name: str, timeout: float = TIMEOUT) -> Runtime:
    """Export a network for the runtime, run the file and compare, in a separate process."""
    try:
        found = probe("runtime", {"target": name, "module": MODULES[name][0][0]}, timeout)
    except ProbeFailed as failure:
        return Runtime(name=name, problem=str(failure))
    return Runtime(
        name=name,
        difference=found["difference"] / found["largest"],
        milliseconds=found["milliseconds"],
    )


def try_chip(name: str, timeout: float = TIMEOUT) -> Runtime:
    """Have a network without training run or compiled for a chip, in a separate process."""
    try:
        found = probe("chip", {"target": name}, timeout)
    except ProbeFailed as failure:
        return Runtime(name=name, problem=str(failure))
    return Runtime(name=name, done=found["done"])
