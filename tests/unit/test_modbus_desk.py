"""A recording of a Modbus line at a desk: both sides of the talk, at any split, with damage."""

from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame
from drivers.modbus import Modbus
from drivers.reading import GAUGE, STATE


def rtu(text):
    """Return a frame of these hexadecimal digits with its CRC."""
    body = bytes.fromhex(text.replace(" ", ""))
    crc = crc16_modbus(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def tcp(number, text):
    """Return that frame behind an MBAP header."""
    body = bytes.fromhex(text.replace(" ", ""))
    return bytes((number >> 8, number & 0xFF, 0, 0, 0, len(body))) + body


def listen(data, step=0):
    """Feed a recording, then a silence; return (readings, bytes that are no frame)."""
    driver = Modbus(None, {})
    found = []

    def emit(reading):
        points = [(p.name, p.unit, p.exponent, p.kind, p.code) for p in reading.points]
        found.append((points, list(reading.values), reading.at_ms))

    step = step or max(1, len(data))
    for at in range(0, len(data), step):
        driver.feed(data, at, min(at + step, len(data)), 7, emit)
    try:
        driver.feed(b"", 0, 0, 8, emit)
    except BadFrame as error:
        return found, int(str(error).split(" ")[0])
    return found, 0


def registers(function, address, *values):
    """Return the reading that these registers make."""
    names = ["fc%d:0x%04x" % (function, address + i) for i in range(len(values))]
    kind = STATE if function <= 2 else GAUGE
    return [(name, "", 0, kind, name) for name in names], list(values), 7


READ = rtu("01 03 0048 0002") + rtu("01 03 04 1234 ABCD")
BITS = rtu("11 01 0013 000A") + rtu("11 01 02 CD 02")
WRITES = rtu("01 06 0001 0003") * 2 + rtu("01 10 0001 0002 04 000A 0102") + rtu("01 10 0001 0002")
REFUSED = rtu("0A 04 0000 0001") + rtu("0A 84 02")
OVER_TCP = tcp(513, "01 04 0000 0001") + tcp(513, "01 04 02 00FF")
WHOLE = READ + WRITES + BITS + REFUSED + OVER_TCP
FOUND = [
    registers(3, 0x48, 0x1234, 0xABCD),
    registers(1, 0x13, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1),
    registers(4, 0, 0xFF),
]


def test_a_talk_gives_what_was_answered_at_any_split():
    for step in range(40):
        assert listen(WHOLE, step) == (FOUND, 0), step


def test_bytes_between_frames_cost_no_frame_and_are_counted():
    noise = b"\xff\x00\xee"
    for step in (1, 3, 0):
        assert listen(noise + READ + noise + BITS + OVER_TCP + noise, step) == (FOUND, 9)


def test_damage_costs_its_own_frame():
    for bit in range(8 * len(READ)):
        damaged = bytearray(READ)
        damaged[bit // 8] ^= 1 << bit % 8
        found, lost = listen(bytes(damaged) + BITS)
        found = [(points, values) for points, values, _ in found]
        assert FOUND[1][:2] in found and FOUND[0][:2] not in found, bit
        assert lost > 0


def test_an_answer_belongs_to_the_request_of_its_unit_function_and_number():
    answer = rtu("01 03 04 1234 ABCD")
    for other in (rtu("02 03 0048 0002"), rtu("01 04 0048 0002"), b""):
        assert listen(other + answer) == ([], 0)
    assert listen(tcp(1, "01 04 0000 0001") + tcp(2, "01 04 02 00FF")) == ([], 0)
    twice = rtu("01 03 0048 0002") + answer + answer
    assert listen(twice) == (FOUND[:1], 0), "one request, one answer"


def test_an_answer_of_another_length_shows_what_is_there():
    assert listen(rtu("01 03 0010 0005") + rtu("01 03 04 0001 0002")) == (
        [registers(3, 0x10, 1, 2)],
        0,
    )
    found, _ = listen(rtu("01 02 0010 0009") + rtu("01 02 01 81"))
    assert found == [registers(2, 0x10, 1, 0, 0, 0, 0, 0, 0, 1)]


def test_half_a_frame_at_a_silence_is_lost_and_the_next_one_is_not():
    for cut in range(1, len(READ)):
        driver = Modbus(None, {})
        found = []
        driver.feed(READ, 0, cut, 7, found.append)
        lost = 0
        try:
            driver.feed(b"", 0, 0, 8, found.append)
        except BadFrame as error:
            lost = int(str(error).split(" ")[0])
        assert lost == (cut - 8 if cut >= 8 else cut)
        driver.feed(READ, 0, len(READ), 9, found.append)
        assert len(found) == 1 and found[0].values == [0x1234, 0xABCD], cut


def test_a_long_stream_of_nonsense_does_not_fill_the_buffer():
    noise = bytes((7 * i * i + 3) & 0xFF for i in range(5000))
    found, lost = listen(noise + bytes(600) + READ)
    assert found[-1] == FOUND[0] and lost > 5000
