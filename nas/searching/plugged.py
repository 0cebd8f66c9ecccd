"""The plug-ins that a search names, found before anything is written or trained."""

from __future__ import annotations

from nas.plugins import is_reference
from nas.searching.config import SearchConfig
from nas.searching.samplers import make_sampler


def check_plugins(config: SearchConfig) -> None:
    """Find the user's sampler, module, evaluator and objectives that a search names.

    Raises:
        InvalidInput: One is missing, raises when it is imported, or is of another kind.
    """
    if is_reference(config.sampler):
        make_sampler(config.sampler, 0)
    if config.module is not None:
        from nas.training.own_module import module_class

        module_class(config.module)
    if config.evaluator is not None:
        from nas.training.evaluate import load_evaluator

        load_evaluator(config.evaluator)
    for one in config.own_objectives:
        one.found(one.reference, ())
