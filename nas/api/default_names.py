"""Names of runs, made of whatever a person has named the space, the data or a file."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 40
"""Letters of each part."""
ENDINGS = re.compile(r"\.(csv|tsv|zip|tar|tgz|tbz2|txz|parquet|tar\.(gz|bz2|xz))$", re.IGNORECASE)


def run_name(*parts: str) -> str:
    """A name for a run: ``quickstart-photos`` of ``quickstart`` and ``imagefolder:/home/me/photos/``.

    Of a path the last folder or the file counts. Letters that a name of a run may not have become ``-``;
    of a name in another script a few digits of its digest remain.
    """
    return "-".join(_plain(_last(part)) for part in parts)


def _last(part: str) -> str:
    """The end of a path; of an import path everything."""
    text = part.removeprefix("imagefolder:").replace("\\", "/")
    names = [one for one in text.split("/") if one not in ("", ".", "..")]
    return ENDINGS.sub("", names[-1]) if names else "photos"


def _plain(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    whole = re.sub(r"[^A-Za-z0-9._]+", "-", ascii_only).strip("-._")
    plain = whole[:LONGEST].rstrip("-._")
    if 2 * sum(one.isalnum() for one in whole) < sum(one.isalnum() for one in text):
        digest = hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=3).hexdigest()
        return f"{plain}-{digest}" if plain else f"photos-{digest}"
    return plain or "photos"
