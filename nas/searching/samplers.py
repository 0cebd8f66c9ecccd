"""Optuna's samplers by name, each made anew for every proposal from a seed of its own.

A sampler that lives as long as the process would have a random state that a resumed search cannot know.
Made anew from the search's seed and the number of the proposal, the same history gives the same
proposal, whether or not the process was restarted in between.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from blocks.registry import Registry
from blocks.wording import kind_of
from nas.plugins import Expected, PluginFault, calling, is_reference, named_at, resolve

if TYPE_CHECKING:  # the names are known without Optuna
    from optuna.samplers import BaseSampler

MakeSampler: TypeAlias = "Callable[[int], BaseSampler]"


def _optuna(sampler: str, **options: Any) -> MakeSampler:
    """How Optuna's sampler of this class name is made from a seed."""

    def make(seed: int) -> BaseSampler:
        import optuna

        made: BaseSampler = getattr(optuna.samplers, sampler)(seed=seed, **options)
        return made

    return make


SAMPLERS: Registry[MakeSampler] = Registry(
    "sampler", hint=lambda: ", or one of your own: package.module:NAME or FILE.py:NAME"
)
SAMPLERS.register("tpe", _optuna("TPESampler"))
SAMPLERS.register("nsga2", _optuna("NSGAIISampler", population_size=20))
SAMPLERS.register("nsga3", _optuna("NSGAIIISampler", population_size=20))
SAMPLERS.register("gp", _optuna("GPSampler"))
SAMPLERS.register("random", _optuna("RandomSampler"))
# These suggest from the candidates (nas.searching.searchers), none twice; Optuna's sampler is idle.
SEARCHERS = ("grid", "density", "forecast")
for _name in SEARCHERS:
    SAMPLERS.register(_name, _optuna("RandomSampler"))
TAKE_PAUSED = ("tpe", "gp", "random", *SEARCHERS)
"""Those that can learn from trainings that wait at a rung; the genetic ones need whole generations."""


OWN = Expected("a class of optuna.samplers.BaseSampler, or a function from a seed to one", callable)
"""What a sampler of one's own is."""
SUGGESTS = "a sampler for several objectives that suggests one of the choices of every parameter"
"""What it does when it is asked."""


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
    from nas.study import quiet

    if not is_reference(sampler):
        with quiet():
            return SAMPLERS[sampler](seed)
    make = _resolved(sampler)
    with quiet(), calling("sampler", sampler, OWN.words, make):
        takes_seed = not inspect.isclass(make) or "seed" in inspect.signature(make).parameters
        named = {"seed": seed} if takes_seed and inspect.isclass(make) else {}
        made = make(**named) if inspect.isclass(make) else make(seed)
    from optuna.samplers import BaseSampler

    if not isinstance(made, BaseSampler):
        at = named_at("sampler", sampler, make)
        raise PluginFault(f"{at}: gives {kind_of(made)}; expected {OWN.words}")
    return made


@contextmanager
def asking(sampler: str) -> Iterator[None]:
    """Make one line of what a sampler of one's own raises, or Optuna because of what it suggests.

    Args:
        sampler: As for ``make_sampler``. Of Optuna's own by name every error passes.

    Raises:
        PluginRaised: Names the sampler, the file and the line.
    """
    if not is_reference(sampler):
        yield
        return
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError):
        raise  # of the study, which samplers read
    except (Exception, SystemExit) as error:
        with calling("sampler", sampler, SUGGESTS, _resolved(sampler)):
            raise error


def _resolved(sampler: str) -> Callable[..., object]:
    return cast("Callable[..., object]", resolve(sampler, "sampler", OWN))


def derive_seed(*parts: int | str) -> int:
    """A seed below 2**32 for one purpose, from the search's seed and what names the purpose."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
