"""Checks this machine, and estimates the cost of a search on it.

This file imports nothing, so that probes start quickly in their own processes.
"""
