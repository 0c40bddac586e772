"""What a session says and when it lets go, to the millisecond: over the small broker."""

from agent.mac import Mac  # noqa: F401 - loaded before a heap is bounded
from agent.session import CLOSE, NOTHING, OPEN
from agent.uplink import Uplink
from tests.fakes.broker import Broker, pump
from tests.fakes.journal import MemoryJournal

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}


def _make(count=0, **settings):
    journal = MemoryJournal()
    journal.fill(count)
    uplink = Uplink(settings, journal, IDENTITY, lambda n: n - 1)
    return uplink, journal, Broker(b"gw")


def _packets(uplink):
    """Return the packets that want to go, as bytes."""
    found = []
    length = uplink.output()
    while length:
        found.append(bytes(uplink.out[:length]))
        length = uplink.output()
    return found


def _online(uplink, now_ms=0):
    """Go on line by hand; return what was said after the subscription."""
    uplink.step(now_ms)
    uplink.opened(now_ms)
    hello = _packets(uplink)
    uplink.received(b"\x20\x02\x00\x00", 0, 4, now_ms)
    asked = _packets(uplink)
    uplink.received(b"\x90\x04" + asked[0][2:4] + b"\x00\x00", 0, 6, now_ms)
    return hello, asked, _packets(uplink)


def _puback(uplink, packet, now_ms=0):
    """Let the broker have a packet that was published under `result`."""
    at = packet.index(b"result") + 6
    uplink.received(b"\x40\x02" + packet[at : at + 2], 0, 4, now_ms)


def test_a_new_session_has_said_and_counted_nothing():
    uplink, _, _ = _make()
    assert uplink.state == "offline" and uplink.is_gone and uplink.action == NOTHING
    assert uplink.why == "" and uplink.in_flight == 0 and uplink.acked == 0
    assert set(uplink.counters.values()) == {0} and uplink.last_ack_ms is None
    assert uplink.output() == 0


def test_the_words_of_a_session_are_these():
    uplink, _, _ = _make(1, keepalive_s=300, user="u", password="p")
    hello, asked, said = _online(uplink)
    will = b"\x00\x13eclor/1/gw/will"[:2]
    assert hello[0][:14] == b"\x10" + hello[0][1:2] + b"\x00\x04MQTT\x04\xee\x01\x2c\x00\x02"
    assert hello[0][14:16] == b"gw" and hello[0].endswith(b"\x00\x01u\x00\x01p") and will
    assert b'{"online": false}' in hello[0]
    assert asked[0][0] == 0x82 and asked[0][2:4] == b"\x00\x01"
    assert b"eclor/1/gw/ack\x00" in asked[0] and b"eclor/1/gw/cmd\x00" in asked[0]
    birth, online, record = said
    assert birth[0] == online[0] == 0x33, "QoS 1, kept by the broker"
    assert birth.endswith(b"birth\x00\x02{}") and online.endswith(b'\x00\x03{"online": true}')
    assert record[0] == 0x32 and b"eclor/1/gw/rec\x00\x04" in record
    assert uplink.counters["sessions"] == 1 and uplink.counters["published"] == 1
    uplink, _, _ = _make()
    hello, _, _ = _online(uplink)
    assert hello[0][8:12] == b"\x04\x2e\x00\x3c", "one minute, no login, the will"


def test_identifiers_go_round_without_zero():
    uplink, _, _ = _make()
    uplink._last_id = 65533
    assert [uplink._take_id() for _ in range(4)] == [65534, 65535, 1, 2]


def test_the_last_payload_that_goes_in_one_write():
    uplink, _, _ = _make()
    _online(uplink)
    topic = b"eclor/1/gw/result"
    most = len(uplink.out) - len(topic) - 9
    for size, parts in ((most, 1), (most + 1, 2)):
        uplink.publish_result(b"r" * size)
        said = _packets(uplink)
        assert len(said) == parts and sum([len(part) for part in said]) == size + 3 + 2 + 17 + 2
        _puback(uplink, said[0])


def test_a_peer_that_accepts_has_thirty_seconds():
    for steps, state in ((1, "connecting"), (2, "greeting"), (3, "subscribing")):
        uplink, _, _ = _make()
        assert uplink.step(1000) == 30000 and uplink.action == OPEN
        if steps > 1:
            uplink.opened(1000)
            _packets(uplink)
            assert uplink.action == NOTHING
        if steps > 2:
            uplink.received(b"\x20\x02\x00\x00", 0, 4, 1000)
        assert uplink.step(30999) == 1 and uplink.action != CLOSE
        assert uplink.step(31000) == 0 and uplink.action == CLOSE
        assert uplink.why == "no answer within 30 s while " + state
        assert uplink.step(31001) == 1000, "it waits for the transport"


