"""The notebook in examples/ runs from its first cell to its last."""

from __future__ import annotations

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
    assert "sk" in knee["text/plain"]
    assert "onnx-fp32" in bundle["text/plain"]
    assert (tmp_path / "runs/notebook/report.html").is_file()


def test_the_kept_notebook_has_no_outputs() -> None:
    """Outputs would go stale, and hold paths of whoever ran it."""
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def _output_of(notebook: Any, text: str) -> Any:
    """The value of the first code cell that has ``text`` in it."""
    cell = next(one for one in notebook.cells if one.cell_type == "code" and text in one.source)
    return next(one.data for one in cell.outputs if one.output_type == "execute_result")
