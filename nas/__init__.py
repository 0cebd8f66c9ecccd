"""Search lightweight image classifiers made of Selective-Kernel units, and export the one you pick.

The public names are loaded when they are first used, so that ``import nas`` costs nothing::

    import nas

    run = nas.search("quickstart", data="digits", trials=12, epochs=6, recipe="tiny", name="first")
    knee = run.pick("knee")
    print(run.to_dataframe(), run.train(knee).test_error)
    run.export(knee, targets=["onnx"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from blocks import ArchSpec as ArchSpec
    from blocks import InvalidInput as InvalidInput
    from blocks import UnitSpec as UnitSpec
    from blocks import build as build
    from nas.api.checking import check_data as check_data
    from nas.api.evaluating import Evaluated as Evaluated
    from nas.api.evaluating import evaluate as evaluate
    from nas.api.exporting import Bundle as Bundle
    from nas.api.exporting import export as export
    from nas.api.run import Run as Run
    from nas.api.run import open_run as open_run
    from nas.api.searching import search as search
    from nas.api.training import FullTraining as FullTraining
    from nas.api.training import train as train
    from nas.api.version import __version__ as __version__
    from nas.cost import Budgets as Budgets
    from nas.cost import Counts as Counts
    from nas.cost import count as count
    from nas.cost import objective as objective
    from nas.data import Datasets as Datasets
    from nas.data.checking.result import DataCheck as DataCheck
    from nas.errors import WorkFailed as WorkFailed
    from nas.front import Front as Front
    from nas.front import FrontPoint as FrontPoint
    from nas.searching.confirm import ConfirmedFront as ConfirmedFront
    from nas.training import EpochMetrics as EpochMetrics
    from nas.training import TrainJob as TrainJob
    from search_spaces import SearchSpace as SearchSpace
    from search_spaces import load_space as load_space

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "blocks": ["ArchSpec", "InvalidInput", "UnitSpec", "build"],
        "nas.api.checking": ["check_data"],
        "nas.api.evaluating": ["Evaluated", "evaluate"],
        "nas.api.exporting": ["Bundle", "export"],
        "nas.api.run": ["Run", "open_run"],
        "nas.api.searching": ["search"],
        "nas.api.training": ["FullTraining", "train"],
        "nas.api.version": ["__version__"],
        "nas.cost": ["Budgets", "Counts", "count", "objective"],
        "nas.data": ["Datasets"],
        "nas.data.checking.result": ["DataCheck"],
        "nas.errors": ["WorkFailed"],
        "nas.front": ["Front", "FrontPoint"],
        "nas.searching.confirm": ["ConfirmedFront"],
        "nas.training": ["EpochMetrics", "TrainJob"],
        "search_spaces": ["SearchSpace", "load_space"],
    },
)
