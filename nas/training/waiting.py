"""How the threads of a training wait for each other.

By default GNU OpenMP, which torch uses on Linux, lets a thread that has finished its part spin. On a
machine that runs other programs the spinning thread takes the core that the last one needs. Waiting
passively leaves it.
"""

from __future__ import annotations

import os

POLICY = "OMP_WAIT_POLICY"
CHOICES = (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables by which a person may have chosen already."""


def passive_waiting() -> dict[str, str]:
    """The environment variable to add; none where a person has chosen.

    It has an effect on processes that have not imported torch yet.
    """
    return {} if any(name in os.environ for name in CHOICES) else {POLICY: "passive"}
