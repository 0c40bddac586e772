"""Say at the end of a run what tests have measured: record_property("measured", text)."""

import signal

# What a shell runs in the background ignores Ctrl-C, and so do its children, which tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    """Print each such text once, whichever worker ran the test."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for report in reports:
        for name, text in getattr(report, "user_properties", ()):
            if name == "measured" and report.when == "call":
                terminalreporter.write_line(f"MEASURED {text}")
