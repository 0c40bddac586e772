"""A sample of nonsense for the Modbus driver on both runtimes; fuzz.py feeds ten million bytes."""

from drivers import load_map
from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame, Refused
from drivers.modbus import Modbus
from drivers.reading import NO_REPLY, VALUE_MAX, VALUE_MIN

_BYTES = 150_000
_MADE = (
    ("sdm120", {"unit": 1}),
    ("sdm120", {"unit": 1, "transport": "tcp"}),
    ("sunspec_103", {"unit": 1}),
    ("contacts8", {"unit": 1, "echo": True}),
)


class Chance:
    """The same numbers on both runtimes (xorshift, 32 bits)."""

    def __init__(self, seed):
        self._state = seed

    def below(self, n):
        x = self._state
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        self._state = x
        return (x >> 3) % n


def _answer(out, chance, is_tcp):
    """Return what the request in `out` asks for, or an exception, or nearly that."""
    at = 6 if is_tcp else 0
    count = (out[at + 4] << 8) | out[at + 5]
    pdu = bytearray(out[at : at + 2])
    what = chance.below(12)
    if what < 2:
        pdu[1] |= 0x80
        pdu.append(chance.below(13))
    else:
        size = (count + 7) // 8 if pdu[1] <= 2 else 2 * count
        pdu.append(size)
        if count == 2 and what & 1:
            pdu += (b"SunS", b"\x00\x67\x00\x32")[chance.below(2)]
        else:
            for _ in range(size):
                pdu.append(chance.below(256))
    if what == 11:
        pdu[chance.below(len(pdu))] = chance.below(256)
    if is_tcp:
        return bytes(out[:4]) + bytes((0, len(pdu))) + bytes(pdu)
    crc = crc16_modbus(pdu, 0, len(pdu))
    return bytes(pdu) + bytes((crc & 0xFF, crc >> 8))


def _feed(driver, data, emit):
    """Feed it all, as the bus does; only the errors of the contract may come, and each goes on."""
    at = 0
    first = True
    while first or at < len(data):
        first = False
        try:
            at = driver.feed(data, at, len(data), 0, emit)
        except (BadFrame, Refused) as error:
            assert at < error.resume <= len(data) or not data
            at = error.resume


def test_nonsense_and_near_answers_give_only_the_four_errors():
    chance = Chance(2463534242)
    counts = [0, 0]

    def emit(reading):
        counts[0] += 1
        for i in range(len(reading.values)):
            value = reading.values[i]
            assert (value is None) == (reading.quality[i] != 0)
            if isinstance(value, int):
                assert VALUE_MIN <= value <= VALUE_MAX
                counts[1] += 1

    fed = 0
    out = bytearray(300)
    while fed < _BYTES:
        name, options = _MADE[chance.below(len(_MADE))]
        driver = Modbus(load_map(name), options)
        for _ in range(40):
            what = chance.below(16)
            if what < 9:
                if not driver.request(out):
                    continue
                assert out[7 if "transport" in options else 1] in (1, 2, 3, 4), "polling writes"
                data = _answer(out, chance, "transport" in options)
            elif what == 9:
                data = bytes(out[:8])
            elif what == 10:
                driver.give_up(emit, NO_REPLY)
                continue
            elif what == 11:
                data = b""
            else:
                data = bytes([chance.below(256) for _ in range(chance.below(200))])
            _feed(driver, data, emit)
            fed += len(data)
        assert len(driver._steps) == len(driver._known) <= len(driver.plan.items)
        driver.reset()
    assert counts[0] > 300 and counts[1] > 2000, counts
