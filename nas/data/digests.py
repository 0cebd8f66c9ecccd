"""Digests of the content of files; each file is read once until it changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.file_memo import FileState, recall, remember

BYTES = 16
CHUNK = 1 << 20


def digests(paths: Sequence[Path]) -> list[str]:
    """BLAKE2b digests, 32 hexadecimal digits, of the content of files.

    Raises:
        InvalidInput: A file cannot be read.
    """
    states = [_state(path) for path in paths]
    known = recall("digest", states)
    new = list({state.path: state for state in states if state.path not in known}.values())
    # Hashing and reading release Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = dict(zip(new, pool.map(_digest, new), strict=True))
    if found:
        remember("digest", found)
    known |= {state.path: digest for state, digest in found.items()}
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
