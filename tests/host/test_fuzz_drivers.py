"""A fuzz of every driver with some bytes; CI gives each ten million bytes by `make fuzz`."""

import pytest

from tests import fuzz
from tests.vectors.frames import FRAMES

_BYTES = 200_000  # for each driver


@pytest.mark.parametrize("protocol", sorted(FRAMES))
def test_nonsense_gives_only_the_four_errors(protocol):
    kinds = [0] * len(fuzz._MADE[protocol])
    for fed, wrong, calls, made in fuzz.run(protocol, 1, 60.0, _BYTES):
        assert not wrong, (wrong, made, calls)
        kinds[made] += fed
    assert sum(kinds) >= _BYTES and all(kinds)


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
