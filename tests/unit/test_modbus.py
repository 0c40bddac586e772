"""The Modbus driver against scripted answers; the same file on both runtimes."""

import sys

import micropython

import drivers
from drivers import load_map
from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame, Refused
from drivers.modbus import Modbus
from drivers.reading import BAD_FRAME, GOOD, NO_REPLY, REFUSED
from tests.skips import skip

SMALL = {
    "protocol": "modbus",
    "maker": "none",
    "model": "none",
    "source": "this test",
    "points": (
        ("a", "V", -1, "gauge", 4, 0, "uint16", -1),
        ("b", "V", -1, "gauge", 4, 1, "uint16", -1),
        ("c", "V", -1, "gauge", 4, 5, "uint16", -1),
        ("d", "Wh", 0, "counter", 3, 100, "float32", 3),
    ),
}


def rtu(*body):
    """Return a frame: bytes, then their checksum."""
    frame = bytes(body)
    crc = crc16_modbus(frame, 0, len(frame))
    return frame + bytes((crc & 0xFF, crc >> 8))


def answer(unit, function, *registers):
    """Return the answer to a read of registers."""
    data = []
    for register in registers:
        data += [register >> 8, register & 0xFF]
    return rtu(unit, function, len(data), *data)


class Desk:
    """A driver, its output buffer, and the readings it gave."""

    def __init__(self, options=None, table=SMALL):
        self.driver = Modbus(table, options or {"unit": 1})
        self.out = bytearray(300)
        self.readings = []

    def emit(self, reading):
        self.readings.append((list(reading.values), bytes(reading.quality)))

    def ask(self):
        return bytes(self.out[: self.driver.request(self.out)])

    def feed(self, data):
        return self.driver.feed(data, 0, len(data), 0, self.emit)

    def silence(self):
        return self.driver.feed(b"", 0, 0, 0, self.emit)

    def refused(self, data):
        try:
            self.feed(data)
        except Refused as error:
            return error
        raise AssertionError("not refused")

    def bad(self, data):
        try:
            self.feed(data)
            self.silence()
        except BadFrame as error:
            return str(error)
        raise AssertionError("not a bad frame")


FC3 = answer(1, 3, 0x3F9D, 0xF3B6)  # 1.234 kWh
FC4 = answer(1, 4, 2300, 2310, 0, 0, 0, 2320)


def test_a_turn_asks_each_block_once_and_emits_one_reading():
    desk = Desk()
    assert desk.ask() == rtu(1, 3, 0, 100, 0, 2)
    assert desk.driver.waiting
    desk.feed(FC3)
    assert not desk.driver.waiting
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 6)
    desk.feed(FC4)
    assert desk.readings == [([2300, 2310, 2320, 1234], bytes(4))]
    assert desk.ask() == b""
    assert desk.ask() == rtu(1, 3, 0, 100, 0, 2)


def test_any_split_of_the_bytes_gives_the_same_reading():
    for size in range(1, 10):
        desk = Desk()
        for reply in (FC3, FC4):
            desk.ask()
            for at in range(0, len(reply), size):
                desk.feed(reply[at : at + size])
        assert desk.readings == [([2300, 2310, 2320, 1234], bytes(4))], size


def test_every_flipped_bit_is_a_bad_frame_and_the_retry_is_read():
    for at in range(len(FC3)):
        for bit in range(8):
            desk = Desk({"unit": 1, "points": ["d"]})
            desk.ask()
            broken = bytearray(FC3)
            broken[at] ^= 1 << bit
            try:
                desk.feed(bytes(broken))
                desk.silence()
            except (BadFrame, Refused):
                pass
            assert not desk.readings
            if desk.driver.waiting:
                desk.ask()
                desk.feed(FC3)
                assert desk.readings == [([1234], bytes(1))]


def test_noise_an_echo_and_a_foreign_answer_before_ours_cost_nothing():
    request = rtu(1, 3, 0, 100, 0, 2)
    for before in (b"\x00\xff\x01", request, request[:5], request[3:], answer(2, 3, 1, 2) * 3):
        for whole in (True, False):
            desk = Desk({"unit": 1, "points": ["d"]})
            desk.ask()
            if whole:
                desk.feed(before + FC3)
            else:
                for byte in before + FC3:
                    desk.feed(bytes([byte]))
            assert desk.readings == [([1234], bytes(1))], before


