"""The memory that a search allowed its networks, and whether an exported file keeps to it.

The search knows the memory of the plain int8 file. Colours for a grey network, floats at the ends and
layers that stay in float32 add to it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cost import DeviceClass, costs_on
from nas.cost.microcontroller.vela import KIB, TFLM
from nas.exporting.making import Made, Making
from nas.exporting.targets import Wishes
from nas.naming import option
from nas.runs.folder import RunFolder

NAMES = {"sram_kb": "SRAM", "flash_kb": "flash memory"}


@dataclass(frozen=True)
class Broken:
    """A limit that a file breaks.

    Attributes:
        name: sram_kb or flash_kb.
        value: KiB that the file takes.
        limit: KiB that the search allowed.
    """

    name: str
    value: float
    limit: float


@dataclass(frozen=True)
class MemoryBudget:
    """Limits of a run.

    Attributes:
        device_class: Whose memory: tflm, or an Ethos-U.
        sram_kb: KiB; None: no limit.
        flash_kb: Likewise.
    """

    device_class: DeviceClass
    sram_kb: float | None
    flash_kb: float | None

    @property
    def accelerator(self) -> str | None:
        """The Ethos-U that the run searched for, if it is one."""
        return None if self.device_class == TFLM else self.device_class

    def broken_by(self, made: Made) -> tuple[Broken, ...]:
        """The limits that a file breaks."""
        written = made.written
        if written.arena is not None and self.device_class == TFLM:
            sram, flash = written.arena.bytes, written.arena.flash
        elif written.npu is not None and written.npu.accelerator == self.device_class:
            sram, flash = written.npu.sram, written.npu.flash
        else:
            return ()
        figures = (("sram_kb", sram, self.sram_kb), ("flash_kb", flash, self.flash_kb))
        return tuple(
            Broken(name, value / KIB, limit)
            for name, value, limit in figures
            if limit is not None and value > limit * KIB
        )


def budget_of(checkpoint: Path) -> MemoryBudget | None:
    """The budget of the run that a checkpoint belongs to; None: it belongs to no search.

    Raises:
        InvalidInput: The run's search.yaml is damaged.
    """
    folder = checkpoint.parent
    run = RunFolder(folder.parent.parent)
    if folder.parent.name not in ("trials", "train") or not run.config.is_file():
        return None
    from nas.searching import read_config  # here: it needs Optuna

    config = read_config(run)
    budgets = config.budgets
    return MemoryBudget(config.device_class, budgets.max_sram_kb, budgets.max_flash_kb)


def check_memory(
    making: Making, budget: MemoryBudget | None, wishes: Wishes, spec: ArchSpec
) -> None:
    """Fail the files that break the budget, each with its reason."""
    if budget is None:
        return
    for one in list(making.made):
        if broken := budget.broken_by(one):
            figures = "; ".join(_figures(limit, budget, spec) for limit in broken)
            advice = ", ".join((*_without(one, wishes), "a smaller network"))
            making.fail(one, f"it breaks the budget of the search: {figures}; allowed: {advice}")


def _figures(broken: Broken, budget: MemoryBudget, spec: ArchSpec) -> str:
    """A figure, what the search predicted, and the limit."""
    found = "measured" if budget.accelerator is None else "estimated by Vela"
    figures = [f"{broken.value:,.1f} KiB {found}"]
    with suppress(InvalidInput):  # not known for such networks, or Vela is damaged
        predicted = costs_on(None, device_class=budget.device_class)[broken.name](spec)
        figures.append(f"{predicted:,.1f} predicted")
    return f"{NAMES[broken.name]} {', '.join(figures)}, budget {broken.limit:g}"


def _without(made: Made, wishes: Wishes) -> list[str]:
    """What made the file larger than the search knew, turned round."""
    return [
        *([f"no {option('rgb')}"] if wishes.rgb else []),
        *([option("io", "int8")] if wishes.io != "int8" else []),
        *(
            [f"a network that needs no layers in float32 ({', '.join(made.float_layers)})"]
            if made.float_layers
            else []
        ),
    ]
