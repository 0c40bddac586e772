"""The session against a broker that fails on purpose, in virtual time."""

# What both sides keep of a whole backlog:
# heap: 1m

from agent.backoff import Backoff
from agent.mac import Mac
from agent.session import CLOSE, NOTHING, OPEN
from agent.uplink import Uplink
from drivers.ticks import ticks_add
from tests.fakes.broker import Broker, pump
from tests.fakes.journal import MemoryJournal

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}


def _make(count=0, size=20, **settings):
    journal = MemoryJournal()
    journal.fill(count, size)
    uplink = Uplink(settings, journal, IDENTITY, lambda n: n - 1)
    uplink.birth = lambda: b'{"gateway": "gw"}'
    return uplink, journal, Broker(b"gw")


def test_records_are_stored_once_in_order_and_trimmed():
    for size in (0, 20, 79, 80, 81, 82, 83, 84, 90, 1000, 4000):
        uplink, journal, broker = _make(20, size)
        pump(uplink, broker, 1000)
        assert uplink.state == "online"
        assert broker.arrived == list(range(1, 21))
        assert all(len(record) == size + 16 for record in broker.stored.values())
        assert journal.acked == 20 == uplink.acked
        assert broker.topics[:2] == [b"birth", b"will"]
        assert uplink.in_flight == 0


def test_a_puback_alone_frees_nothing():
    uplink, journal, broker = _make(100, window=8, ahead=16)
    broker.acks = False
    pump(uplink, broker, 0)
    assert journal.acked == 0
    assert broker.arrived == list(range(1, 17))
    broker.acks = True
    broker.send_ack(16)
    pump(uplink, broker, 10)
    assert journal.acked == 100
    assert broker.arrived == list(range(1, 101))


def test_the_window_bounds_what_waits_for_a_puback():
    uplink, _, broker = _make(100, window=3)
    broker.pubacks = False
    pump(uplink, broker, 0)
    assert uplink.in_flight == 3
    assert broker.arrived == [1, 2, 3]


def test_a_broker_that_lost_what_it_acknowledged_gets_it_again_after_the_stall():
    uplink, journal, broker = _make(5)
    broker.lose_acknowledged = True
    pump(uplink, broker, 0)
    assert journal.acked == 0
    broker.lose_acknowledged = False
    for at in range(0, 40000, 1000):
        pump(uplink, broker, at)
    assert journal.acked == 5
    assert uplink.counters["repeated"] == 5


def test_a_new_session_begins_after_the_last_acknowledged_record():
    uplink, journal, broker = _make(10, ahead=10)
    broker.acks = False
    pump(uplink, broker, 0)
    broker.send_ack(4)
    pump(uplink, broker, 1)
    uplink.closed(2, "reset")
    broker.acks = True
    for seq in range(5, 11):  # the collector never committed these
        del broker.stored[seq]
    pump(uplink, broker, 5000)
    assert broker.arrived == list(range(1, 11)) + list(range(5, 11))
    assert journal.acked == 10


def test_foreign_future_and_misshapen_acknowledgements_are_counted_and_ignored():
    uplink, journal, broker = _make(4)
    broker.acks = False
    pump(uplink, broker, 0)
    broker.send_ack(4, journal_id=2)
    broker.send_ack(5)
    broker.send_ack(0xFFFFFFFF)
    broker.send(b"eclor/1/gw/ack", b"\x00")
    pump(uplink, broker, 1)
    assert journal.acked == 0
    assert uplink.counters["acks_refused"] == 4


def test_a_broker_without_the_key_cannot_make_the_gateway_forget():
    key = bytes(range(32))
    uplink, journal, broker = _make(4, key="".join("%02x" % b for b in key))
    pump(uplink, broker, 0)  # its acknowledgements have no tag
    body = b"\x00\x00\x00\x01\x00\x00\x00\x04"
    broker.send(b"eclor/1/gw/ack", body + bytes(16))
    broker.send(b"eclor/1/gw/ack", body + Mac(bytes(32)).tag(b"ackgw", body))
    broker.send(b"eclor/1/gw/ack", body + Mac(key).tag(b"ackother", body))
    pump(uplink, broker, 1)
    assert journal.acked == 0
    broker.send(b"eclor/1/gw/ack", body + Mac(key).tag(b"ackgw", body))
    pump(uplink, broker, 2)
    assert journal.acked == 4