def test_a_foreign_answer_is_discarded_while_the_time_out_runs():
    desk = Desk({"unit": 1, "points": ["d"]})
    desk.ask()
    assert desk.bad(answer(2, 3, 1, 2)) == "answer of unit 2, expected 1"
    assert desk.driver.waiting
    desk.feed(FC3)
    assert desk.readings == [([1234], bytes(1))]


def test_an_answer_of_another_size_or_function_is_never_taken():
    desk = Desk({"unit": 1, "points": ["d"]})
    desk.ask()
    assert desk.bad(answer(1, 3, 1)) == "2 data bytes, expected 4"
    assert desk.bad(answer(1, 4, 1, 2)) == "answer to function 4, expected 3"
    assert desk.driver.waiting and not desk.readings


def test_an_answer_that_nobody_asked_for_is_counted_as_strays():
    desk = Desk()
    desk.feed(FC3)
    assert desk.driver.strays == len(FC3) and not desk.readings


def test_an_echo_is_silent_and_an_almost_echo_is_a_bad_frame():
    desk = Desk({"unit": 1, "points": ["d"]})
    request = desk.ask()
    desk.feed(request)
    desk.silence()
    desk.feed(FC3)
    assert len(desk.readings) == 1
    desk.ask()
    desk.ask()
    desk.bad(b"\x00" + request[1:])


def test_after_a_retry_the_next_request_waits_for_late_answers_to_die():
    desk = Desk()
    desk.ask()
    before = desk.driver.wait_ms
    desk.ask()  # the retry
    desk.feed(FC3)
    assert before == 0 and desk.driver.wait_ms >= desk.driver.reply_ms
    desk.feed(FC3)  # the late first answer
    assert desk.driver.strays == len(FC3)
    desk.ask()
    assert desk.driver.wait_ms == 0


def test_exception_two_splits_the_block_and_the_plan_is_remembered():
    desk = Desk({"unit": 1, "points": ["a", "b", "c"]})
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 6)
    error = desk.refused(rtu(1, 0x84, 2))
    assert error.code == 2 and not error.later
    for turn in range(2):
        assert desk.ask() == rtu(1, 4, 0, 0, 0, 2), turn
        desk.feed(answer(1, 4, 2300, 2310))
        assert desk.ask() == rtu(1, 4, 0, 5, 0, 1)
        desk.feed(answer(1, 4, 2320))
        assert desk.readings[turn] == ([2300, 2310, 2320], bytes(3))
        assert desk.ask() == b""


def test_a_point_refused_alone_is_marked_and_not_asked_again():
    desk = Desk({"unit": 1, "points": ["c", "d"]})
    desk.ask()
    desk.feed(FC3)
    desk.ask()
    assert "0x0005" in str(desk.refused(rtu(1, 0x84, 2)))
    assert desk.readings == [([None, 1234], bytes((REFUSED, GOOD)))]
    assert desk.ask() == b""
    desk.ask()
    desk.feed(FC3)
    assert desk.readings[1] == ([None, 1234], bytes((REFUSED, GOOD)))
    assert desk.ask() == b""


def test_exception_one_refuses_every_point_of_the_function():
    table = dict(SMALL)
    table["gap"] = 0
    desk = Desk({"unit": 1}, table)
    desk.ask()
    desk.feed(FC3)
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 2)
    desk.refused(rtu(1, 0x84, 1))
    assert desk.readings == [([None, None, None, 1234], bytes((REFUSED,) * 3 + (GOOD,)))]


def test_busy_and_gateway_exceptions_mean_later_and_change_no_plan():
    for code in (5, 6, 10, 11):
        desk = Desk({"unit": 1, "points": ["a", "b", "c"]})
        request = desk.ask()
        assert desk.refused(rtu(1, 0x84, code)).later
        assert desk.ask() == request
        assert desk.refused(rtu(1, 0x84, code)).later
        desk.driver.give_up(desk.emit, NO_REPLY)
        assert desk.ask() == request


