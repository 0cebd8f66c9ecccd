"""Whether each export runtime runs a tiny network right here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nas.doctor.probing import ProbeFailed, probe
from nas.export.shipped.runtime import MODULES

TIMEOUT = 180.0
"""Seconds; importing a converter takes some, on a busy machine many."""


class Runtime(BaseModel):
    """An export target.

    Attributes:
        name: As ``nas export --targets`` takes it.
        problem: Why it does not work, in one line; None: it does.
        difference: Largest of any output from PyTorch's, as a share of the largest output.
        milliseconds: That one image took, the first.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    problem: str | None = None
    difference: float | None = None
    milliseconds: float | None = None


def try_runtime(name: str, timeout: float = TIMEOUT) -> Runtime:
    """Write a network for it, run the file, and compare, in a process of its own."""
    try:
        found = probe("runtime", {"target": name, "module": MODULES[name][0]}, timeout)
    except ProbeFailed as failure:
        return Runtime(name=name, problem=str(failure))
    return Runtime(
        name=name,
        difference=found["difference"] / found["largest"],
        milliseconds=found["milliseconds"],
    )
