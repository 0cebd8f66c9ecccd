"""An evaluation as JSON and CSV, and in lines for people."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.wording import plural
from nas.training.recipe import metric_text

if TYPE_CHECKING:  # the names of the files are known without torch
    from nas.evaluation.evaluate import Evaluation
    from nas.evaluation.figures import ClassFigures
    from nas.evaluation.suspects import Suspect
    from nas.training.intervals import Rate

FORMAT = 1
DOCUMENT, TABLE, PAGE = "evaluation.json", "predictions.csv", "index.html"
WORDS = {"train": "training", "val": "validation", "test": "test"}
MOST_CLASSES = 12
"""Classes that a line or a table for people lists."""


def document(evaluation: Evaluation) -> dict[str, Any]:
    """All figures as numbers, texts, lists and mappings; a rate has ``value``, ``low`` and ``high``."""
    subject = evaluation.subject
    return {
        "format": FORMAT,
        "network": {"title": subject.title, "source": subject.source, "key": subject.key},
        "data": evaluation.data,
        "splits": list(evaluation.splits),
        "trained_on": [] if subject.foreign else list(subject.seen),
        "class_names": list(subject.class_names),
        "figures": asdict(evaluation.figures),
        "warnings": class_lines(evaluation),
        "temperature": asdict(evaluation.temperature),
        "mistakes": [_mistake(evaluation, row) for row in evaluation.mistakes],
        "labels_judged": evaluation.judged,
        "suspects": [_suspect(one) for one in evaluation.suspects],
        "least_sure": [_suspect(one) for one in evaluation.least_sure],
        "duplicates": [
            {
                "kind": one.kind,
                "names": list(one.names),
                "splits": [split for split, _ in one.images],
                "labels": list(one.labels),
                "distance": one.distance,
                "across_splits": one.across,
            }
            for one in evaluation.copies
        ],
        "notes": list(evaluation.notes),
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    return {
        "name": one.name,
        "split": one.image[0],
        "label": one.label,
        "likelier": one.likelier,
        "margin": one.margin,
        "copy": one.copy,
    }


def _mistake(evaluation: Evaluation, row: int) -> dict[str, Any]:
    predictions = evaluation.predictions
    named = int(predictions.named[row])
    return {
        "name": predictions.names[row],
        "label": predictions.class_names[predictions.labels[row]],
        "prediction": predictions.class_names[named],
        "probability": round(float(evaluation.probabilities[row, named]), 6),
    }


def table(evaluation: Evaluation) -> str:
    """One line per image: name, label, prediction, its probability, split."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["name", "label", "prediction", "probability", "split"])
    predictions = evaluation.predictions
    names, named = predictions.class_names, predictions.named
    for row, name in enumerate(predictions.names):
        writer.writerow(
            [
                name,
                names[predictions.labels[row]],
                names[named[row]],
                f"{evaluation.probabilities[row, named[row]]:.6f}",
                predictions.splits[row],
            ]
        )
    return file.getvalue()


def words_of(splits: tuple[str, ...]) -> str:
    """Such as ``test`` or ``training, validation and test``."""
    words = [WORDS[split] for split in splits]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def class_lines(evaluation: Evaluation) -> list[str]:
    """A line for each class that is never predicted, or has few images; one for those without images."""
    figures, kind = evaluation.figures, words_of(evaluation.splits)
    by_name = {one.name: one for one in figures.classes}
    lines = [f"never predicted: {_class(by_name[name])}" for name in figures.never_predicted]
    lines += [
        f"few {kind} images: {_class(by_name[name])}"
        for name in figures.few_images
        if name not in figures.never_predicted
    ]
    if figures.without_images:
        listed = ", ".join(figures.without_images[:MOST_CLASSES])
        more = len(figures.without_images) - MOST_CLASSES
        lines.append(f"without {kind} images: {listed}" + (f" and {more} more" if more > 0 else ""))
    return lines


def _class(one: ClassFigures) -> str:
    assert one.recall is not None
    return (
        f"{one.name}: {round(one.recall.value * one.images)} of {one.images} images right, recall "
        f"{one.recall.percent(0)}"
    )


def cost_text(rate: Rate) -> str:
    """Such as ``0.1234 per image (0.0821 to 0.1850)``."""
    return f"{metric_text('cost', rate.value)} ({rate.low:.4f} to {rate.high:.4f})"


def summary(evaluation: Evaluation, folder: Path) -> list[str]:
    """What the commands print."""
    figures = evaluation.figures
    lines = [
        f"{evaluation.subject.title}: {figures.images:,} {words_of(evaluation.splits)} images of "
        f"{evaluation.data}",
        f"error          {figures.error.percent(2)}",
    ]
    if figures.top5_error is not None:
        lines.append(f"top-5 error    {figures.top5_error.percent(2)}")
    lines += [
        f"balanced error {figures.balanced_error.percent(2)}",
        f"macro F1       {figures.macro_f1.percent(2)}",
        *([f"mean cost      {cost_text(figures.cost)}"] if figures.cost else []),
        f"calibration    ECE {100 * figures.calibration_error:.1f} points; "
        f"{temperature_line(evaluation)}",
        *class_lines(evaluation)[: 2 * MOST_CLASSES],
    ]
    if figures.pairs:
        first = figures.pairs[0]
        lines.append(f"most confused: {first.images} of {first.label} taken for {first.prediction}")
    return [*lines, *trouble_lines(evaluation), *evaluation.notes, f"page: {folder / PAGE}"]


def trouble_lines(evaluation: Evaluation) -> list[str]:
    """Counts of suspects and copies."""
    lines = []
    if evaluation.judged:
        ranked = [("first", one) for one in evaluation.suspects]
        ranked += [("least sure of", one) for one in evaluation.least_sure]
        said = [f"; {word} {one.name}: {one.label}, {reason(one)}" for word, one in ranked[:1]]
        lines.append(suspects_line(len(evaluation.suspects), evaluation.judged) + "".join(said))
    across = [one for one in evaluation.copies if one.across]
    if evaluation.copies:
        groups = plural(len(evaluation.copies), "group")
        where = ""
        if across:
            first_across = " = ".join(across[0].names[:3])
            where = f", {len(across)} of them on several sides of the split; first {first_across}"
        lines.append(f"duplicates: {groups}{where}")
    return lines


def reason(one: Suspect) -> str:
    """Why a label is suspected, such as ``looks like bee`` or ``its copy ... is bee``."""
    return f"its copy {one.copy} is {one.likelier}" if one.copy else f"looks like {one.likelier}"


def suspects_line(suspects: int, judged: int) -> str:
    """Such as ``suspected wrong labels: none of 1,300``."""
    number = f"{suspects:,}" if suspects else "none"
    return f"suspected wrong labels: {number} of {judged:,}"


def temperature_line(evaluation: Evaluation) -> str:
    """The temperature, or why there is none."""
    found, scaled = evaluation.temperature, evaluation.figures.scaled_calibration_error
    if found.note:
        return f"temperature 1: {found.note}"
    after = "" if scaled is None else f" (ECE then {100 * scaled:.1f} points)"
    return f"temperature {found.value:g}{after}"
