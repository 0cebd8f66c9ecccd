"""The notebook in examples/ runs from its first cell to its last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "search.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    search, knee, bundle = (
        _output_of(notebook, text) for text in ("nas.search(", "pick(", "export(")
    )
    assert "Pareto front" in search["text/html"]  # of the run, beside the live view
    assert (
        len(_cell_with(notebook, "nas.search(").outputs) <= 6 + 6
    )  # a line per trial, and few others
    widgets = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert "6/6" in json.dumps(widgets)  # the live view, in its last state
    assert "sk" in knee["text/plain"]
    assert "onnx-fp32" in bundle["text/plain"]
    assert (tmp_path / "runs/notebook/report.html").is_file()


def test_the_kept_notebook_has_no_outputs() -> None:
    """Outputs would go stale, and hold paths of whoever ran it."""
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def _cell_with(notebook: Any, text: str) -> Any:
    """The first code cell that has ``text`` in it."""
    return next(one for one in notebook.cells if one.cell_type == "code" and text in one.source)


def _output_of(notebook: Any, text: str) -> Any:
    """The value of that cell."""
    outputs = _cell_with(notebook, text).outputs
    return next(one.data for one in outputs if one.output_type == "execute_result")
