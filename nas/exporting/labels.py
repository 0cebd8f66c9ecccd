"""labels.txt: the names of the classes, as applications read them."""

from __future__ import annotations

from collections.abc import Sequence

LABELS = "labels.txt"


def labels_text(class_names: Sequence[str]) -> str:
    """The content of labels.txt: a name a line, in the order of the outputs.

    A line break inside a name becomes a space.
    """
    return "".join(f"{' '.join(name.splitlines())}\n" for name in class_names)
