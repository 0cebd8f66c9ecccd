"""Optuna's samplers by name, each made anew for every proposal from a seed of its own.

A sampler that lives as long as the process would have a random state that a resumed search cannot know.
Made anew from the search's seed and the number of the proposal, the same history gives the same
proposal, whether or not the process was restarted in between.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from optuna.samplers import (
    BaseSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from blocks.errors import InvalidInput
from blocks.registry import Registry
from nas.plugins import Expected, calling, is_reference, place_of, resolve

MakeSampler: TypeAlias = Callable[[int], BaseSampler]

SAMPLERS: Registry[MakeSampler] = Registry("sampler")
SAMPLERS.register("tpe", lambda seed: TPESampler(seed=seed))
SAMPLERS.register("nsga2", lambda seed: NSGAIISampler(seed=seed, population_size=20))
SAMPLERS.register("nsga3", lambda seed: NSGAIIISampler(seed=seed, population_size=20))
SAMPLERS.register("gp", lambda seed: GPSampler(seed=seed))
SAMPLERS.register("random", lambda seed: RandomSampler(seed=seed))
# Networks dealt out of the candidates (nas.search.searchers), none twice; Optuna's sampler is idle.
SEARCHERS = ("grid", "density", "forecast")
for _name in SEARCHERS:
    SAMPLERS.register(_name, lambda seed: RandomSampler(seed=seed))
TAKE_PAUSED = ("tpe", "gp", "random", *SEARCHERS)
"""Those that can learn from trainings that wait at a rung; the genetic ones need whole generations."""


OWN = Expected("a class of optuna.samplers.BaseSampler, or a function from a seed to one", callable)
"""What a sampler of one's own is."""


def make_sampler(sampler: str, seed: int) -> BaseSampler:
    """A sampler by its name, or one of one's own by its import path.

    Of one's own is called with the seed: a class with ``seed=``, if it takes that, a function with
    the seed alone.

    Args:
        sampler: A name in ``SAMPLERS``, ``package.module:NAME`` or ``path/of/file.py:NAME``.
        seed: Of this sampler alone.

    Raises:
        InvalidInput: There is no such sampler, or it raises or gives no sampler.
    """
    if not is_reference(sampler):
        return SAMPLERS[sampler](seed)
    make = cast(Callable[..., Any], resolve(sampler, "sampler", OWN))
    with calling("sampler", sampler, OWN.words):
        is_class, takes = inspect.isclass(make), inspect.signature(make).parameters
        how = () if is_class else (seed,)
        made: object = make(*how, **({"seed": seed} if is_class and "seed" in takes else {}))
    if not isinstance(made, BaseSampler):
        raise InvalidInput(
            f"sampler {sampler}: {place_of(make)}: gives a {type(made).__name__}; expected {OWN.words}"
        )
    return made


def derive_seed(*parts: int | str) -> int:
    """A seed below 2**32 for one purpose, from the search's seed and what names the purpose."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
