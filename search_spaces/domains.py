"""Domains: the possible values of a field, and their form in Optuna."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeGuard

from blocks import InvalidInput
from search_spaces.fields import Scalar, SpecField, Value

if TYPE_CHECKING:  # a space is read without Optuna
    from optuna.distributions import BaseDistribution

MANY = 100
"""Largest size of a range of which every value is checked when a space is read."""

GRID_TOLERANCE = 1e-8
"""Largest distance, in steps, of a float from a multiple of its step, as in Optuna."""


class Domain(ABC):
    """The values of one parameter. Optuna has parameters; the rest of the package has values."""

    @property
    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """The distribution for Optuna."""

    @property
    @abstractmethod
    def first(self) -> Scalar:
        """The parameter of a field that is not active."""

    @abstractmethod
    def values(self) -> Sequence[Value]:
        """Every value, in order.

        Raises:
            InvalidInput: The range is continuous.
        """

    def probes(self) -> Sequence[Value]:
        """Values to check the domain with: all of them if possible."""
        return self.values()

    @abstractmethod
    def decode(self, parameter: object) -> Value:
        """Convert Optuna's parameter to the value.

        Raises:
            InvalidInput: The parameter is not in the domain.
        """

    @abstractmethod
    def encode(self, value: Value | None) -> Scalar:
        """Convert a value to Optuna's parameter.

        Raises:
            InvalidInput: The value is not in the domain.
        """

    @abstractmethod
    def draw(self, rng: random.Random) -> Scalar:
        """A parameter, uniform over the domain (over its logarithm with ``log``)."""

    @abstractmethod
    def to_raw(self) -> dict[str, Any]:
        """The domain as in a YAML file."""


@dataclass(frozen=True)
class Choice(Domain):
    """``choice: [...]``. Lists are stored as "1,2,3", since Optuna's categories are scalars."""

    options: tuple[Value, ...]

    @property
    def distribution(self) -> BaseDistribution:  # noqa: D102
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(list(self._decoded))

    @property
    def first(self) -> Scalar:  # noqa: D102
        return _label(self.options[0])

    def values(self) -> Sequence[Value]:  # noqa: D102
        return self.options

    def decode(self, parameter: object) -> Value:  # noqa: D102
        if isinstance(parameter, int | float | str) and parameter in self._decoded:
            return self._decoded[parameter]
        allowed = ", ".join(map(repr, self._decoded))
        raise InvalidInput(f"{parameter!r:.80} is no choice; allowed: {allowed}")

    def encode(self, value: Value | None) -> Scalar:  # noqa: D102
        if value not in self.options:
            allowed = ", ".join(str(_plain(option)) for option in self.options)
            raise InvalidInput(f"{_plain(value)} is no choice; allowed: {allowed}")
        return _label(self.options[self.options.index(value)])

    def draw(self, rng: random.Random) -> Scalar:  # noqa: D102
        return _label(rng.choice(self.options))

    def to_raw(self) -> dict[str, Any]:  # noqa: D102
        return {"choice": [_plain(option) for option in self.options]}

    @cached_property
    def _decoded(self) -> dict[Scalar, Value]:
        return {_label(option): option for option in self.options}


@dataclass(frozen=True)
class IntRange(Domain):
    """``int: [low, high]``, both included; ``step`` is 1 by default; ``log`` for a logarithmic scale."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def distribution(self) -> BaseDistribution:  # noqa: D102
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    @property
    def first(self) -> Scalar:  # noqa: D102
        return self.low

    def values(self) -> Sequence[Value]:  # noqa: D102
        return range(self.low, self.high + 1, self.step)

    def decode(self, parameter: object) -> int:  # noqa: D102
        # Optuna's storages store every number as a float.
        if _is_number(parameter) and parameter == int(parameter) and parameter in self.values():
            return int(parameter)
        raise InvalidInput(f"{parameter!r:.80} is not in {self._text}")

    def encode(self, value: Value | None) -> Scalar:  # noqa: D102
        return self.decode(value)

    def draw(self, rng: random.Random) -> Scalar:  # noqa: D102
        if not self.log:
            return rng.randrange(self.low, self.high + 1, self.step)
        # Each integer has the interval of half a unit around it, as in Optuna.
        drawn = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(drawn), self.low), self.high)

    def to_raw(self) -> dict[str, Any]:  # noqa: D102
        step = {"step": self.step} if self.step != 1 else {}
        return {"int": [self.low, self.high], **step, **_log(self.log)}

    @property
    def _text(self) -> str:
        return f"{self.low} to {self.high} in steps of {self.step}"


@dataclass(frozen=True)
class FloatRange(Domain):
    """``float: [low, high]``, both included; a grid with ``step``, continuous without."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def distribution(self) -> BaseDistribution:  # noqa: D102
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    @property
    def first(self) -> Scalar:  # noqa: D102
        return self.low

    def values(self) -> Sequence[Value]:  # noqa: D102
        if self.step is None:
            raise InvalidInput(f"float: [{self.low:g}, {self.high:g}] without step is continuous")
        return [self._on_grid(index, self.step) for index in range(self._steps(self.step) + 1)]

    def probes(self) -> Sequence[Value]:  # noqa: D102
        if self.step is not None and self._steps(self.step) < MANY:
            return self.values()
        # The midpoint is not on a grid that the ends may be on.
        return (self.low, (self.low + self.high) / 2, self.high)

    def decode(self, parameter: object) -> float:  # noqa: D102
        if not _is_number(parameter) or not self.low <= parameter <= self.high:
            raise InvalidInput(f"{parameter!r:.80} is not in {self.low:g} to {self.high:g}")
        if self.step is None:
            return float(parameter)
        index = (parameter - self.low) / self.step
        if abs(index - round(index)) > GRID_TOLERANCE:
            raise InvalidInput(f"{parameter!r} is not {self.low:g} plus steps of {self.step:g}")
        return self._on_grid(round(index), self.step)

    def encode(self, value: Value | None) -> Scalar:  # noqa: D102
        return self.decode(value)

    def draw(self, rng: random.Random) -> Scalar:  # noqa: D102
        if self.step is not None:
            return self._on_grid(rng.randint(0, self._steps(self.step)), self.step)
        if not self.log:
            return rng.uniform(self.low, self.high)
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)

    def to_raw(self) -> dict[str, Any]:  # noqa: D102
        step = {"step": self.step} if self.step is not None else {}
        return {"float": [self.low, self.high], **step, **_log(self.log)}

    def _steps(self, step: float) -> int:
        return round((self.high - self.low) / step)

    def _on_grid(self, index: int, step: float) -> float:
        # Rounded, so that 0.1 + 2 * 0.1 equals 0.3.
        return round(min(self.low + index * step, self.high), 12)


