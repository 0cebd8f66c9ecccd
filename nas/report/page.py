"""Renders the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.report import assets, details, figures, published, summary, tables
from nas.report.listing import open_trainings
from nas.report.material import Material, read_material
from nas.runs import ERROR, RunFolder, TrialState, write_text


def write_report(run: RunFolder) -> Path:
    """Write the page about a run, finished or not; return its path.

    Raises:
        InvalidInput: The run's files are damaged.
    """
    write_text(run.report, render_report(read_material(run)))
    return run.report


def render_report(material: Material) -> str:
    """The page as self-contained HTML."""
    scripts = assets.scripts()
    return assets.template().render(
        scripts=scripts,
        permitted=" ".join(script.permit for script in scripts),
        style=assets.style(),
        name=material.name,
        **_head(material),
        **_results(material),
        **_course(material),
    )


def _head(material: Material) -> dict[str, Any]:
    return {
        "facts": summary.facts(material),
        "outcomes": summary.outcomes(material),
        "open_trainings": open_trainings(material.config, material.records),
        "trials": material.config.trials,
        "epochs": material.config.recipe.epochs,
        "hypervolume": f"{material.front.hypervolume:.4f}",
        "reference_point": summary.reference_point(material),
    }


def _results(material: Material) -> dict[str, Any]:
    """The front and the chosen network; empty until a trial is trained."""
    knee = material.knee
    if knee is None:
        return {
            "front": (),
            "picked": None,
            "networks": (),
            "columns": (),
            "rows": (),
            "uncertainty": "",
            "within": (),
            "error_label": "",
            "confirmed": (),
            "published": None,
        }
    networks = details.networks(material)
    confirmed = material.uncertainty.confirmed
    beside = published.published_beside(material.config.data, material.records)
    return {
        "front": figures.front_figures(material),
        "published": published.SOURCE if beside else None,
        "picked": next(one for one in networks if one.trial == knee.trial),
        "networks": networks,
        "columns": tables.front_columns(material),
        "rows": tables.front_rows(material),
        "uncertainty": "" if confirmed else material.uncertainty.sentence,
        "within": tables.best_within(material),
        "error_label": material.label(ERROR),
        "confirmed": confirmed.sentences if confirmed else (),
    }


def _course(material: Material) -> dict[str, Any]:
    """The course of the search."""
    shares = material.importance.shares
    return {
        "growth": figures.hypervolume_figure(material) if material.trained else None,
        "importance": figures.importance_figure(material.importance) if shares else None,
        "importance_missing": material.importance.missing,
        "curves": figures.curves_figure(material) if material.curves else None,
        "failures": tables.failures(material),
        "failed": material.count(TrialState.FAILED),
        "infeasible": material.count(TrialState.INFEASIBLE),
        "budgets": summary.budgets(material),
    }