def test_records_and_births_bear_a_mac_under_the_key_whatever_their_length():
    key = bytes(range(32))
    for size in (1, 60, 75, 76, 77, 100, 400, 4000):
        uplink, _, broker = _make(2, size, key="".join(["%02x" % b for b in key]))
        births = []
        taken = broker._publish
        broker._publish = lambda first, body, taken=taken, births=births: (
            births.append(body) if b"/birth" in body[:40] else None,
            taken(first, body),
        )
        pump(uplink, broker, 0)
        assert broker.arrived == [1, 2], size
        for seq, record in broker.stored.items():
            assert broker.tags[seq] == Mac(key).tag(b"recgw", record), size
        payload = births[0][4 + births[0][1] :]
        assert Mac(key).check(b"birthgw", payload, 0, len(payload))
        assert payload[:-16] == b'{"gateway": "gw"}'


def test_half_open_is_found_when_a_record_gets_no_answer():
    uplink, journal, broker = _make()
    pump(uplink, broker, 0)
    broker.mute = True
    journal.fill(1)
    pump(uplink, broker, 30000)  # a long silence before is no fault
    assert uplink.action == NOTHING
    uplink.step(49000)
    assert uplink.action == NOTHING
    uplink.step(50000)
    assert uplink.action == CLOSE
    assert uplink.counters["half_open"] == 1


def test_a_broker_that_talks_and_never_acknowledges_is_left():
    uplink, journal, broker = _make()
    pump(uplink, broker, 0)
    broker.pubacks = False
    journal.fill(3)
    for now in range(1000, 400000, 5000):
        broker.send(b"eclor/1/gw/other", b"still here")
        pump(uplink, broker, now)
        if uplink.why:
            break
    assert 120000 <= now <= 150000 and uplink.why == "no progress for 120 s"
    broker.pubacks = True
    pump(uplink, broker, now + 300000)
    assert journal.acked == 3  # and nothing was lost by it


def test_an_idle_session_pings_and_a_mute_broker_is_left():
    uplink, _, broker = _make(keepalive_s=60)
    pump(uplink, broker, 0)
    for at in range(0, 600000, 1000):
        pump(uplink, broker, at)
    assert uplink.counters["sessions"] == 1
    broker.mute = True
    for at in range(600000, 680000, 1000):
        pump(uplink, broker, at)
    assert uplink.counters["half_open"] == 1


def test_refusals_wait_by_their_consequence():
    for code, wait in ((1, 300000), (2, 300000), (3, 1000), (4, 300000), (5, 300000), (9, 300000)):
        uplink, _, broker = _make()
        broker.refuse = code
        pump(uplink, broker, 0)
        assert uplink.state.startswith("offline: refused"), uplink.state
        assert uplink.step(0) == wait
        assert uplink.counters["refused"] == 1


def test_accepted_then_closed_before_connack_backs_off_up_to_the_cap():
    uplink, _, _ = _make()
    now = 0
    waits = []
    for _ in range(12):
        assert uplink.step(now) == 30000
        assert uplink.action == OPEN
        uplink.opened(now)
        uplink.output()
        uplink.closed(now, "end of stream")
        uplink.closed(now, "again")  # idempotent
        waits.append(uplink.step(now))
        now = ticks_add(now, waits[-1])
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert waits[-1] == 300000


def test_an_opening_that_never_ends_is_abandoned():
    uplink, _, _ = _make()
    uplink.step(0)
    uplink.step(29999)
    assert uplink.action == OPEN
    uplink.step(30000)
    assert uplink.action == CLOSE


