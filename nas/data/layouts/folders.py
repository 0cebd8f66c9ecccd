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
    found = _Found(root, barred)
    for side, folders in classes.items():
        for folder in folders:
            found.add(folder, side)
    found.check()
    _check_trained(root, sides, found.photos)
    loose = [one.name for folder in (root, *sides.values()) for one in _loose(folder)]
    others = [one.name for one in folders_in(root) if one not in sides.values()]
    names = {side: f"{folder.name}/" for side, folder in sides.items()}
    layout = ", ".join(names.values()) + (" alone" if len(names) == 1 else "")
    notes = found.notes(loose, others)
    return Listing(found.sorted, layout, names, notes, unread=tuple(found.unread))


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
    if all(folder.name.lower() in SPLIT_NAMES for folder in classes):
        named = ", ".join(f"{folder.name}/" for folder in classes)
        raise InvalidInput(f"{root}: {named}: photographs without class folders; {ALLOWED}")
    found = _Found(root, [root, *classes])
    for folder in classes:
        found.add(folder, None)
    found.check()
    loose = [one.name for one in _loose(root)]
    notes = (*found.notes(loose, []), *_one_too_high(classes))
    return Listing(found.sorted, "class folders", {}, notes, unread=tuple(found.unread))


def _one_too_high(classes: Sequence[Path]) -> list[str]:
    """A line about a single class folder that holds folders itself."""
    wide = [folder for folder in classes if next(files_below(folder), None) is not None]
    if len(wide) != 1 or not folders_in(wide[0]):
        return []
    return [f"all photographs are below {wide[0]}: if the classes are its folders, give that path"]


class _Found:
    """What class folders hold.

    Args:
        root: Names of photographs are relative to it.
        barred: Folders that no link may lead into.
    """

    def __init__(self, root: Path, barred: Sequence[Path]) -> None:
        self._root = root
        self._barred = barred
        self.photos: list[Photo] = []
        self.unread: list[str] = []
        self._empty: list[str] = []
        self._unusable: dict[Path, list[str]] = {}

    def add(self, folder: Path, side: str | None) -> None:
        """Look through a class folder."""
        photos, other = [], []
        for path in files_below(folder, [one for one in self._barred if one != folder]):
            name = path.relative_to(self._root).as_posix()
            if is_photo(path.name):
                photos.append(Photo(name, path, folder.name, side))
            else:
                other.append(name)
        self.photos += photos
        self.unread += other
        if not photos and other:
            self._unusable[folder] = other
        elif not photos:
            self._empty.append(folder.relative_to(self._root).as_posix())

    def check(self) -> None:
        """Refuse folders with other files only; without a word the class would be gone."""
        if not self.photos:
            raise InvalidInput(f"{self._root} has no photographs in its folders; {ALLOWED}")
        for folder, other in self._unusable.items():
            raise InvalidInput(
                f"the class folder {folder} has no file that is read: {describe_unread(other)}; convert "
                "its files, or remove the folder"
            )

    def _broken(self) -> list[str]:
        """Links beside the folders that lead nowhere: a class may be missing."""
        places = dict.fromkeys((self._root, *(one.parent for one in self._barred[1:])))
        found = [path for place in places for path in entries(place)]
        return [
            path.relative_to(self._root).as_posix()
            for path in found
            if path.is_symlink() and not path.exists()
        ]

    @property
    def sorted(self) -> tuple[Photo, ...]:
        """The photographs in the order of their names."""
        return tuple(sorted(self.photos, key=lambda photo: photo.name))

    def notes(self, loose: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
        """What a person is to be told.

        Args:
            loose: Photographs in no class folder.
            others: Folders beside those of splits.
        """
        said = [describe_unread(self.unread)] if self.unread else []
        for what, names, which in (
            ("class folder", self._empty, "without photographs"),
            ("photograph", loose, "in no class folder, not used"),
            ("folder", others, "not used"),
            ("link", self._broken(), "to nothing, not used"),
        ):
            if names:
                number = f"{len(names)} {what}{'' if len(names) == 1 else 's'}"
                some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                said.append(f"{number} {which}: {some}")
        return tuple(said)


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
            raise InvalidInput(
                f"{sides[side]} has {len(extra)} class folder{'s' * (len(extra) > 1)} that "
                f"{sides[TRAIN].name} lacks ({', '.join(extra[:3])}); every class needs training images"
            )


def _check_trained(root: Path, sides: Mapping[str, Path], photos: Sequence[Photo]) -> None:
    trained = {photo.label for photo in photos if photo.split == TRAIN}
    for photo in photos:
        if photo.label not in trained:
            raise InvalidInput(
                f"{sides[TRAIN] / photo.label} has no photographs, {root / Path(photo.name).parent} has "
                "some; every class needs training images"
            )


def _loose(folder: Path) -> list[Path]:
    """Photographs that are in no class folder."""
    return [path for path in entries(folder) if _is_photo(path)]


def _is_photo(path: Path) -> bool:
    return is_photo(path.name) and path.is_file()
