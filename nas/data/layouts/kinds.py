"""Which files count as photographs, by name; what they contain is found out when they are decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from PIL import features

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
ALWAYS = (*JPEG, ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
AVIF, HEIF = (".avif",), (".heic", ".heif")
HEIF_PACKAGES = ("pi_heif", "pillow_heif")

# Written by notebooks, archivers, storage boxes and desktops; never by a photographer. Names that
# begin with a dot are left out as well.
SYSTEM = frozenset(
    {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "icon\r"}
    | {"system volume information", "#recycle", "ehthumbs.db", "picasa.ini"}
)


def is_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or an operating system's own."""
    return name.startswith(".") or name.lower() in SYSTEM


@cache
def read_endings() -> frozenset[str]:
    """The endings, in lower case, of the files that are read on this machine."""
    avif = AVIF if features.check("avif") else ()
    return frozenset((*ALWAYS, *avif, *(HEIF if register_heif() else ())))


@cache
def register_heif() -> bool:
    """Teach Pillow HEIC files, if a package for it is installed; every process that reads calls it."""
    for package in HEIF_PACKAGES:
        if find_spec(package) is not None:
            import_module(package).register_heif_opener()
            return True
    return False


def is_photo(name: str) -> bool:
    """Whether a file of this name is read as a photograph."""
    return not is_system(name) and ending(name) in read_endings()


def ending(name: str) -> str:
    """The ending of a file's name, or path with ``/``, in lower case and with its dot; empty without."""
    stem, dot, last = name.rpartition("/")[2].rpartition(".")
    return f".{last.lower()}" if dot and stem else ""


def describe_unread(names: Iterable[str]) -> str:
    """Files that are not read, in words: ``8 files are not read: 5 .txt, 3 .heic (...)``."""
    counts = Counter(ending(name) or "without an ending" for name in names)
    parts = [
        f"{count} {kind}"
        for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    shown = ", ".join(parts[:6]) + (", ..." if len(parts) > 6 else "")
    total = sum(counts.values())
    said = f"{total} file{' is' if total == 1 else 's are'} not read: {shown}"
    if any(kind in counts for kind in HEIF):
        said += " (pip install 'sknas[photos]' for .heic and .heif)"
    return said
