"""metrics.jsonl: one line per epoch."""

from __future__ import annotations

from nas.runs import TrialFolder, write_text
from nas.training.job import EpochMetrics


def write_metrics(folder: TrialFolder, history: tuple[EpochMetrics, ...]) -> None:
    """Write metrics.jsonl anew; a few hundred short lines at most."""
    lines = [epoch.model_dump_json(exclude_none=True) for epoch in history]
    write_text(folder.metrics, "".join(f"{line}\n" for line in lines))


def read_metrics(folder: TrialFolder) -> list[EpochMetrics]:
    """The epochs in metrics.jsonl; none when there is no file. A torn last line is left out."""
    try:
        lines = folder.metrics.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    epochs = []
    for line in lines:
        try:
            epochs.append(EpochMetrics.model_validate_json(line))
        except ValueError:
            break
    return epochs
