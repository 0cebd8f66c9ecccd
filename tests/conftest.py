"""What every test shares."""

from __future__ import annotations

import os

import torch
from hypothesis import HealthCheck, settings

# Two cores are shared with training processes that tests start; time limits of examples would only
# measure the load of the machine.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("default")

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