def test_giving_up_keeps_what_came_and_marks_the_rest():
    desk = Desk()
    desk.ask()
    desk.feed(FC3)
    desk.ask()
    desk.driver.give_up(desk.emit, NO_REPLY)
    assert desk.readings == [([None, None, None, 1234], bytes((NO_REPLY,) * 3 + (GOOD,)))]


def test_half_an_answer_is_a_bad_frame_not_a_silent_meter():
    desk = Desk({"unit": 1, "points": ["d"]})
    desk.ask()
    desk.feed(FC3[:6])
    desk.silence()
    desk.driver.give_up(desk.emit, NO_REPLY)
    assert desk.readings == [([None], bytes((BAD_FRAME,)))]


def test_a_block_met_with_silence_is_split_when_the_meter_is_alive():
    desk = Desk()
    desk.ask()
    desk.feed(FC3)
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 6)
    desk.driver.give_up(desk.emit, NO_REPLY)
    desk.ask()
    desk.feed(FC3)
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 2)
    desk.feed(answer(1, 4, 2300, 2310))
    assert desk.ask() == rtu(1, 4, 0, 5, 0, 1)


def test_a_dead_meter_keeps_its_plan_and_a_probe_tells_it_from_a_block_too_big():
    desk = Desk({"unit": 1, "points": ["a", "b", "c"]})
    whole = rtu(1, 4, 0, 0, 0, 6)
    for _ in range(3):
        assert desk.ask() == whole
        desk.driver.give_up(desk.emit, NO_REPLY)
        assert desk.ask() == rtu(1, 4, 0, 0, 0, 1)
        desk.driver.give_up(desk.emit, NO_REPLY)
    desk.ask()
    desk.driver.give_up(desk.emit, NO_REPLY)
    desk.ask()
    desk.feed(answer(1, 4, 2300))  # alive: back again, or the block is too big
    assert desk.ask() == whole
    desk.driver.give_up(desk.emit, NO_REPLY)  # it is too big
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 2)


def test_a_meter_that_comes_back_at_the_probe_is_asked_for_whole_blocks_again():
    desk = Desk({"unit": 1, "points": ["a", "b", "c"]})
    whole = desk.ask()
    desk.driver.give_up(desk.emit, NO_REPLY)
    assert desk.ask() == rtu(1, 4, 0, 0, 0, 1)
    desk.feed(answer(1, 4, 2300))
    for _ in range(2):
        assert desk.ask() == whole
        desk.feed(FC4)
        assert desk.readings[-1][0] == [2300, 2310, 2320]
        assert desk.ask() == b""


def test_nulls_while_backing_off_teach_nothing():
    desk = Desk()
    first = desk.ask()
    desk.driver.reset()
    desk.driver.give_up(desk.emit, NO_REPLY)
    assert desk.readings[0][1] == bytes((NO_REPLY,) * 4)
    assert desk.ask() == first


def test_a_write_goes_first_and_its_answer_is_checked():
    desk = Desk()
    desk.driver.write(6, 0x10, 0x1234)
    assert desk.ask() == rtu(1, 6, 0, 0x10, 0x12, 0x34)
    desk.feed(rtu(1, 6, 0, 0x10, 0x12, 0x34))
    assert desk.driver.written == 0 and not desk.driver.waiting
    assert desk.ask() == rtu(1, 3, 0, 100, 0, 2)