def test_only_a_session_that_was_greeted_is_judged_by_its_length():
    uplink, _, _ = _make()
    waits = []
    now = 0
    for _ in range(4):  # nothing is opened: each pause is longer
        uplink.step(now)
        uplink.closed(now + 100000, "no route")
        waits.append(uplink.step(now + 100000))
        now += 100000 + waits[-1]
    assert waits == [1000, 2000, 4000, 8000] and uplink.state == "offline: no route"
    uplink.step(now)
    uplink.opened(now)
    uplink.closed(now + 59999, "gone")  # greeted, but not for a minute
    assert uplink.step(now + 59999) == 16000
    now += 59999 + 16000
    uplink.step(now)
    uplink.opened(now)
    uplink.closed(now + 60000, "gone")
    assert uplink.step(now + 60000) == 1000, "a stable one forgets the failures"


def test_an_answer_that_is_owed_is_waited_for_to_the_millisecond():
    uplink, _, _ = _make(1)
    _online(uplink)
    assert uplink.step(19999) == 1000 and uplink.action == NOTHING
    assert uplink.step(20000) == 0 and uplink.action == CLOSE
    assert uplink.why == "no answer for 20 s" and uplink.counters["half_open"] == 1


def test_a_peer_that_settles_nothing_has_two_minutes():
    uplink, _, _ = _make(1)
    _online(uplink)
    for now in range(1000, 121000, 1000):
        assert uplink.step(now) == 1000, now
        uplink.received(b"\x30\x03\x00\x01a", 0, 5, now)  # it talks
    assert uplink.step(121000) == 0 and uplink.why == "no progress for 120 s"
    uplink, _, _ = _make(2)
    _, _, said = _online(uplink)
    ids = [packet[-38:-36] for packet in said[2:]]
    for now in range(1000, 119000, 1000):
        uplink.step(now)
        uplink.received(b"\x30\x03\x00\x01a", 0, 5, now)
    uplink.received(b"\x40\x02" + ids[0], 0, 4, 119000)
    assert uplink.counters["pubacks"] == 1 and uplink.in_flight == 1
    for now in range(119000, 239000, 1000):
        assert uplink.step(now) == 1000, "one that settles something goes on"
        uplink.received(b"\x30\x03\x00\x01a", 0, 5, now)
    assert uplink.step(239001) == 0


def test_a_ping_goes_after_three_quarters_of_the_keepalive():
    uplink, _, _ = _make(keepalive_s=100)
    _online(uplink)
    uplink.sent(0)
    uplink.step(74999)
    assert _packets(uplink) == []
    uplink.step(75000)
    uplink.step(75001)
    assert _packets(uplink) == [b"\xc0\x00"], "once"
    uplink.received(b"\xd0\x00", 0, 2, 75010)
    uplink.sent(75010)
    uplink.step(150009)
    assert _packets(uplink) == []
    uplink.step(150010)
    assert _packets(uplink) == [b"\xc0\x00"]
    uplink, _, _ = _make(keepalive_s=0)
    _online(uplink)
    uplink.step(500000000)
    assert _packets(uplink) == [], "none was agreed on"


def test_a_gateway_that_falls_asleep_says_for_how_long_and_stays_away():
    uplink, _, broker = _make()
    pump(uplink, broker, 0)
    uplink.leave(900)
    said = _packets(uplink)
    assert said[0].endswith(b'{"online": false, "asleep_s": 900}') and said[0][0] == 0x33
    assert said[1] == b"\xe0\x00"
    uplink.closed(1000, "asleep")
    for now in (2000, 100000, 10000000):
        assert uplink.step(now) == 1000 and uplink.action == NOTHING
    uplink.stay()
    uplink.step(10000001)
    assert uplink.action == OPEN


def test_topics_of_others_are_not_taken_whatever_their_length():
    uplink, _, _ = _make()
    got = []
    sizes = [4, 6]  # of what was said before
    uplink.on_command = got.append
    _online(uplink)

    def give(topic, payload):
        body = len(topic).to_bytes(2, "big") + topic + payload
        size = bytes((len(body) & 127 | 128, len(body) >> 7))
        data = b"\x30" + size + body
        sizes.append(len(data))
        uplink.received(data, 0, len(data), 1)

    give(b"eclor/1/gw/cmd", b"one")
    give(b"eclor/1/gw/cmd", b"")
    give(b"eclor/1/gw/cmdx", b"two")
    give(b"eclor/1/gx/cmd", b"three")
    give(b"c" * 300, b"four")
    assert got == [b"one"]
    give(b"eclor/1/gw/ack", b"\x00\x00\x00\x01\x00\x00\x00\x00")
    assert uplink.counters["acks"] == 1 and uplink.last_ack_ms == 1
    assert uplink.counters["bytes_in"] == sum(sizes)


