"""Resolution and deadband: exact, in order, and never a gap."""

from agent.config import validate
from agent.thin import Thin, lay_out, row_problem
from drivers.reading import (
    COUNTER,
    GAUGE,
    GOOD,
    IMPLAUSIBLE,
    NO_REPLY,
    STATE,
    VALUE_MAX,
    VALUE_MIN,
    Point,
)
from drivers.ticks import ticks_add

POINTS = (
    Point("energy", "Wh", 0, COUNTER, 1),
    Point("voltage", "V", -1, GAUGE, 2),
    Point("relay", "", 0, STATE, 3),
    Point("power", "W", 0, GAUGE, 4),
)
ALL_GOOD = bytes(4)
ORDERED = [VALUE_MIN, VALUE_MIN + 1, -4097, -5, -1, 0, 1, 5, 4097, 1 << 30, 1 << 31]
ORDERED += [(1 << 63) - 1, 1 << 63, VALUE_MAX - 1, VALUE_MAX]


def _row(points=(), resolution="", deadband="", silence_s=900):
    return {
        "points": list(points),
        "resolution": resolution,
        "deadband": deadband,
        "silence_s": silence_s,
    }


def _thin(*rows):
    for row in rows:
        assert row_problem(row, 60) is None
    return Thin(POINTS, rows)


def _told(*rows):
    return [path for path, _ in lay_out(POINTS, rows)[1]]


def test_gauges_go_to_the_nearest_and_counters_down():
    thin = _thin(_row(["energy"], "25"), _row(["voltage"], "0.5"))
    counted = [(0, 0), (24, 0), (25, 25), (26, 25), (49, 25), (-1, -25)]
    assert [thin.coarse(0, value) for value, _ in counted] == [want for _, want in counted]
    read = [(2, 0), (3, 5), (7, 5), (8, 10), (-2, 0), (-3, -5), (-7, -5), (-8, -10)]
    assert [thin.coarse(1, value) for value, _ in read] == [want for _, want in read]
    assert thin.coarse(3, 17) == 17 and thin.coarse(1, None) is None


def test_halves_go_away_from_zero():
    thin = _thin(_row(["power"], "4"))
    assert [thin.coarse(3, value) for value in (1, 2, 3, -1, -2, -3)] == [0, 4, 4, 0, -4, -4]


def test_zeros_at_the_end_go_into_the_exponent():
    thin = _thin(_row(["energy"], "1000"), _row(["voltage"], "5"), _row(["power"], "20"))
    assert [thin.exponent(i) for i in range(4)] == [3, 0, 0, 1]
    assert thin.coarse(0, 12345678) == 12345
    assert thin.coarse(1, 2312) == 230  # 231.2 V in steps of 5 V
    assert thin.coarse(3, 1234) == 124
    assert thin.told(1) == {"resolution": 5} and thin.told(3) == {"resolution": 2}
    assert thin.told(2) is None


def test_no_value_leaves_64_bits_and_no_two_change_places():
    for step in ("3", "7", "10", "4096"):
        thin = _thin(_row(["energy", "power"], step))
        for i in (0, 3):
            scale = int(step) if step != "10" else 1
            last = None
            for value in ORDERED:
                found = thin.coarse(i, value)
                assert VALUE_MIN <= found <= VALUE_MAX
                assert last is None or found >= last, (step, value)
                assert found % scale == 0
                last = found


def test_a_counter_never_steps_back_and_never_shows_more_than_was_counted():
    thin = _thin(_row(["energy"], "50", "100"))
    total, last, tick, shown = 1 << 62, 0, 0, [0, 0, 0, 0]
    for i in range(400):
        total += (i * 7919) % 61
        tick = ticks_add(tick, 60000)
        shown = [thin.coarse(0, total), 0, 0, 0]
        thin.hold(shown, ALL_GOOD, tick)
        assert last <= shown[0] and shown[0] * 10 <= total
        last = shown[0]
    assert total - last * 10 <= 150


def _series(thin, values, quality=GOOD, step_ms=60000, tick=0):
    out = []
    for value in values:
        row = [None, value, None, None]
        thin.hold(row, bytes((GOOD, quality, GOOD, GOOD)), tick)
        tick = ticks_add(tick, step_ms)
        out.append(row[1])
    return out


