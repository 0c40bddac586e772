"""How a portable test says that it cannot run here, counted by both runners."""

try:
    import pytest

    def skip(why):
        """End this test as skipped, with its reason."""
        pytest.skip(why)

except ImportError:

    class Skip(Exception):
        """Raised by skip() on MicroPython, counted by tests/micropython_runner.py."""

    def skip(why):
        """End this test as skipped, with its reason."""
        raise Skip(why)
