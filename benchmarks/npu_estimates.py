r"""Estimates of SRAM, flash and time on an Ethos-U before a training, against the exported files.

Claim: with ``--device-class ethos-u55-128`` and others, ``sram_kb``, ``flash_kb`` and ``npu_ms`` are a
few percent off what Vela says of the exported file, and memory is not below. Ethos-U85 is not claimed.

Both sides are Vela's estimates: of a file with drawn weights that is made from the architecture alone,
and of the file that ``nas export --targets ethos_u`` compiles. Nothing ran on a chip. The networks are
those of a seed of benchmarks/memory.py, with random weights, which compress worst.

Of the page: n = 21 networks, three accelerators; Vela 5.2. Needs the extra [mcu].

    python benchmarks/npu_estimates.py [--networks 36]        # 12 s each; continues
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from memory import drawn, int8_file
from rows import read_rows, write_rows

from blocks import ArchSpec
from nas.cost.microcontroller import estimate_of
from nas.exporting.targets import Wishes
from nas.exporting.targets.ethos_u import write_ethos_u

OUT = Path("docs/results/memory/npu.csv")
SEED = 1811
ACCELERATORS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
FIGURES = ("sram", "flash", "ms")


@dataclass(frozen=True)
class Row:
    """A network on an accelerator: bytes and milliseconds."""

    key: str
    backbone: str
    width: float
    input_size: int
    unit: str
    accelerator: str
    sram: int
    predicted_sram: int
    flash: int
    predicted_flash: int
    ms: float
    predicted_ms: float
    seconds: float


def measure(spec: ArchSpec, number: int) -> list[Row]:
    """Export a network, and compile it for each accelerator."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        int8 = int8_file(spec, number, Path(place))
        for accelerator in ACCELERATORS:
            npu = write_ethos_u(int8, Path(place), Wishes(accelerator=accelerator)).npu
            assert npu is not None
            start = time.process_time()
            found = estimate_of(spec, accelerator)
            seconds = time.process_time() - start
            rows.append(
                Row(
                    spec.key, spec.backbone, spec.width, spec.input_size, spec.label, accelerator,
                    npu.sram, found.sram, npu.flash, found.flash,
                    round(npu.milliseconds, 4), round(found.milliseconds, 4), round(seconds, 3),
                )
            )  # fmt: skip
    return rows


def main() -> int:
    """Measure what is missing, and print the errors in percent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=36)
    torch.set_num_threads(1)
    rows = read_rows(OUT, Row)
    known = {row.key for row in rows}
    for number, spec in islice(enumerate(drawn(SEED)), parser.parse_args().networks):
        if spec.key not in known:
            rows += measure(spec, number)
            known.add(spec.key)  # some are drawn twice
            write_rows(OUT, rows)
    for accelerator in ACCELERATORS:
        own = [row for row in rows if row.accelerator == accelerator]
        for figure in FIGURES:
            errors = [
                100 * (getattr(row, f"predicted_{figure}") / getattr(row, figure) - 1)
                for row in own
            ]
            print(
                f"{accelerator} {figure}: median {statistics.median(map(abs, errors)):.2f} %, worst "
                f"{max(map(abs, errors)):.2f} %, lowest {min(errors):+.2f} %; n = {len(own)}"
            )
        seconds = [row.seconds for row in own]
        print(f"  {statistics.median(seconds):.2f} s in the median, at most {max(seconds):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
