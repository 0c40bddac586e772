"""A simulated line takes the time of a real one, and damages bytes as a real one does."""

import asyncio
import os
import random
import time

import pytest

from host_tools.sim.lines import Line, LineSettings, Piece, misheard

_RTU = LineSettings(9600, 8, "N", 1)
_TIC = LineSettings(9600, 7, "E", 1)


async def _read(descriptor: int, count: int, seconds: float = 5.0) -> bytes:
    data = b""
    deadline = time.monotonic() + seconds
    os.set_blocking(descriptor, False)
    while len(data) < count and time.monotonic() < deadline:
        try:
            data += os.read(descriptor, count)
        except BlockingIOError:
            await asyncio.sleep(0.001)
    return data


def _over_a_line(settings, data, prepare=lambda line: None, count=None):
    """Send data from the meter's end; return (what the gateway read, seconds, pieces)."""
    pieces: list[Piece] = []

    async def run():
        line = Line("test", settings, pieces.append, seed=1)
        prepare(line)
        line.start(asyncio.get_running_loop())
        meter = os.open(line.meter_path, os.O_RDWR | os.O_NOCTTY)
        gateway = os.open(line.gateway_path, os.O_RDWR | os.O_NOCTTY)
        try:
            begun = time.monotonic()
            os.write(meter, data)
            got = await _read(gateway, len(data) if count is None else count)
            while not line.idle():
                await asyncio.sleep(0.001)
            return got, time.monotonic() - begun
        finally:
            os.close(meter)
            os.close(gateway)
            line.close()

    got, seconds = asyncio.run(run())
    return got, seconds, pieces


@pytest.mark.parametrize(
    ("settings", "bits"), [(_RTU, 10), (LineSettings(9600, 8, "E", 1), 11), (_TIC, 10)]
)
def test_bytes_take_their_time_on_the_wire(settings, bits):
    data = bytes(range(128)) * 2
    got, seconds, _ = _over_a_line(settings, data)
    assert got == data
    on_the_wire_s = len(data) * bits / 9600
    assert on_the_wire_s <= seconds < on_the_wire_s + 0.25


def test_the_tap_sees_every_byte_once_and_intact():
    data = os.urandom(200)
    _, _, pieces = _over_a_line(_RTU, data)
    assert b"".join(p.sent for p in pieces) == data
    assert all(p.intact and p.from_meter for p in pieces)


def test_garbled_bytes_are_marked_and_differ():
    data = bytes(300)
    got, _, pieces = _over_a_line(_RTU, data, lambda line: line.garble(30), count=250)
    assert got != data[: len(got)]
    assert any(not p.intact for p in pieces)


def test_a_gateway_without_power_hears_nothing():
    _, _, pieces = _over_a_line(_RTU, b"abc", lambda line: line.set_power(False), count=0)
    assert [p.arrived for p in pieces] == [None] * len(pieces)
    assert b"".join(p.sent for p in pieces) == b"abc"
    assert all(p.intact for p in pieces)


def test_a_gateway_with_another_rate_hears_noise():
    def wrong(line):
        line.gateway_settings = LineSettings(1200, 8, "N", 1)

    got, _, pieces = _over_a_line(_RTU, b"eclor" * 8, wrong, count=5)
    assert b"eclor" not in got
    assert not pieces[0].intact


def test_seven_bits_with_parity_heard_as_eight_carry_the_parity_in_bit_seven():
    heard = misheard(b"\x01\x03A", _TIC, _RTU, random.Random(1))
    assert heard == b"\x81\x03A"


def test_equal_settings_change_nothing():
    assert misheard(b"\x81\x03A", _RTU, _RTU, random.Random(1)) == b"\x81\x03A"
