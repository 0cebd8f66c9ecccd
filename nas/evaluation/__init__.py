"""What a trained network gets wrong, how sure it is, and which images are the trouble.

``output`` is for light commands too; the rest needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.evaluation.calibration import Temperature as Temperature
    from nas.evaluation.calibration import fit_temperature as fit_temperature
    from nas.evaluation.evaluate import Evaluation as Evaluation
    from nas.evaluation.evaluate import Subject as Subject
    from nas.evaluation.evaluate import evaluate_network as evaluate_network
    from nas.evaluation.figures import Figures as Figures
    from nas.evaluation.figures import measure as measure
    from nas.evaluation.output import DOCUMENT as DOCUMENT
    from nas.evaluation.output import PAGE as PAGE
    from nas.evaluation.output import TABLE as TABLE
    from nas.evaluation.output import class_lines as class_lines
    from nas.evaluation.output import document as document
    from nas.evaluation.output import summary as summary
    from nas.evaluation.output import table as table
    from nas.evaluation.predictions import Predictions as Predictions
    from nas.evaluation.subjects import checkpoint_subject as checkpoint_subject
    from nas.training.intervals import Rate as Rate
    from nas.training.intervals import wilson as wilson

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.evaluation.calibration": ["Temperature", "fit_temperature"],
        "nas.evaluation.output": [
            "DOCUMENT", "PAGE", "TABLE", "class_lines", "document", "summary", "table",
        ],
        "nas.evaluation.evaluate": ["Evaluation", "Subject", "evaluate_network"],
        "nas.evaluation.figures": ["Figures", "measure"],
        "nas.training.intervals": ["Rate", "wilson"],
        "nas.evaluation.predictions": ["Predictions"],
        "nas.evaluation.subjects": ["checkpoint_subject"],
    },
)  # fmt: skip
