"""Benchmarks. Importing host_tools puts the stand-in for `micropython` on the path."""

import host_tools  # noqa: F401
