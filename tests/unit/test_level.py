"""Distance sensors: binary and text frames, blind zones, and how full a container is."""

from drivers import load_map
from drivers.level import Level
from drivers.reading import GOOD, UNAVAILABLE
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_GOOD = bytes((0xFF, 0x07, 0xA1, 0xA7))  # 1953 mm


def _a02(**options):
    return Level(load_map("a02yyuw"), options)


def test_a_frame_gives_its_distance():
    row = Collected(_a02()).feed(_GOOD).rows[0]
    assert row[0][:5] == ("distance", 1953, -3, "m", GOOD) and len(row) == 1
    assert Collected(Level(None, {})).feed(_GOOD).rows[0][0][1] == 1953


def test_any_cut_and_garbage_between_give_the_same():
    data = _GOOD + b"\x00\x12" + _GOOD + _GOOD
    for whole, cut in ways_to_cut(_a02, data):
        assert len(whole) == 3 and cut == whole


def test_each_flipped_bit_costs_at_most_its_frame():
    for at in range(4):
        for bit in range(8):
            damaged = bytearray(_GOOD + _GOOD + _GOOD + _GOOD)
            damaged[4 + at] ^= 1 << bit
            got = Collected(_a02()).feed(damaged)
            values = [row[0][1] for row in got.rows]
            assert values and set(values) == {1953}, (at, bit, values)
            assert len(values) >= 2


def test_a_head_inside_a_damaged_frame_is_found():
    got = Collected(_a02()).feed(b"\xff\x07" + _GOOD)
    assert [row[0][1] for row in got.rows] == [1953] and len(got.errors) == 1


def test_the_blind_zone_is_no_distance():
    for count, quality in ((29, UNAVAILABLE), (30, GOOD), (0, UNAVAILABLE)):
        data = bytes((0xFF, 0, count, 0xFF + count & 0xFF))
        cell = Collected(_a02()).feed(data).rows[0][0]
        assert cell[4] == quality and (cell[1] is None) == (quality == UNAVAILABLE)
    data = bytes((0xFF, 1, 0x17, 0x17))  # 279 mm
    assert Collected(Level(load_map("a01nyub"), {})).feed(data).rows[0][0][1] is None


def test_the_same_frame_is_centimetres_elsewhere():
    driver = Level(load_map("sen0627"), {})
    row = Collected(driver).feed(bytes((0xFF, 1, 0xA1, 0xA1))).rows[0][0]
    assert row[1:4] == (417, -2, "m")


def test_text_sensors_speak_millimetres_centimetres_or_inches():
    for name, data, value, exponent in (
        ("maxbotix_hrxl", b"R1234\r", 1234, -3),
        ("maxbotix_hrxl", b"R5000\r", None, -3),
        ("maxbotix_xl", b"R056\r", 56, -2),
        ("maxbotix_lv", b"R121\r", 3073, -3),  # 3073.4 mm
    ):
        cell = Collected(Level(load_map(name), {})).feed(b"4\r" + data).rows[0][0]
        assert cell[1:3] == (value, exponent), name
    got = Collected(Level(load_map("maxbotix_hrxl"), {})).feed(b"R12\rR12R1234\rR1x34\rR1234567\r")
    assert [row[0][1] for row in got.rows] == [1234] and len(got.errors) == 4


def test_a_desk_takes_either_frame():
    got = Collected(Level(None, {})).feed(_GOOD + b"R1234\r" + b"R121\r" + _GOOD)
    assert [row[0][1:4] for row in got.rows] == [
        (1953, -3, "m"),
        (1234, -3, "m"),
        (121, 0, ""),  # inches or centimetres: the digits do not say
        (1953, -3, "m"),
    ]
    for whole, cut in ways_to_cut(lambda: Level(None, {}), _GOOD + b"R1234\r" + _GOOD):
        assert whole == cut and len(whole) == 3
    got = Collected(Level(None, {"frame": "R", "step_um": 25400})).feed(b"R121\r")
    assert got.rows[0][0][1:4] == (3073, -3, "m")


def test_depth_becomes_a_share():
    driver = _a02(empty_mm=1653, full_mm=153)
    assert [p.name for p in driver.points] == ["distance", "level"]
    for mm, level in ((1653, 0), (153, 1000), (100, 1000), (2000, 0), (903, 500), (902, 501)):
        data = bytes((0xFF, mm >> 8, mm & 255, 0xFF + (mm >> 8) + mm & 255))
        row = Collected(driver).feed(data).rows[0]
        assert (row[0][1], row[1][1]) == (mm, level)


def test_silence_inside_a_frame_is_told():
    got = Collected(_a02()).feed(_GOOD[:2]).silence()
    assert len(got.errors) == 1
    assert not Collected(_a02()).feed(_GOOD).silence().errors


def test_what_cannot_be_is_said_in_words():
    for options in ({"points": ("level",)}, {"points": ("x",)}, {"empty_mm": 5, "full_mm": 9}):
        try:
            _a02(**options)
        except ValueError as error:
            assert str(error)
        else:
            raise AssertionError("accepted")


def test_the_byte_path_allocates_nothing():
    try:
        from micropython import heap_lock, heap_unlock
    except ImportError:
        return
    driver = _a02(empty_mm=1653, full_mm=153)

    def emit(reading):
        pass

    driver.feed(_GOOD, 0, 4, 0, emit)
    heap_lock()
    try:
        driver.feed(_GOOD, 0, 4, 0, emit)
    finally:
        heap_unlock()
