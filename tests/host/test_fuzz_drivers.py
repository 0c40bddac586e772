"""A short fuzz of every driver; `make fuzz SECONDS=3600` is the long one."""

import pytest

from tests import fuzz
from tests.vectors.frames import FRAMES

_SECONDS = 2.0


@pytest.mark.parametrize("protocol", sorted(FRAMES))
def test_nonsense_gives_only_the_four_errors(protocol):
    total = 0
    for fed, wrong, calls, made in fuzz.run(protocol, 1, _SECONDS):
        assert not wrong, (wrong, made, calls)
        total += fed
    assert total > 20_000


def test_a_driver_that_fails_is_caught(mocker):
    mocker.patch("drivers.level.Level._emit", side_effect=IndexError("seeded"))
    found = [wrong for _, wrong, _, _ in fuzz.run("level", 1, 0.3) if wrong]
    assert "IndexError: seeded" in found


def test_a_buffer_that_grows_is_seen():
    class Grows:
        def __init__(self):
            self.kept = bytearray(4)

    Grows.__module__ = "drivers.grows"
    thing = Grows()
    before = fuzz.buffers(thing)
    thing.kept.extend(b"1234")
    assert fuzz.buffers(thing) > before
