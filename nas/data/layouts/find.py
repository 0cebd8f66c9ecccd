"""From a path that a person gives to the photographs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.layouts import archive, arrow, table
from nas.data.layouts.folders import list_folders, split_folders
from nas.data.layouts.listing import ALLOWED, Listing
from nas.data.layouts.walk import entries, folders_in


def list_photos(path: Path, group_by: str | None = None) -> Listing:
    """The photographs at a path, whatever their layout.

    Args:
        path: A folder, a table, an archive, or a Hugging Face data set.
        group_by: Of a table: the column of groups, if it has one of that name.

    Raises:
        InvalidInput: There is nothing, or in another layout.
    """
    if not path.exists():
        raise InvalidInput(f"the image folder {path} does not exist; {ALLOWED}")
    listing = _list(path, group_by)
    return replace(listing, notes=(*listing.notes, *_alike(listing.classes)))


def _alike(classes: Sequence[str]) -> list[str]:
    """A line about classes whose names differ in case or spaces only."""
    spelled: dict[str, list[str]] = {}
    for name in classes:
        spelled.setdefault("".join(name.casefold().split()), []).append(name)
    same = [" and ".join(map(repr, names)) for names in spelled.values() if len(names) > 1]
    if not same:
        return []
    more = f" and {len(same) - 3} more" if len(same) > 3 else ""
    return [f"classes whose names differ in case or spaces only: {', '.join(same[:3])}{more}"]


def _list(path: Path, group_by: str | None) -> Listing:
    if path.is_dir():
        return _in_folder(path, group_by)
    ending = path.suffix.lower()
    if ending in table.ENDINGS:
        return table.list_table(path, group_by)
    if archive.is_archive(path):
        return _in_folder(archive.unpacked(path), group_by)
    if ending in arrow.ENDINGS:
        return _in_arrow(path, group_by)
    what = f"a {ending} file" if ending else "a file without an ending"
    raise InvalidInput(f"{path}: {what}, not photographs or a list of them; {ALLOWED}")


def _in_folder(folder: Path, group_by: str | None) -> Listing:
    if arrow.is_dataset(folder):
        return _in_arrow(folder, group_by)
    here = entries(folder)
    tables = [path for path in here if path.suffix.lower() in table.ENDINGS and path.is_file()]
    # Beside train/ and val/ a table may be anything.
    if split_folders(folder):
        return list_folders(folder)
    lists = [one for one in tables if _is_list(one)]
    if len(tables) == 1 and lists:
        return table.list_table(lists[0], group_by)
    if len(tables) > 1 and not folders_in(folder):
        one = (lists or tables)[0]
        raise InvalidInput(
            f"{folder} holds {len(tables)} tables; give the path of one, such as {one}"
        )
    return list_folders(folder)


def _in_arrow(source: Path, group_by: str | None) -> Listing:
    """The photographs of a Hugging Face data set or Parquet, which were written as files."""
    written = arrow.as_table(source)
    listing = table.list_table(written, group_by)
    note = (
        f"images are named by their rows, such as {listing.photos[0].name}; they are in "
        f"{written.parent}"
    )
    return replace(listing, layout=arrow.kind_of(source), notes=(*listing.notes, note))


def _is_list(file: Path) -> bool:
    """Whether the first line of a table names the columns of photographs."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            titles = {one.strip().lower() for one in _cells(lines.readline())}
    except (OSError, UnicodeDecodeError):
        return False
    return all(titles & set(table.COLUMNS[column]) for column in ("path", "label"))


def _cells(line: str) -> list[str]:
    return line.replace("\t", ",").replace(";", ",").split(",")
