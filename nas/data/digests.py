"""Digests of the content of files; each file is read once until it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.file_memo import FileState, found_out

BYTES = 16
CHUNK = 1 << 20


def digests(paths: Sequence[Path]) -> list[str]:
    """BLAKE2b digests, 32 hexadecimal digits, of the content of files.

    Raises:
        InvalidInput: A file cannot be read.
    """
    states = [_state(path) for path in paths]
    # Hashing and reading release Python's lock.
    known = found_out("digest", states, _digest, "reading")
    return [known[state.path] for state in states]


def _state(path: Path) -> FileState:
    try:
        return FileState.of(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror})") from None


def _digest(state: FileState) -> str:
    digest = hashlib.blake2b(digest_size=BYTES)
    try:
        with open(state.path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InvalidInput(f"{state.path} cannot be read ({error.strerror})") from None
    return digest.hexdigest()
