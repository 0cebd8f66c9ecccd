"""SearchSpace: the networks a definition spans, and their way to and from Optuna."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from blocks import ArchSpec, InvalidInput
from search_spaces.assembly import assemble, base_values, check_buildable
from search_spaces.assignments import count, walk
from search_spaces.definition import SpaceDefinition
from search_spaces.locating import locate
from search_spaces.variables import Alternative

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class SearchSpace:
    """All networks that a definition allows.

    Unbound, it is for ArchSpec's defaults (ImageNet); ``bind`` gives it the data set's figures.

    Args:
        definition: What is fixed and what varies.
        data: What the data set decides (of fields.DATA_FIELDS); ``bind`` is the usual way to give it.

    Raises:
        InvalidInput: Some assignment names a network that does not exist (a width the backbone does not
            come in, a stage it does not have), or the data contradicts what is fixed.
    """

    def __init__(self, definition: SpaceDefinition, data: Mapping[str, int] | None = None) -> None:
        self.definition = definition
        self._variables = definition.order
        self._base = base_values(self._variables, definition.fixed, dict(data or {}))
        check_buildable(self._variables, self._base)

    def bind(self, *, num_classes: int, in_channels: int, input_size: int) -> SearchSpace:
        """The same space for the images of a data set.

        Unless the space fixes or varies ``stem_stride``, it is 1 for images of up to SMALL_INPUT pixels
        and 2 above.

        Args:
            num_classes: Outputs of the classifier.
            in_channels: Channels of an image.
            input_size: Side of an image, in pixels.

        Raises:
            InvalidInput: A figure is impossible, or the space fixes another.
        """
        data = {
            "num_classes": num_classes,
            "in_channels": in_channels,
            "input_size": input_size,
        }
        return SearchSpace(self.definition, data)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Every parameter, in force or not, so that samplers without conditions work too."""
        return {one.parameter: one.domain.distribution for one in self._alternatives()}

    def from_params(self, params: Mapping[str, Any]) -> ArchSpec:
        """The network that Optuna's parameters name.

        Parameters not in force are ignored, as are names the space does not know. A group width that
        does not divide the channels is lowered to the next that does.

        Raises:
            InvalidInput: A parameter in force is missing or none of the space's.
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
        """Parameters that name the same network as ``spec``: one with an equal key.

        Returns:
            Every parameter; those not in force have their first value.

        Raises:
            InvalidInput: The network is not in the space. In a space of more than
                ``locating.SCAN_LIMIT`` assignments: or it is there under other values than ``spec``'s.
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
        """A network, each parameter drawn on its own: uniform over parameters, not over networks."""
        return self.from_params(
            {one.parameter: one.domain.draw(rng) for one in self._alternatives()}
        )

    def size(self) -> int | None:
        """Assignments of the parameters in force; None when a range without step makes them endless.

        At least the number of networks: different assignments may come to the same one.
        """
        try:
            return count(self._variables, self._base)
        except InvalidInput:
            return None

    def enumerate(self) -> Iterator[ArchSpec]:
        """Every network once, always in the same order.

        Raises:
            InvalidInput: The space is endless.
        """
        # Counted here, so that the error comes with the call and not after some networks.
        count(self._variables, self._base)
        return self._networks()

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
