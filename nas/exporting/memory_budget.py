"""The memory that a search allowed its networks, and whether an exported file keeps to it.

The search knows the memory of the plain int8 file. Colours for a grey network, floats at the ends and
layers that stay in float32 add to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.cost.microcontroller.vela import KIB, TFLM
from nas.exporting.making import Made, Making
from nas.exporting.targets import Wishes
from nas.runs.folder import RunFolder


@dataclass(frozen=True)
class MemoryBudget:
    """Limits of a run.

    Attributes:
        device_class: Whose memory: tflm, or an Ethos-U.
        sram_kb: KiB; None: no limit.
        flash_kb: Likewise.
    """

    device_class: str
    sram_kb: float | None
    flash_kb: float | None

    @property
    def accelerator(self) -> str | None:
        """The Ethos-U that the run searched for, if it is one."""
        return None if self.device_class == TFLM else self.device_class

    def broken_by(self, made: Made) -> str:
        """What a file breaks, such as ``120 KiB of SRAM, allowed: 98``; empty: nothing."""
        written = made.written
        if written.arena is not None and self.device_class == TFLM:
            sram, flash = written.arena.bytes, written.arena.flash
        elif written.npu is not None and written.npu.accelerator == self.device_class:
            sram, flash = written.npu.sram, written.npu.flash
        else:
            return ""
        figures = (("SRAM", sram, self.sram_kb), ("flash memory", flash, self.flash_kb))
        return " and ".join(
            f"{value / KIB:,.1f} KiB of {what} (allowed: {limit:g})"
            for what, value, limit in figures
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


def check_memory(making: Making, budget: MemoryBudget | None, wishes: Wishes) -> None:
    """Fail the files that break the budget, each with its reason."""
    for one in list(making.made):
        broken = "" if budget is None else budget.broken_by(one)
        if broken:
            making.fail(one, f"it breaks the budget of the search: {broken}{_why(one, wishes)}")


def _why(made: Made, wishes: Wishes) -> str:
    """What may have made the file larger than the search knew."""
    causes = [
        *(["colours for a grey network"] if wishes.rgb else []),
        *([f"inputs and outputs in {wishes.io}"] if wishes.io != "int8" else []),
        *([f"in float32: {', '.join(made.float_layers)}"] if made.float_layers else []),
    ]
    return f"; the search did not count {'; '.join(causes)}" if causes else ""
