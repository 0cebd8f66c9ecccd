"""A zip or tar of photographs, unpacked once into the folder of caches."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from blocks.errors import InvalidInput
from nas.data.layouts.kinds import is_system
from nas.data.layouts.unpacking import made_once

ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_FILES = 5_000_000
MOST_EXPANSION, SMALL = 50, 1 << 30
"""Photographs hardly compress: beyond a gigabyte, more than so many times the archive is no archive of
photographs."""
CHUNK = 1 << 20
# RuntimeError: a password is needed. zlib's and lzma's errors say what is wrong, too.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, zlib.error,
    lzma.LZMAError,
)  # fmt: skip


class _Member(NamedTuple):
    name: str
    size: int
    file: IO[bytes]


def is_archive(path: Path) -> bool:
    """Whether the name of a file is that of an archive."""
    return path.name.lower().endswith(ENDINGS)


def unpacked(archive: Path) -> Path:
    """The folder that an archive is unpacked in; a changed archive is unpacked anew.

    Raises:
        InvalidInput: The archive is damaged, has a file that would lie outside, is too large for the
            disk, or expands as no archive of photographs does.
    """
    try:
        return _inner(made_once([archive], lambda folder: _unpack(archive, folder)))
    except _DAMAGED as error:
        raise InvalidInput(f"{archive} cannot be unpacked ({error})") from None


def _unpack(archive: Path, folder: Path) -> None:
    room = shutil.disk_usage(folder).free
    packed = archive.stat().st_size
    most = max(SMALL, packed * MOST_EXPANSION)
    total = 0
    for count, member in enumerate(_members(archive), 1):
        target = folder / _inside(member.name, archive)
        total += member.size
        if total > room:
            raise InvalidInput(f"{archive}: unpacked it is larger than the room in {folder.parent}")
        if total > most or count > MOST_FILES:
            raise InvalidInput(
                f"{archive}: unpacked it is more than {MOST_EXPANSION} times as large, or more than "
                f"{MOST_FILES:,} files; unpack it yourself if that is right"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            _copy(member, file, archive)


def _copy(member: _Member, file: IO[bytes], archive: Path) -> None:
    """Not more than the archive says: its sums are made of what it says."""
    left = member.size
    while chunk := member.file.read(min(CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise InvalidInput(f"{archive}: {member.name} is larger than the archive says")
        file.write(chunk)


def _inside(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or ":" in path.parts[0]
        or "\0" in name
    ):
        raise InvalidInput(f"{archive}: {name!r} would lie outside its folder")
    return path


def _members(archive: Path) -> Iterator[_Member]:
    """The plain files of an archive, but those of operating systems; links are left out."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.is_dir() or kind not in (0, stat.S_IFREG) or _left_out(info.filename):
                    continue
                with zipped.open(info) as file:
                    yield _Member(info.filename, info.file_size, file)
        return
    with tarfile.open(archive) as tar:
        for one in tar:
            if not one.isfile() or _left_out(one.name):
                continue
            content = tar.extractfile(one)
            if content is not None:
                yield _Member(one.name, one.size, content)


def _left_out(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(is_system(part) for part in parts if part not in (".", ".."))


def _inner(folder: Path) -> Path:
    """The folder in which the data begin: archives often hold a single folder with everything."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        if not any(path.is_dir() or path.suffix.lower() == ".csv" for path in inside[0].iterdir()):
            return folder
        if inside[0].name.lower() in ("train", "training"):
            return folder
        folder = inside[0]
