"""Say at the end of a run what tests have measured: record_property("measured", text)."""

import gc
import signal

import pytest

# What a shell runs in the background ignores Ctrl-C, and so do its children, which tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _small_heap():
    """Let gc.collect() look at what a test makes alone: a gateway calls it at every start.

    In a process that has run a thousand tests it takes half a second else.
    """
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter):
    """Print each such text once, whichever worker ran the test."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for report in reports:
        for name, text in getattr(report, "user_properties", ()):
            if name == "measured" and report.when == "call":
                terminalreporter.write_line(f"MEASURED {text}")
