"""What drivers keep over a power cut goes back to whom it came from."""

from agent.carried import PART, Carried


class Driver:
    def __init__(self, key, carried):
        self.carried_key = key
        self.carried = carried


class Meter:
    def __init__(self, name, driver):
        self.name = name
        self.driver = driver


def _meters(*rows):
    return [Meter(name, Driver(key, value)) for name, key, value in rows]


def test_numbers_come_back_by_name_and_key():
    meters = _meters(("water", "1", 5), ("gas", "2", 1 << 63))
    meters.append(Meter("bus", object()))
    part, data, start, end = Carried(meters).part()
    assert (part, start, end, len(data)) == (PART, 0, 24, 24) and PART == 255
    others = _meters(("gas", "2", 0), ("heat", "1", 7), ("water", "2", 8), ("water", "1", 9))
    Carried(others).restore(data)
    assert [m.driver.carried for m in others] == [1 << 63, 7, 8, 5]


def test_half_a_row_is_none_and_nobody_keeps_nothing():
    meters = _meters(("water", "1", 5))
    data = bytes(Carried(meters).part()[1])
    meters[0].driver.carried = 0
    carried = Carried(meters)
    carried.restore(data[:11])
    assert meters[0].driver.carried == 0
    carried.restore(data)
    assert meters[0].driver.carried == 5
    carried.restore(b"")
    assert Carried([Meter("bus", object())]).part() is None
