"""A fuzz of every driver: ten million bytes each, or what 5 s allow; `make fuzz` does more."""

import time

import pytest

from tests import fuzz
from tests.vectors.frames import FRAMES

_SECONDS = 5.0  # of each driver but Modbus
_BYTES = 10_000_000  # of each driver, every run
_BUDGET_S = 60.0  # about 12 are needed where nothing else runs


@pytest.mark.slow
def test_ten_million_bytes_give_the_modbus_driver_only_the_four_errors(record_property):
    total = inputs = 0
    kinds = [0] * len(fuzz._MADE["modbus"])
    begun_s = time.monotonic()
    for fed, wrong, calls, made in fuzz.run("modbus", 3, _BUDGET_S, _BYTES):
        assert not wrong, (wrong, made, calls)
        total += fed
        kinds[made] += fed
        inputs += 1
    cut = "" if total >= _BYTES else f", cut by the budget of {_BUDGET_S:.0f} s"
    took_s = time.monotonic() - begun_s
    said = f"{total:,} of {_BYTES:,} bytes in {inputs:,} inputs, {took_s:.0f} s{cut}"
    record_property("measured", f"Modbus fuzz: {said}")
    assert min(kinds) > total / 20, kinds
    assert total > 1_000_000, said


@pytest.mark.parametrize("protocol", sorted(set(FRAMES) - {"modbus"}))
def test_nonsense_gives_only_the_four_errors(protocol, record_property):
    total = 0
    kinds = [0] * len(fuzz._MADE[protocol])
    for fed, wrong, calls, made in fuzz.run(protocol, 1, _SECONDS, _BYTES):
        assert not wrong, (wrong, made, calls)
        total += fed
        kinds[made] += fed
    cut = "" if total >= _BYTES else f", cut by the budget of {_SECONDS:.0f} s"
    record_property("measured", f"{protocol} fuzz: {total:,} of {_BYTES:,} bytes{cut}")
    assert total > 50_000 and all(kinds)


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
