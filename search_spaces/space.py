"""SearchSpace: the networks of a definition, and their conversion to and from Optuna."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from blocks import ArchSpec, InvalidInput
from blocks.wording import check_type
from search_spaces.assembly import assemble, base_values, check_buildable
from search_spaces.assignments import count, independent, walk
from search_spaces.definition import SpaceDefinition
from search_spaces.fields import INPUT_SIZE
from search_spaces.locating import locate
from search_spaces.variables import Alternative, Variable

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class SearchSpace:
    """All networks that a definition allows.

    An unbound space has ArchSpec's defaults (ImageNet); ``bind`` sets the figures of a data set.

    Args:
        definition: The fixed and the varied fields.
        data: The values of fields.DATA_FIELDS from the data set; ``bind`` usually gives them.

    Raises:
        InvalidInput: An assignment is no network (the backbone lacks the width or the stage), or the
            data contradict a fixed field.

    Examples:
        >>> import random, nas
        >>> space = nas.load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)
        >>> space.sample(random.Random(0)).label
        'sk d1,3 w2 r16 L32 no act'
        >>> len({spec.key for spec in space.enumerate()})  # different networks
        96
    """

    def __init__(self, definition: SpaceDefinition, data: Mapping[str, int] | None = None) -> None:
        check_type(
            "definition", definition, SpaceDefinition, "a SpaceDefinition; see nas.load_space"
        )
        if data is not None:
            check_type("data", data, Mapping, "a mapping from fields to numbers")
        self.definition = definition
        self._variables = definition.order
        self._base = base_values(self._variables, definition.fixed, dict(data or {}))
        check_buildable(self._variables, self._base)

    def __repr__(self) -> str:
        fields = ", ".join(one.path for one in self._variables)
        return f"SearchSpace({self.definition.name!r}, varies {fields or 'nothing'})"

    def bind(self, *, num_classes: int, in_channels: int, input_size: int) -> SearchSpace:
        """The same space for the images of a data set.

        Unless the space fixes or varies ``stem_stride``, it is 1 for images of up to SMALL_INPUT pixels
        and 2 above; ``input_size`` decides that also where the space varies it.

        Args:
            num_classes: Outputs of the classifier.
            in_channels: Channels of an image.
            input_size: Side of an image, in pixels.

        Raises:
            InvalidInput: A value is impossible, or the space fixes another one.
        """
        data = {
            "num_classes": num_classes,
            "in_channels": in_channels,
            "input_size": input_size,
        }
        return SearchSpace(self.definition, data)

    @property
    def varies_input_size(self) -> bool:
        """Whether its networks take images of different sizes."""
        return any(variable.path == INPUT_SIZE for variable in self._variables)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Every parameter, active or not, so that samplers without conditions work, too."""
        return {one.parameter: one.domain.distribution for one in self._alternatives()}

    def from_params(self, params: Mapping[str, Any]) -> ArchSpec:
        """The network of Optuna's parameters.

        Inactive and unknown parameters are ignored. A group width that does not divide the channels is
        rounded down to a divisor.

        Raises:
            InvalidInput: An active parameter is missing or not in its domain.
        """
        values = dict(self._base)
        for variable in self._variables:
            alternative = variable.in_force(values)
            if alternative is None:
                continue
            name = alternative.parameter
            if name not in params:
                raise InvalidInput(f"space {self.definition.name}: parameter {name} is missing")
            try:
                values[variable.path] = alternative.domain.decode(params[name])
            except InvalidInput as error:
                raise InvalidInput(f"space {self.definition.name}: {name}: {error}") from None
        return assemble(values)

    def to_params(self, spec: ArchSpec) -> dict[str, Any]:
        """Parameters of the same network as ``spec``, with an equal key.

        Returns:
            Every parameter; inactive ones have their first value.

        Raises:
            InvalidInput: The network is not in the space; or, with more than ``locating.SCAN_LIMIT``
                assignments, it has other field values there.
        """
        try:
            values = locate(spec, self._variables, self._base)
        except InvalidInput as error:
            raise InvalidInput(f"space {self.definition.name}: not in it: {error}") from None
        params: dict[str, Any] = {one.parameter: one.domain.first for one in self._alternatives()}
        for variable in self._variables:
            alternative = variable.in_force(values)
            if alternative is not None:
                params[alternative.parameter] = alternative.domain.encode(values[variable.path])
        return params

    def sample(self, rng: random.Random) -> ArchSpec:
        """A random network; each parameter is uniform, which is not uniform over networks."""
        return self.from_params(
            {one.parameter: one.domain.draw(rng) for one in self._alternatives()}
        )

    def neighbours(self, spec: ArchSpec, rng: random.Random, tries: int) -> Iterator[ArchSpec]:
        """Networks that differ from ``spec`` in one choice, every third time in two, drawn at random.

        Choices that only become active with it are drawn as well.

        Args:
            spec: A network of the space.
            rng: Draws.
            tries: So many are drawn; what is ``spec`` again is left out.

        Raises:
            InvalidInput: As ``to_params`` does.
        """
        values = locate(spec, self._variables, self._base)
        active = [
            (variable.path, one)
            for variable in self._variables
            if (one := variable.in_force(values)) is not None
        ]
        own = {one.parameter: one.domain.encode(values[path]) for path, one in active}
        for number in range(tries if active else 0):
            params = {one.parameter: one.domain.draw(rng) for one in self._alternatives()} | own
            for _, one in rng.sample(active, min(len(active), 2 if number % 3 == 2 else 1)):
                params[one.parameter] = one.domain.draw(rng)
            near = self.from_params(params)
            if near.key != spec.key:
                yield near

    def size(self) -> int | None:
        """Number of assignments of the active parameters; None with a continuous range.

        It is at least the number of networks: different assignments may be the same network.
        """
        try:
            return count(self._variables, self._base)
        except InvalidInput:
            return None

    def enumerate(self) -> Iterator[ArchSpec]:
        """Every network once, always in the same order.

        Raises:
            InvalidInput: The space has a continuous range.
        """
        # Counted here, so that the call raises the error, and not a later step of the iteration.
        count(self._variables, self._base)
        return self._networks()

    def covering(self) -> Iterator[ArchSpec]:
        """Networks in which each stage has every unit that it can have, with every width, stride, ...

        A stage-wise space has few units in many combinations: what is true of each unit alone, such as
        its latency, is known from these networks. The choices of one stage, or of stages that depend on
        each other, are visited while the other stages have their first. Other spaces are enumerated.

        Raises:
            InvalidInput: The space has a continuous range.
        """
        count(self._variables, self._base)  # raises here, not in a later step
        return self._covering()

    def covering_size(self) -> int:
        """How many assignments ``covering`` visits.

        Raises:
            InvalidInput: The space has a continuous range.
        """
        others, staged = self._staged()
        each = sum(count(group, self._base) for group in staged) if staged else 1
        return count(others, self._base) * each

    def _staged(self) -> tuple[list[Variable], list[list[Variable]]]:
        """The variables of the whole network, and those of each stage, which depend on no others."""
        groups = independent(self._variables)
        staged = [group for group in groups if all(one.field.stage is not None for one in group)]
        return [one for group in groups if group not in staged for one in group], staged

    def _covering(self) -> Iterator[ArchSpec]:
        others, staged = self._staged()
        seen: set[str] = set()
        for values in walk(others, self._base):
            firsts = dict(values)
            for variable in (one for group in staged for one in group):
                firsts[variable.path] = variable.options(firsts)[0]
            for group in staged or [[]]:
                start = {**firsts, **{one.path: values[one.path] for one in group}}
                for assigned in walk(group, start):
                    spec = assemble(assigned)
                    if spec.key not in seen:
                        seen.add(spec.key)
                        yield spec

    def _networks(self) -> Iterator[ArchSpec]:
        seen: set[str] = set()
        for values in walk(self._variables, self._base):
            spec = assemble(values)
            if spec.key not in seen:
                seen.add(spec.key)
                yield spec

    def _alternatives(self) -> list[Alternative]:
        """All parameters, in the order of the definition."""
        return [one for v in self.definition.vary.values() for one in v.alternatives]
