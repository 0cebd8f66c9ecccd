"""Pictures of a run's report on a wide screen and on a phone, in a real Chromium.

    python benchmarks/report_pictures.py RUN [--out docs/results/report_page]

RUN is the name of a run under runs/. Writes desktop.png (1280 pixels wide) and phone.png (390, with the
network that was tapped in the table), each below 300 kB.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

# The browser is the one that the tests drive.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nas.report import write_report
from nas.runs import RunFolder
from tests.nas.report.browser import ABSENT, BROWSER, Tab

MOST_BYTES = 300_000
COLOURS = 64
LINK = "document.querySelector('#points tbody a')"


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--out", type=Path, default=Path("docs/results/report_page"))
    options = parser.parse_args()
    if BROWSER is None:
        sys.exit(ABSENT)
    page = write_report(RunFolder.existing(options.run)).absolute().as_uri()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with Tab(Path(folder) / "desktop", 1280, 900) as tab:
            tab.open(page)
            save(tab.picture(whole=True), options.out / "desktop.png")
        with Tab(Path(folder) / "phone", 390, 844, touch=True) as tab:
            tab.open(page)
            tab.tap(LINK)
            tab.wait(lambda: tab.run("document.querySelector('article:target') !== null"))
            tab.run("scrollTo(0, 0)")
            save(tab.picture(whole=True), options.out / "phone.png")


def save(png: bytes, path: Path) -> None:
    """Write a picture of flat colours, of which few suffice."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES, f"{path}: {path.stat().st_size:,} bytes"
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
