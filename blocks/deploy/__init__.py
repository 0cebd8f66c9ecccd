"""Rewrites networks for inference: the same functions in fewer and faster operations."""

from __future__ import annotations

from blocks.deploy.form import Form
from blocks.deploy.fuse import fuse
from blocks.deploy.merged import MergedSelectiveKernel
from blocks.deploy.selective_kernel import FusedSelectiveKernel

__all__ = ["Form", "FusedSelectiveKernel", "MergedSelectiveKernel", "fuse"]
