"""The page of an evaluation, and the files beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.evaluation.evaluate import (
    MOST_LEAST_SURE,
    MOST_MISTAKES,
    MOST_SUSPECTS,
    Copies,
    Evaluation,
    cells,
)
from nas.evaluation.figures import ClassFigures
from nas.evaluation.output import (
    DOCUMENT,
    PAGE,
    TABLE,
    class_lines,
    cost_text,
    document,
    reason,
    table,
    temperature_line,
    words_of,
)
from nas.evaluation.suspects import Image, Suspect
from nas.report import assets
from nas.report.figures.confusion import confusion_figure, shown_classes
from nas.report.figures.reliability import reliability_figure
from nas.runs import write_text
from nas.training.intervals import Rate

_TEMPLATE = Path(__file__).with_name("evaluation.html.jinja")
MOST_NAMES = 200
"""Names that are listed of a cell."""
MOST_LINES = 12
HEADS = ("class", "images", "predicted", "recall %", "precision %", "F1")


@dataclass(frozen=True)
class Picture:
    """A picture of a gallery; ``url`` is empty for one that is only named."""

    url: str
    name: str
    text: str


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write page, table and document of an evaluation into ``folder``; return the path of the page.

    Files of these names are replaced atomically; others stay.
    """
    write_text(folder / TABLE, table(evaluation))
    write_text(folder / DOCUMENT, json.dumps(document(evaluation), indent=2) + "\n")
    write_text(folder / PAGE, render_evaluation(evaluation))
    return folder / PAGE


def render_evaluation(evaluation: Evaluation) -> str:
    """The page as self-contained HTML."""
    figures, scripts = evaluation.figures, assets.scripts()
    shown = shown_classes(figures)
    everything = len(shown) == len(figures.classes)
    return assets.template(_TEMPLATE).render(
        scripts=scripts,
        permitted=" ".join(script.permit for script in scripts),
        style=assets.style(),
        title=evaluation.subject.title,
        facts=_facts(evaluation),
        trouble=class_lines(evaluation)[:MOST_LINES],
        notes=evaluation.notes,
        confusion=confusion_figure(figures, shown),
        confusion_note="" if everything else f" The {len(shown)} most confused classes are shown.",
        cells=_cells(evaluation, shown),
        pairs=figures.pairs,
        class_heads=HEADS,
        class_rows=[_class_row(one) for one in figures.classes],
        mistakes=[_mistake(evaluation, row) for row in evaluation.mistakes[:MOST_MISTAKES]],
        mistakes_count=f"{len(evaluation.mistakes):,}",
        reliability=reliability_figure(figures),
        calibration=_calibration(evaluation),
        suspects=[_suspect(evaluation, one) for one in evaluation.suspects[:MOST_SUSPECTS]],
        suspects_count=f"{len(evaluation.suspects):,}",
        least_sure=[_suspect(evaluation, one) for one in evaluation.least_sure[:MOST_LEAST_SURE]],
        judged=f"{evaluation.judged:,}" if evaluation.judged else "",
        copies=[_copies(evaluation, one) for one in evaluation.copies[:MOST_SUSPECTS]],
        copies_count=f"{len(evaluation.copies):,}",
        across_count=sum(one.across for one in evaluation.copies),
    )


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    figures = evaluation.figures
    facts = [
        ("images", f"{figures.images:,} {words_of(evaluation.splits)}"),
        ("data", evaluation.data),
        ("classes", f"{len(figures.classes):,}"),
        ("error", figures.error.percent(2)),
        ("balanced error", figures.balanced_error.percent(2)),
        ("macro F1", figures.macro_f1.percent(2)),
    ]
    if figures.top5_error is not None:
        facts.insert(4, ("top-5 error", figures.top5_error.percent(2)))
    if figures.cost is not None:
        facts.append(("mean cost", cost_text(figures.cost)))
    return facts


def _calibration(evaluation: Evaluation) -> str:
    error = 100 * evaluation.figures.calibration_error
    return (
        f"On average a probability is {error:.1f} points off (expected calibration error, 15 bins); "
        f"{temperature_line(evaluation)}."
    )


@dataclass(frozen=True)
class Cell:
    """The images of a cell of the confusion matrix."""

    id: str
    heading: str
    pictures: list[Picture]
    names: list[str]
    listed: str


def _cells(evaluation: Evaluation, shown: Sequence[int]) -> list[Cell]:
    predictions, names = evaluation.predictions, evaluation.predictions.class_names
    made = []
    for (label, named), rows in sorted(cells(predictions).items()):
        if label not in shown or named not in shown:
            continue
        right = f"{names[label]}, classified correctly"
        wrong = f"{names[label]}, taken for {names[named]}"
        some = rows[:MOST_NAMES]
        made.append(
            Cell(
                f"cell-{label}-{named}",
                f"{right if label == named else wrong}: {len(rows):,} images",
                [
                    one
                    for one in (_mistake(evaluation, row) for row in rows[:MOST_NAMES])
                    if one.url
                ],
                [predictions.names[row] for row in some],
                "Names" if len(some) == len(rows) else f"The {len(some)} surest by name",
            )
        )
    return made


def _mistake(evaluation: Evaluation, row: int) -> Picture:
    predictions = evaluation.predictions
    named = int(predictions.named[row])
    label = predictions.class_names[predictions.labels[row]]
    sure = 100 * evaluation.probabilities[row, named]
    text = f"{label}; predicted {predictions.class_names[named]}, {sure:.0f} %"
    return Picture(_url(evaluation, evaluation.image(row)), predictions.names[row], text)


def _suspect(evaluation: Evaluation, one: Suspect) -> Picture:
    text = f"{one.label}; {reason(one)}"
    return Picture(_url(evaluation, one.image), f"{one.name} ({one.image[0]})", text)


@dataclass(frozen=True)
class Group:
    """Copies of a picture."""

    heading: str
    pictures: list[Picture]


def _copies(evaluation: Evaluation, found: Copies) -> Group:
    sides = " and ".join(dict.fromkeys(split for split, _ in found.images))
    heading = f"{'Exact' if found.kind == 'exact' else 'Near'} copies, in {sides}"
    if found.disagree:
        heading += ", with different labels"
    pictures = [
        Picture(_url(evaluation, image), f"{name} ({image[0]})", label)
        for image, name, label in zip(found.images, found.names, found.labels, strict=True)
    ]
    return Group(heading, pictures[:MOST_NAMES])


def _url(evaluation: Evaluation, image: Image) -> str:
    return evaluation.thumbs.get(image, "")


@dataclass(frozen=True)
class _Value:
    """A cell of the table of classes, and what it is sorted by."""

    text: str
    order: Any


def _class_row(one: ClassFigures) -> list[_Value]:
    return [
        _Value(one.name, one.name),
        _Value(f"{one.images:,}", one.images),
        _Value(f"{one.predicted:,}", one.predicted),
        _rate(one.recall),
        _rate(one.precision),
        _Value("-", -1) if one.f1 is None else _Value(f"{one.f1:.3f}", one.f1),
    ]


def _rate(rate: Rate | None) -> _Value:
    if rate is None:
        return _Value("-", -1)
    return _Value(
        f"{100 * rate.value:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})", rate.value
    )
