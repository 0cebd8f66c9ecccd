"""Puts a bundle in the place of a former one: files of its owner stay, those that go are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from blocks.errors import InvalidInput
from nas.exporting.examples import EXAMPLES, example_names
from nas.exporting.labels import LABELS
from nas.exporting.places import PROGRAMS
from nas.exporting.shipped.runtime import MANIFEST
from nas.folders import make_folder
from nas.naming import option
from nas.runs import check_folders_above

CARD, ARCH = "MODEL_CARD.md", "arch.yaml"
CACHES = "__pycache__"


def check_replaceable(bundle: Path) -> None:
    """Raise InvalidInput when ``bundle`` holds something other than a bundle."""
    check_folders_above(bundle)
    if not bundle.exists():
        return
    if not bundle.is_dir():
        raise InvalidInput(f"{bundle}: a file; allowed: a new folder, or an earlier bundle")
    if any(bundle.iterdir()) and not (bundle / MANIFEST).is_file():
        raise InvalidInput(
            f"{bundle}: a folder with other files; allowed: a new folder, or an earlier bundle"
        )
    if bundle.resolve() == Path.cwd():
        raise InvalidInput(
            f"{bundle}: the current folder cannot be replaced; allowed: another folder"
        )


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to ``folder`` when the block succeeds.

    Files in ``folder`` that no export has written are copied into the new one.
    """
    # Named before it is made, so that an interrupt at any later point finds the folder to remove.
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        make_folder(folder.parent, option("out"))
        temporary.mkdir()
        yield temporary
        if folder.exists():
            _copy_files_of_its_owner(folder, temporary)
            retired = temporary.with_name(f"{temporary.name}.old")
            folder.rename(retired)
            try:
                temporary.rename(folder)
            except BaseException:
                retired.rename(folder)
                raise
            shutil.rmtree(retired)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def files_in(folder: Path) -> set[Path]:
    """The files of a bundle, relative to it; those that Python keeps for itself are left out."""
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if CACHES not in path.parts and (path.is_symlink() or not path.is_dir())
    }


def removed_line(bundle: Path, before: set[Path]) -> str:
    """A line about the files of a former export that are gone; empty: none is.

    Args:
        bundle: The new one.
        before: The files of the former one.
    """
    names = dict.fromkeys(_gone(bundle, path) for path in sorted(before - files_in(bundle)))
    if not names:
        return ""
    return f"{bundle}: the former export is replaced; removed: {', '.join(names)}"


def _gone(bundle: Path, path: Path) -> str:
    """What is named of a file that is gone: its example, if the whole of it is."""
    example = Path(*path.parts[:2])
    return (path if (bundle / example).exists() else example).as_posix()


def _copy_files_of_its_owner(former: Path, new: Path) -> None:
    written, there = _written_by_an_export(former), files_in(new)
    for path in files_in(former) - written - there:
        (new / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(former / path, new / path, follow_symlinks=False)


def _written_by_an_export(bundle: Path) -> set[Path]:
    """The files that the export of a bundle has, or may have, written."""
    names = {MANIFEST, CARD, ARCH, LABELS, *PROGRAMS}
    with suppress(OSError, ValueError, KeyError, TypeError):  # a damaged manifest names none
        for one in json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))["artifacts"]:
            names |= {str(file["name"]) for file in one["files"]}
    return {*map(Path, names), *(Path(EXAMPLES, name) for name in example_names())}
