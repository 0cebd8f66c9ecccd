"""Folders of photographs: one folder per class, alone or below train/, val/ and test/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.layouts.kinds import describe_unread, is_photo
from nas.data.layouts.listing import ALLOWED, SPLIT_NAMES, TEST, TRAIN, VAL, Listing, Photo
from nas.data.layouts.walk import entries, files_below, folders_in


def list_folders(root: Path) -> Listing:
    """The photographs below ``root``.

    Raises:
        InvalidInput: The folders are laid out otherwise, or one of them cannot be read.
    """
    sides = split_folders(root)
    if not sides:
        return _classes_alone(root)
    if TRAIN not in sides:
        raise InvalidInput(f"{root} has no folder train; {ALLOWED}")
    classes = {side: folders_in(folder) for side, folder in sides.items()}
    _check_classes(root, sides, classes)
    barred = [root, *sides.values(), *(one for listed in classes.values() for one in listed)]
    photos: list[Photo] = []
    unread: list[str] = []
    empty: list[str] = []
    for side, folders in classes.items():
        for folder in folders:
            found, other = _photos_of(folder, root, barred, side)
            photos += found
            unread += other
            if not found:
                _refuse_unread(folder, other)
                empty.append(f"{sides[side].name}/{folder.name}")
    _check_trained(root, sides, photos)
    loose = [one.name for folder in (root, *sides.values()) for one in _loose(folder)]
    others = [one.name for one in folders_in(root) if one not in sides.values()]
    notes = _notes(unread, empty, loose, others)
    names = {side: f"{folder.name}/" for side, folder in sides.items()}
    layout = ", ".join(names.values()) + (" alone" if len(names) == 1 else "")
    return Listing(_sorted(photos), layout, names, notes)


def split_folders(root: Path) -> dict[str, Path]:
    """Split -> its folder; a folder of such a name with no folders in it is a class."""
    found: dict[str, Path] = {}
    for folder in folders_in(root):
        side = SPLIT_NAMES.get(folder.name.lower())
        if side is None or (not folders_in(folder) and any(map(_is_photo, entries(folder)))):
            continue
        if side in found:
            raise InvalidInput(
                f"{root} has the folders {found[side].name} and {folder.name}, two names of one split; "
                "keep one of them"
            )
        found[side] = folder
    return {side: found[side] for side in (TRAIN, VAL, TEST) if side in found}


def _classes_alone(root: Path) -> Listing:
    classes = folders_in(root)
    if not classes:
        said = "holds photographs and no class folders" if _loose(root) else "has no class folders"
        raise InvalidInput(f"{root} {said}; {ALLOWED}")
    photos: list[Photo] = []
    unread: list[str] = []
    empty: list[str] = []
    for folder in classes:
        found, other = _photos_of(folder, root, [root, *classes], None)
        photos += found
        unread += other
        if not found:
            _refuse_unread(folder, other)
            empty.append(folder.name)
    if not photos:
        raise InvalidInput(f"{root} has no photographs in its folders; {ALLOWED}")
    loose = [one.name for one in _loose(root)]
    return Listing(_sorted(photos), "class folders", {}, _notes(unread, empty, loose, []))


def _photos_of(
    folder: Path, root: Path, barred: Sequence[Path], side: str | None
) -> tuple[list[Photo], list[str]]:
    """The photographs of a class folder, and the names of its other files."""
    photos, other = [], []
    for path in files_below(folder, [one for one in barred if one != folder]):
        if is_photo(path.name):
            name = path.relative_to(root).as_posix()
            photos.append(Photo(name, path, folder.name, side))
        else:
            other.append(path.name)
    return photos, other


def _check_classes(
    root: Path, sides: Mapping[str, Path], classes: Mapping[str, Sequence[Path]]
) -> None:
    """A class that only other splits have would never be trained: a slip in a name, most likely."""
    train = {folder.name for folder in classes[TRAIN]}
    if not train:
        raise InvalidInput(f"{sides[TRAIN]} has no class folders; {ALLOWED}")
    for side, folders in classes.items():
        if not folders:
            raise InvalidInput(f"{sides[side]} has no class folders; {ALLOWED}")
        extra = sorted({folder.name for folder in folders} - train)
        if extra:
            lacking = sorted(train - {folder.name for folder in folders})
            also = f"; it lacks {', '.join(lacking[:3])}" if lacking else ""
            raise InvalidInput(
                f"{sides[side]} has {len(extra)} class folder{'s' * (len(extra) > 1)} that "
                f"{sides[TRAIN].name} lacks ({', '.join(extra[:3])}){also}; both must have the same "
                "classes"
            )


def _check_trained(root: Path, sides: Mapping[str, Path], photos: Sequence[Photo]) -> None:
    trained = {photo.label for photo in photos if photo.split == TRAIN}
    for photo in photos:
        if photo.label not in trained:
            raise InvalidInput(
                f"{sides[TRAIN] / photo.label} has no photographs, {root / Path(photo.name).parent} has "
                "some; every class needs training images"
            )
    if not trained:
        raise InvalidInput(f"{sides[TRAIN]} has no photographs in its folders; {ALLOWED}")


def _refuse_unread(folder: Path, other: Sequence[str]) -> None:
    """Without a word the class would be gone."""
    if other:
        raise InvalidInput(
            f"the class folder {folder} has no file that is read: {describe_unread(other)}; convert "
            "its files, or remove the folder"
        )


def _loose(folder: Path) -> list[Path]:
    """Photographs that are in no class folder."""
    return [path for path in entries(folder) if _is_photo(path)]


def _is_photo(path: Path) -> bool:
    return is_photo(path.name) and path.is_file()


def _notes(
    unread: Sequence[str], empty: Sequence[str], loose: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    said = []
    if unread:
        said.append(describe_unread(unread))
    if empty:
        said.append(f"{_count(len(empty), 'class folder')} without photographs: {_some(empty)}")
    if loose:
        said.append(
            f"{_count(len(loose), 'photograph')} in no class folder, not used: {_some(loose)}"
        )
    if others:
        said.append(f"{_count(len(others), 'folder')} not used: {_some(others)}")
    return tuple(said)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _sorted(photos: Sequence[Photo]) -> tuple[Photo, ...]:
    return tuple(sorted(photos, key=lambda photo: photo.name))