def test_live_values_wait_for_one_and_only_on_line():
    uplink, _, _ = _make()
    uplink.publish_state(b"a")
    assert uplink.counters["states_dropped"] == 1
    _online(uplink)
    uplink.publish_state(b"b")
    uplink.publish_state(b"c")
    assert uplink.counters["states_dropped"] == 2
    said = _packets(uplink)
    assert len(said) == 1 and said[0].endswith(b"statec") and said[0][0] == 0x30
    uplink.publish_state(b"x" * 4017)
    assert _packets(uplink) == [] and uplink.counters["states_dropped"] == 3
    for size in (4000, 4015, 4016):
        uplink.publish_state(b"x" * size)
        said = b"".join(_packets(uplink))
        assert said[0] == 0x30 and said.endswith(b"state" + b"x" * size)


def test_eight_results_are_kept_the_first_which_may_be_on_its_way_and_the_newest():
    uplink, _, _ = _make()
    assert not uplink.owes_results
    for number in range(10):
        uplink.publish_result(b"%d" % number)
    said = _online(uplink)[2][2:]
    heard = b""
    while said:
        assert uplink.owes_results and len(said) == 1, "one after the other"
        heard += said[0][-1:]
        _puback(uplink, said[0])
        said = _packets(uplink)
    assert heard == b"03456789" and not uplink.owes_results


def test_what_an_update_wants_is_said_once_and_costs_no_result_its_place():
    uplink, _, _ = _make(3)
    uplink.publish_result(b"done")
    for number in range(20):  # a long outage
        uplink.publish_want(b"want %d" % number)
    said = _online(uplink)[2]
    assert said[2][0] == 0x32 and said[2].endswith(b"done")
    assert said[3][0] == 0x30 and said[3].endswith(b"resultwant 19")
    assert len(said) == 4 + 3, "and then the records"
    uplink.closed(1000, "the far end closed")
    again = _online(uplink, 5000)[2]
    assert not [packet for packet in again if b"want" in packet]
    _puback(uplink, again[2], 5000)
    assert not uplink.owes_results
    uplink.publish_want(b"more")
    assert not uplink.owes_results, "nobody stays awake for it"
    (more,) = _packets(uplink)
    assert more.endswith(b"resultmore")


def test_a_result_is_said_again_until_the_broker_has_it():
    uplink, _, _ = _make(8)
    _online(uplink)
    uplink.received(b"\x40\x02\x00\x00", 0, 4, 0)  # of a packet that never was
    uplink.publish_result(b"done")
    first = _packets(uplink)
    assert len(first) == 1 and first[0][0] == 0x32 and first[0].endswith(b"done")
    uplink._last_id = first[0][-5] - 1
    assert uplink._take_id() == first[0][-5] + 1, "its identifier is taken"
    uplink.closed(1000, "the far end closed")
    again = _online(uplink, 5000)[2]
    assert again[2].endswith(b"done") and len(again) == 3 + 8
    _puback(uplink, again[2], 5000)
    uplink.closed(6000, "the far end closed")
    assert [p for p in _online(uplink, 90000)[2] if b"result" in p] == []
    uplink.publish_result(b"next")
    (said,) = _packets(uplink)
    assert said.endswith(b"next")


def test_a_broker_that_does_not_take_a_result_is_left():
    uplink, _, _ = _make()
    _online(uplink)
    uplink.publish_result(b"done")
    _packets(uplink)
    uplink.received(b"\xd0\x00", 0, 2, 500)  # it speaks of something else
    for now_ms in range(0, 20500, 500):
        assert uplink.step(now_ms) == 1000
    uplink.step(20500)
    assert uplink.action == CLOSE and uplink.why == "no answer for 20 s"


def test_bytes_are_counted_both_ways_and_a_number_is_read_whole():
    uplink, journal, _ = _make(2, keepalive_s=2000)
    hello, asked, said = _online(uplink)
    assert b"\x04\x2e\x07\xd0" in hello[0]
    sent = sum([len(packet) for packet in hello + asked + said])
    assert uplink.counters["bytes_out"] == sent > 100 and uplink.counters["bytes_in"] == 10
    topic = b"eclor/1/gw/ack"
    for number, acked in ((0x01000001, 0), (0x00010002, 0), (2, 2)):
        body = (
            len(topic).to_bytes(2, "big") + topic + b"\x00\x00\x00\x01" + number.to_bytes(4, "big")
        )
        data = b"\x30" + bytes((len(body),)) + body
        uplink.received(data, 0, len(data), 1)
        assert journal.acked == acked
    assert uplink.counters["acks_refused"] == 2 and uplink.counters["acks"] == 1
