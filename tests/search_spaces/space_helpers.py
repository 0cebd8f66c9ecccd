"""What the tests of spaces share: a space with every kind of entry, and Optuna's draws."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from blocks.yaml_files import parse
from search_spaces import SearchSpace, SpaceDefinition

SMALL = {"num_classes": 10, "in_channels": 1, "input_size": 16}

MIXED = """
name: mixed
about: Every kind of entry.
fixed:
  unit: {kind: sk}
vary:
  unit.dilations:
    - {choice: [[1], [1, 2], [1, 5]], when: {unit.kernel: [dilated]}}
    - {choice: [[1, 1], [1, 2]], when: {unit.kernel: [real], width: 0.5}}
    - {choice: [[3, 1]], when: {stem_stride: 1}}
  unit.kernel: {choice: [dilated, real]}
  backbone: {choice: [shufflenet_v2, mobilenet_v3_small]}
  width: {float: [0.5, 1.0], step: 0.5}
  unit.group_width: {int: [1, 7]}
  unit.reduction: {int: [2, 16], log: true, when: {unit.group_width: {min: 2, max: 4}}}
  unit.min_dim: {int: [8, 32], step: 8, when: {unit.reduction: {min: 3, none_of: [5]}}}
  unit.stages.4.kind: {choice: [none, se]}
  unit.stages.4.reduction: {choice: [2, 4], when: {unit.stages.4.kind: se}}
  unit.stages.3.group_width: {choice: [2, 4], when: {backbone: shufflenet_v2}}
"""


def define(text: str) -> SpaceDefinition:
    """A definition from YAML text; errors name the file ``my.yaml``."""
    return parse(SpaceDefinition, yaml.safe_load(text), "my.yaml")


def space_of(text: str, **data: int) -> SearchSpace:
    """A space from YAML text, bound to 16-pixel images unless ``data`` says otherwise."""
    return SearchSpace(define(text)).bind(**{**SMALL, **data})


def params_of(space: SearchSpace) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters drawn from Optuna's distributions, without any code of the package."""
    return st.fixed_dictionaries(
        {name: _values(distribution) for name, distribution in space.distributions().items()}
    )


def _values(distribution: object) -> st.SearchStrategy[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return st.sampled_from(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return st.floats(distribution.low, distribution.high)
    low, step = distribution.low, distribution.step
    steps = round((distribution.high - low) / step)
    return st.integers(0, steps).map(lambda index: low + index * step)