def test_back_off_is_spread_over_the_whole_range_and_reset_by_a_stable_session():
    backoff = Backoff(lambda n: n // 2)
    assert [backoff.wait_ms() for _ in range(3)] == [500, 1000, 2000]
    backoff.ended(59999)
    assert backoff.wait_ms() == 4000
    backoff.ended(60000)
    assert backoff.wait_ms() == 500


def test_live_values_do_not_queue_behind_a_backlog():
    uplink, journal, broker = _make(50)
    broker.acks = False
    pump(uplink, broker, 0)
    del broker.topics[:]
    journal.fill(200)
    uplink.publish_state(b"1")
    uplink.publish_state(b"2")
    broker.send_ack(50)
    broker.acks = True
    pump(uplink, broker, 1)
    assert broker.topics.count(b"state") == 1
    assert b"state" in broker.topics[:2]
    assert broker.arrived == list(range(1, 251))


def test_state_is_dropped_while_offline():
    uplink, _, _ = _make()
    uplink.publish_state(b"1")
    assert uplink.counters["states_dropped"] == 1


def test_commands_arrive_and_results_leave():
    uplink, _, broker = _make()
    got = []
    uplink.on_command = got.append
    pump(uplink, broker, 0)
    broker.send(b"eclor/1/gw/cmd", b"do")
    broker.send(b"eclor/1/other/cmd", b"not mine")
    pump(uplink, broker, 1)
    assert got == [b"do"]
    uplink.publish_result(b"done")
    pump(uplink, broker, 2)
    assert broker.topics[-1] == b"result"


def test_a_birth_larger_than_the_buffer_goes_in_parts():
    uplink, _, broker = _make(3)
    uplink.birth = lambda: b"x" * 20000
    pump(uplink, broker, 0)
    assert broker.topics[:2] == [b"birth", b"will"]
    assert broker.stored and uplink.acked == 3


def test_nonsense_of_the_broker_closes_the_session():
    uplink, _, broker = _make()
    pump(uplink, broker, 0)
    uplink.received(b"\x10\x00", 0, 2, 1)
    assert uplink.action == CLOSE
    assert uplink.counters["malformed"] == 1


def test_the_tick_wraps_without_notice():
    uplink, journal, broker = _make()
    start = (1 << 30) - 5000
    for passed in range(0, 120000, 1000):
        if passed % 10000 == 0:
            journal.fill(1)
        pump(uplink, broker, ticks_add(start, passed))
    assert uplink.counters["sessions"] == 1
    assert journal.acked == 12


def test_puback_mode_frees_only_what_is_contiguous():
    uplink, journal, broker = _make(5, acknowledge="puback")
    broker.acks = broker.pubacks = False
    pump(uplink, broker, 0)
    ids = sorted(i for i in uplink._flight._ids if i)
    uplink.received(bytes((0x40, 2, 0, ids[1])), 0, 4, 1)
    assert journal.acked == 0
    uplink.received(bytes((0x40, 2, 0, ids[0])), 0, 4, 1)
    assert journal.acked == 2


def test_the_real_journal_is_drained_and_trimmed():
    from agent.journal import Journal
    from agent.record import EVENT
    from tests.fakes.memory_ground import MemoryGround

    journal = Journal(MemoryGround(), lambda: 1, 32768)
    journal.start()
    begun = journal.next
    for number in range(60):
        journal.append(EVENT, bytes(number * 5), 0, number * 5)
    journal.sync()
    uplink = Uplink({}, journal, IDENTITY, lambda n: 0)
    broker = Broker(b"gw")
    pump(uplink, broker, 0)
    assert broker.arrived == list(range(1, begun + 60))
    assert journal.acked == begun + 59


def test_a_broker_that_refuses_the_subscription_is_left_for_a_person_to_mend():
    uplink, _, broker = _make()
    broker._answer = lambda first, body: setattr(
        broker,
        "out",
        b"\x20\x02\x00\x00" if first >> 4 == 1 else b"\x90\x04" + body[:2] + b"\x80\x80",
    )
    pump(uplink, broker, 0)
    assert uplink.state == "offline: refused: subscription to eclor/1/gw/ack"
    assert uplink.counters["refused"] == 1 and uplink.counters["sessions"] == 0


def test_what_comes_out_of_turn_from_the_transport_is_ignored():
    uplink, _, broker = _make(1)
    uplink.opened(0)  # nobody asked for it
    assert uplink.state == "offline" and uplink.output() == 0
    pump(uplink, broker, 0)
    uplink.received(b"\x00\x00", 0, 2, 1)  # nonsense: it wants to be closed
    assert uplink.action == CLOSE and uplink.step(2) > 0
    before = dict(uplink.counters)
    uplink.received(b"\x00\x00", 0, 2, 3)
    assert uplink.counters == before
    uplink.closed(4, "closed")
    uplink.closed(5, "again")
    assert uplink.state.startswith("offline: broker: ")


def test_identifiers_in_flight_are_not_given_again():
    uplink, journal, broker = _make()
    pump(uplink, broker, 0)
    broker.pubacks = False
    journal.fill(1)
    pump(uplink, broker, 1)
    uplink._last_id -= 1
    broker.pubacks = True
    journal.fill(1)
    pump(uplink, broker, 2)
    assert broker.arrived == [1, 2]