def domain_from(raw: Mapping[str, Any], field: SpecField, where: str) -> Domain:
    """Read the domain of one entry of a YAML file, without its ``when``.

    Raises:
        InvalidInput: One line with the position in the file.
    """
    kinds = [kind for kind in ("choice", "int", "float") if kind in raw]
    if len(kinds) != 1:
        raise InvalidInput(f"{where}: give exactly one of choice, int, float")
    if kinds == ["choice"]:
        for key in ("step", "log"):
            if key in raw:
                raise InvalidInput(f"{where}.{key}: only int and float have one")
        return _choice(raw["choice"], field, f"{where}.choice")
    return _range(raw, kinds[0], field, where)


def _choice(raw: object, field: SpecField, where: str) -> Choice:
    if not isinstance(raw, list | tuple) or not raw:
        raise InvalidInput(f"{where}: expected a list of at least one value, got {raw!r:.80}")
    options: list[Value] = []
    for index, item in enumerate(raw):
        value = field.check(item, f"{where}.{index}")
        if value in options:
            raise InvalidInput(f"{where}.{index}: {_plain(value)} is listed twice")
        options.append(value)
    return Choice(tuple(options))


def _range(raw: Mapping[str, Any], kind: str, field: SpecField, where: str) -> Domain:
    bounds, step, log = raw[kind], raw.get("step"), raw.get("log", False)
    wanted = int if kind == "int" else (int, float)
    if (
        not isinstance(bounds, list | tuple)
        or len(bounds) != 2
        or not all(_is_number(bound) and isinstance(bound, wanted) for bound in bounds)
    ):
        raise InvalidInput(f"{where}.{kind}: expected [low, high] of type {kind}, got {bounds!r}")
    low, high = bounds
    if low > high:
        raise InvalidInput(f"{where}.{kind}: low {low} is above high {high}")
    for index, bound in enumerate(bounds):
        field.check(float(bound) if kind == "float" else bound, f"{where}.{kind}.{index}")
    if not isinstance(log, bool):
        raise InvalidInput(f"{where}.log: expected true or false, got {log!r:.80}")
    if log and low <= 0:
        raise InvalidInput(f"{where}.log: needs low above 0, got {low}")
    if step is not None:
        _check_step(step, low, high, wanted, log, f"{where}.step")
    if kind == "int":
        return IntRange(low, high, 1 if step is None else step, log)
    return FloatRange(float(low), float(high), None if step is None else float(step), log)


def _check_step(
    step: object, low: float, high: float, wanted: type | tuple[type, ...], log: bool, where: str
) -> None:
    if not _is_number(step) or not isinstance(step, wanted) or step <= 0:
        raise InvalidInput(f"{where}: expected a number above 0 of the range's type, got {step!r}")
    if log:
        raise InvalidInput(f"{where}: a range has a step or log, not both")
    steps = (high - low) / step
    if abs(steps - round(steps)) > GRID_TOLERANCE:
        raise InvalidInput(f"{where}: steps of {step} do not lead from {low} to {high}")


def _is_number(value: object) -> TypeGuard[int | float]:
    # A bool is an int in Python, but no bound of a range.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _log(log: bool) -> dict[str, bool]:
    return {"log": True} if log else {}


def _label(value: Value) -> Scalar:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _plain(value: Value | None) -> object:
    return list(value) if isinstance(value, tuple) else value
