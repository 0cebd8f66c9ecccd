"""SRAM, flash and time of a network on an Ethos-U before its training: Vela compiles drawn weights.

Vela takes hundredths of a second to a second for a network. The folder of caches keeps its figures.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cost.microcontroller.graph import QUANTIZE, Graph
from nas.cost.microcontroller.memory import check_known, graph_of
from nas.cost.microcontroller.untrained import untrained_file
from nas.cost.microcontroller.vela import Npu, check_vela, compile_file, start_vela
from nas.errors import WorkFailed
from nas.folders import cache_dir
from nas.naming import option

RULES = 1
"""Counts up when the same network gets other figures."""
SRAM_MARGIN, FLASH_MARGIN = 256, 3072
"""Bytes that are added: weights of other values are compressed a little worse or better."""


@dataclass(frozen=True)
class Estimate:
    """What an int8 network takes of an Ethos-U, by Vela.

    Attributes:
        sram: Bytes.
        flash: Bytes of the compiled file.
        milliseconds: Of one image.
    """

    sram: int
    flash: int
    milliseconds: float


def estimate_of(spec: ArchSpec, accelerator: str) -> Estimate:
    """What ``nas export --targets ethos_u`` will find, with a margin for memory.

    Which operators change a scale depends on ranges that nobody knows before the training: the figures
    are the larger ones of all and none.

    Args:
        spec: The network.
        accelerator: One of ACCELERATORS.

    Raises:
        InvalidInput: Vela is not installed, or its figures for such networks are not known here.
    """
    kept = _kept(accelerator)
    if spec.key not in kept.known:
        start_vela(f"{option('device_class')} {accelerator}")
        check_known(spec)
        graphs = [graph_of(spec)]
        if any(one.kind == QUANTIZE for one in graphs[0].operators):
            graphs.append(graph_of(spec, requantize=False))
        kept.add(spec.key, _largest([_compiled(one, spec, accelerator) for one in graphs]))
    return kept.known[spec.key]


def _compiled(graph: Graph, spec: ArchSpec, accelerator: str) -> Npu:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "model.tflite"
        file.write_bytes(untrained_file(graph))
        try:
            return compile_file(file, accelerator, Path(name) / "out", apart=False)[1]
        except WorkFailed as failed:
            raise InvalidInput(f"{accelerator}: {spec.backbone} ({spec.label}): {failed}") from None


def _largest(found: Sequence[Npu]) -> Estimate:
    return Estimate(
        sram=max(one.sram for one in found) + SRAM_MARGIN,
        flash=max(one.flash for one in found) + FLASH_MARGIN,
        milliseconds=max(one.milliseconds for one in found),
    )


@cache
def _kept(accelerator: str) -> _Kept:
    name = f"vela-{check_vela(accelerator)}-{accelerator}-{RULES}.jsonl"
    return _Kept(cache_dir() / "microcontroller" / name)


class _Kept:
    """Estimates by key, a line each; lines that were torn are left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Estimate] = {}
        with suppress(OSError):
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, TypeError, KeyError):
                    fields = json.loads(line)
                    key = fields.pop("key")
                    self.known[key] = Estimate(**fields)

    def add(self, key: str, found: Estimate) -> None:
        """Keep one, on disk too, where that can be written."""
        self.known[key] = found
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, **asdict(found)}) + "\n")