def test_a_value_within_the_deadband_repeats_the_last_one_reported():
    thin = _thin(_row(["voltage"], "", "0.5"))
    found = _series(thin, (2300, 2305, 2295, 2306, 2302, 2301, 2300))
    assert found == [2300, 2300, 2300, 2306, 2306, 2306, 2300]
    assert thin.told(1) == {"resolution": 1, "deadband": 5, "silence_s": 900}


def test_a_deadband_between_two_steps_is_exact():
    thin = _thin(_row(["voltage"], "", "0.25"))
    assert _series(thin, (2300, 2302, 2303)) == [2300, 2300, 2303]
    coarse = _thin(_row(["voltage"], "1", "2.5"))
    assert _series(coarse, (230, 232, 233)) == [230, 230, 233]


def test_after_the_silence_a_value_is_reported_as_it_is():
    thin = _thin(_row(["voltage"], "", "1", 300))
    for tick in (0, (1 << 30) - 90000):  # ticks wrap
        assert _series(thin, [2300] + [2301] * 7, GOOD, 60000, tick)[:7] == [2300] * 5 + [2301] * 2
        thin = _thin(_row(["voltage"], "", "1", 300))


def test_what_follows_a_gap_or_is_not_believed_is_reported_as_it_is():
    thin = _thin(_row(["voltage"], "", "1"))
    assert _series(thin, (2300, 2304)) == [2300, 2300]
    assert _series(thin, (None,), NO_REPLY) == [None]
    assert _series(thin, (2304,)) == [2304]
    assert _series(thin, (2306,), IMPLAUSIBLE) == [2306]
    assert _series(thin, (2307, 2308)) == [2307, 2307]


def test_a_row_without_points_is_for_all_that_no_other_names():
    thin = _thin(_row(["voltage"], "1"), _row((), "", "0"))
    assert [thin.told(i) for i in (0, 2, 3)] == [
        {"resolution": 1, "deadband": 0, "silence_s": 900}
    ] * 3
    assert thin.told(1) == {"resolution": 1} and thin.exponent(1) == 0


def test_what_the_points_do_not_allow_is_told_with_its_place():
    assert _told(_row(["energy"], "0.5")) == ["[0].resolution"]
    assert _told(_row(["voltage"], "0.25")) == ["[0].resolution"]
    assert _told(_row(["relay"], "2")) == ["[0].resolution"]
    assert _told(_row(["relay"], "", "1")) == ["[0].deadband"]
    assert _told(_row(["relay"], "", "0")) == []
    assert _told(_row(["energy", "watt"], "5"), _row(["energy"], "5")) == [
        "[0].points[1]",
        "[1].points[0]",
    ]
    assert _told(_row((), "", "0"), _row((), "", "0")) == ["[1].points"]
    try:
        Thin(POINTS, [_row(["watt"], "5")])
    except ValueError as error:
        assert str(error) == "thin[0].points[0]: this meter keeps no point watt"
    else:
        raise AssertionError("taken")


def test_a_wrong_row_is_a_problem_of_the_configuration():
    tree = {
        "gateway": "gw",
        "board": "host",
        "ports": [{"name": "p", "uart": "uart1"}],
        "meters": [
            {"name": "m", "port": "p", "protocol": "modbus", "map": "sdm120", "interval_s": 60}
        ],
    }
    for row, path in (
        ({"resolution": "0.5"}, ""),
        ({"deadband": "0"}, ""),
        ({"resolution": "0"}, "resolution"),
        ({"resolution": "-1"}, "resolution"),
        ({"resolution": "1e3"}, "resolution"),
        ({"resolution": "1."}, "resolution"),
        ({"resolution": ".5"}, "resolution"),
        ({"resolution": "1" * 19}, "resolution"),
        ({"resolution": 0.5}, "resolution"),
        ({"deadband": "\xb2"}, "deadband"),
        ({"deadband": "1", "silence_s": 60}, "silence_s"),
        ({"deadband": "1", "silence_s": 86401}, "silence_s"),
        ({"points": ["x"]}, "resolution"),
        ({"resolution": "1", "band": 1}, "band"),
    ):
        tree["meters"][0]["thin"] = [row]
        problems = validate(tree)[1]
        assert [p.split(":")[0] for p in problems] == (
            ["meters[0].thin[0]." + path] if path else []
        ), row
    tree["meters"][0]["thin"] = [7]
    assert validate(tree)[1] == ["meters[0].thin[0]: is not a mapping of keys to values"]