def test_writes_of_several_values_and_broadcasts_have_the_standard_form():
    desk = Desk()
    desk.driver.write(16, 1, (10, 0x0102))
    assert desk.ask() == rtu(1, 16, 0, 1, 0, 2, 4, 0, 10, 1, 2)  # MODBUS V1.1b3, 6.12
    desk.feed(rtu(1, 16, 0, 1, 0, 2))
    assert desk.driver.written == 0
    desk.driver.write(15, 0x13, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0))
    assert desk.ask() == rtu(1, 15, 0, 0x13, 0, 10, 2, 0xCD, 1)  # 6.11
    assert desk.refused(rtu(1, 0x8F, 2)).code == 2
    assert desk.driver.written == 2
    desk.driver.write(5, 0xAC, True, everyone=True)
    assert desk.ask() == rtu(0, 5, 0, 0xAC, 0xFF, 0)
    desk.driver.reset()  # it has not left: the port was opened anew
    assert desk.ask() == rtu(0, 5, 0, 0xAC, 0xFF, 0)
    desk.driver.sent(0)
    assert desk.driver.written == 0
    assert not desk.driver.waiting and desk.driver.wait_ms >= 100
    assert desk.ask() == rtu(1, 3, 0, 100, 0, 2)


def test_on_a_line_that_echoes_the_first_copy_of_a_write_is_not_its_answer():
    desk = Desk({"unit": 1, "echo": True})
    desk.driver.write(6, 0x10, 0x1234)
    frame = desk.ask()
    desk.feed(frame)
    assert desk.driver.waiting
    desk.feed(frame)
    assert desk.driver.written == 0


def test_tcp_answers_are_tied_to_their_request_by_the_transaction_id():
    desk = Desk({"unit": 1, "points": ["c"], "transport": "tcp"})
    first = desk.ask()
    assert first == b"\x00\x01\x00\x00\x00\x06\x01\x04\x00\x05\x00\x01"
    second = desk.ask()
    assert second[:2] == b"\x00\x02"
    late = b"\x00\x01\x00\x00\x00\x05\x01\x04\x02\x00\x07"
    assert desk.bad(late) == "answer to transaction 1, expected 2"
    desk.feed(b"\x00\x02" + late[2:])
    assert desk.readings == [([7], bytes(1))]


def test_the_line_sets_the_gap_and_long_answers_their_time():
    assert Modbus(SMALL, {"line": (9600, 8, "N", 1)}).gap_us == 4010
    assert Modbus(SMALL, {"line": (19200, 8, "E", 1)}).gap_us == 2005
    assert Modbus(SMALL, {"line": (115200, 8, "N", 1)}).gap_us == 1750
    slow = Modbus(load_map("sdm630"), {"line": (1200, 8, "N", 1)})
    assert slow.reply_ms >= 500 + slow.plan.biggest * 11_000 // 1200 > 1500


def test_nonsense_in_the_options_is_said_plainly():
    for options in (
        {"unit": 0},
        {"unit": 248},
        {"unit": "1"},
        {"points": ["nothing"]},
        {"word_order": "AB"},
        {"max_registers": 126},
        {"transport": "ascii"},
    ):
        try:
            Modbus(SMALL, options)
        except ValueError as error:
            assert len(str(error)) > 10
        else:
            raise AssertionError(options)


def test_the_frame_path_allocates_nothing():
    if sys.implementation.name != "micropython":
        skip("only MicroPython can lock its heap")
    desk = Desk({"unit": 1, "points": ["a", "b", "c"]})
    driver, out, emit = desk.driver, desk.out, lambda reading: None
    foreign = answer(2, 4, 1, 2, 3)
    for turn in range(2):
        if turn:
            micropython.heap_lock()
        try:
            driver.request(out)
            driver.sent(5)
            driver.feed(foreign, 0, len(foreign), 5, emit)
            driver.feed(FC4, 0, 7, 5, emit)
            driver.feed(FC4, 7, len(FC4), 5, emit)
            done = driver.request(out)
        finally:
            if turn:
                micropython.heap_unlock()
        assert done == 0


def test_plans_made_from_maps_that_are_dropped_are_not_shared_again():
    table = dict(SMALL)
    first = Modbus(table, {"unit": 1})
    assert Modbus(table, {"unit": 2}).plan is first.plan
    drivers.forget_maps()
    assert Modbus(table, {"unit": 2}).plan is not first.plan


def test_a_table_made_for_one_read_never_gets_the_plan_of_another():
    for address in range(20):
        table = {"points": (("a", "", 0, "state", 4, address, "uint16", 0, ()),)}
        assert Modbus(table, {"unit": 1}).plan.items[0][1] == address
