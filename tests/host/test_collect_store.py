"""The store over SQLite and PostgreSQL: only what is committed is acknowledged."""

from datetime import UTC

import pytest
import sqlalchemy as sa

from agent.record import BLOCK, BOOT, EVENT, LOST, SCHEMA, TIME
from host_tools.collect import queries, tables
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.collect.store import Ack, Store
from tests.fakes.gateway_messages import (
    GOOD,
    HASH,
    JOURNAL,
    NO_REPLY,
    START_MS,
    birth,
    block,
    readings,
    record,
    schema,
    wire,
)


@pytest.fixture
def store(database_url):
    engine = open_database(database_url)
    yield Store(engine, lambda: START_MS)
    engine.dispose()


def quarantined(store):
    with store.engine.connect() as connection:
        return list(connection.scalars(sa.select(tables.quarantine.c.reason)))


def test_a_block_is_stored_and_acknowledged(store):
    outcome = store.take([birth(), record(BLOCK, 1, readings(3))])
    assert outcome.acks == [Ack("gw-a", JOURNAL, 1)]
    found = [(s.at_ms, s.text()) for s in queries.samples(store.engine, point="energy")]
    assert found == [(START_MS + 10_000 * i, f"{1000 + i}0") for i in range(3)]
    assert quarantined(store) == []


def test_a_repeated_record_is_stored_once_and_acknowledged_again(store):
    store.take([birth(), record(BLOCK, 1, readings(3))])
    outcome = store.take([record(BLOCK, 1, readings(3))])
    assert (outcome.repeats, outcome.readings) == (1, 0)
    assert outcome.acks == [Ack("gw-a", JOURNAL, 1)]
    assert queries.stored(store.engine) == 3


def test_a_repeat_within_one_batch_is_stored_once(store):
    same = record(BLOCK, 1, readings(3))
    assert store.take([birth(), same, same]).repeats == 1
    assert queries.stored(store.engine) == 3


def test_only_contiguous_numbers_are_acknowledged(store):
    blocks = [record(BLOCK, seq, readings(1, seq)) for seq in range(1, 5)]
    assert store.take([birth(), blocks[0], blocks[3], blocks[2]]).acks[0].seq == 1
    assert store.take([blocks[1]]).acks[0].seq == 4


def test_a_declared_loss_lets_the_acknowledgement_pass(store):
    lost = {"first": 2, "last": 9, "why": "full", "from_ms": 0, "to_ms": 0}
    outcome = store.take(
        [birth(), record(BLOCK, 1, readings(1)), record(LOST, 9, lost), record(BOOT, 10, BOOTED)]
    )
    assert outcome.acks[0].seq == 10
    assert queries.declared(store.engine)["lost: full"] == 8


BOOTED = {"boot": 7, "cause": "power", "version": "1", "from_ms": 0, "to_ms": 0}


def test_a_record_that_comes_after_its_loss_was_declared_is_stored(store):
    lost = {"first": 1, "last": 2, "why": "full"}
    store.take([birth(), record(LOST, 2, lost)])
    store.take([record(BLOCK, 2, readings(1))])
    assert queries.stored(store.engine) == 1
    assert queries.declared(store.engine)["lost: full"] == 1


def test_a_birth_declares_what_the_gateway_no_longer_holds(store):
    outcome = store.take([birth(first=6, following=7), record(BLOCK, 6, readings(1))])
    assert outcome.acks == [Ack("gw-a", JOURNAL, 6)]
    assert queries.declared(store.engine)["lost: gone before this birth"] == 5


def test_a_block_of_an_unknown_schema_waits_for_it(store):
    outcome = store.take([record(BLOCK, 1, readings(3)), record(BOOT, 2, BOOTED)])
    assert (outcome.parked, outcome.acks[0].seq) == (1, 2)
    assert queries.stored(store.engine) == 0
    assert store.take([record(SCHEMA, 3, schema())]).readings == 3
    assert queries.stored(store.engine) == 3


def test_a_schema_in_the_same_batch_is_known_to_its_blocks(store):
    outcome = store.take([record(BLOCK, 2, readings(3)), record(SCHEMA, 1, schema())])
    assert (outcome.parked, outcome.readings) == (0, 3)


def test_a_known_schema_cannot_be_replaced(store):
    other = schema(points=[["energy", "kWh", 1, 1, "0x0048"]])
    store.take([birth(), record(SCHEMA, 1, other)])
    assert quarantined(store) == [f"schema {HASH} is known with other content"]


def test_readings_before_the_clock_was_set_are_dated_by_the_time_record(store):
    early = block([(5000, [1, 2], GOOD), (15_000, [2, 2], GOOD)], clock=0)
    store.take([birth(), record(BLOCK, 1, early)])
    assert [s.at_ms for s in queries.samples(store.engine, point="power")] == [None, None]
    fix = {"boot": 7, "uptime_ms": 20_000, "wall_ms": START_MS, "source": "ntp"}
    store.take([record(TIME, 2, fix)])
    expected = [START_MS - 15_000, START_MS - 5000]
    assert [s.at_ms for s in queries.samples(store.engine, point="power")] == expected
    late = block([(12_000, [3, 2], GOOD)], clock=0)
    store.take([record(BLOCK, 3, late)])
    assert START_MS - 8000 in [s.at_ms for s in queries.samples(store.engine, point="power")]


def test_of_several_time_records_the_first_at_or_after_the_reading_dates_it(store):
    rows = [(at_ms, [1, 2], GOOD) for at_ms in (5000, 20_000, 25_000, 99_000)]
    fixes = [(40_000, START_MS + 70_000), (20_000, START_MS)]  # the later one comes first
    store.take([birth(), record(BLOCK, 1, block(rows, clock=0))])
    for seq, (uptime_ms, wall_ms) in enumerate(fixes, 2):
        fix = {"boot": 7, "uptime_ms": uptime_ms, "wall_ms": wall_ms, "source": "ntp"}
        store.take([record(TIME, seq, fix)])
    found = [(s.at_ms or 0) - START_MS for s in queries.samples(store.engine, point="power")]
    assert found == [-15_000, 0, 55_000, 129_000]


def test_a_time_record_of_another_boot_dates_nothing(store):
    store.take([birth(), record(BLOCK, 1, block([(5000, [1, 2], GOOD)], clock=0))])
    fix = {"boot": 8, "uptime_ms": 20_000, "wall_ms": START_MS, "source": "ntp"}
    store.take([record(TIME, 2, fix)])
    assert [s.at_ms for s in queries.samples(store.engine, point="power")] == [None]


def test_counters_keep_every_digit_up_to_64_bits(store):
    numbers = [2**64 - 1, 2**63, 2**63 - 1, -(2**63)]
    rows = [(START_MS + i, [number, 0], GOOD) for i, number in enumerate(numbers)]
    store.take([birth(), *(record(BLOCK, i + 1, block([row])) for i, row in enumerate(rows))])
    found = [s.integer for s in queries.samples(store.engine, point="energy")]
    assert found == numbers


def test_a_null_row_is_a_declared_gap_with_its_cause(store):
    store.take([birth(), record(BLOCK, 1, block([(START_MS, [None, None], NO_REPLY)]))])
    assert queries.stored(store.engine) == 0
    assert queries.declared(store.engine) == {"no_reply": 1}
    assert queries.curve(store.engine, "main", "power", 0) == [(START_MS / 1000, None)]
    with store.engine.connect() as connection:
        gap = connection.execute(sa.text("SELECT * FROM gaps")).one()
    assert (gap.meter, gap.from_ms, gap.why) == ("main", START_MS, "no_reply")


def test_a_gap_ends_after_it_began_also_where_the_clock_was_set_back_meanwhile(store):
    spans = [(START_MS, START_MS + 9), (START_MS + 9, START_MS), (START_MS, 0), (0, START_MS)]
    messages = [birth()]
    for from_ms, to_ms in spans:
        seq, told = 2 * len(messages), {"from_ms": from_ms, "to_ms": to_ms}
        messages.append(record(BOOT, seq - 1, BOOTED | {"boot": seq} | told))
        messages.append(record(LOST, seq, {"first": seq, "last": seq, "why": "full"} | told))
    store.take(messages)
    with store.engine.connect() as connection:
        gaps = connection.execute(sa.text("SELECT from_ms, to_ms, why FROM gaps")).all()
    expected = [spans[0], spans[0], spans[2], spans[3]]
    for why in ("restart: power", "lost: full"):
        assert [(gap.from_ms, gap.to_ms) for gap in gaps if gap.why == why] == expected


def test_the_view_shows_unit_quality_and_time(store):
    store.take([birth(), record(BLOCK, 1, readings(1))])
    with store.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM readings WHERE point = 'power'")).one()
    assert (row.integer, row.exponent, row.unit, row.quality) == (50, -1, "W", "good")
    at = row.at if isinstance(row.at, str) else row.at.astimezone(UTC).isoformat()
    assert at.startswith("2023-11-14T22:13:20")
    assert row.approximate == pytest.approx(5.0)


def test_damage_is_quarantined_and_not_acknowledged(store):
    good = wire(BLOCK, 1, readings(1))
    for at in range(0, len(good), 7):
        bad = bytearray(good)
        bad[at] ^= 4
        outcome = store.take([Message("eclor/1/gw-a/rec", bytes(bad))])
        assert outcome.acks == []
    assert len(quarantined(store)) == len(range(0, len(good), 7))
    assert queries.stored(store.engine) == 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message("eclor/1/gw-a/rec", b""), "no record"),
        (Message("eclor/1/gw-a/rec", bytes(5000)), "5000 bytes"),
        (Message("eclor/1/GW A/rec", b""), "topic"),
        (Message("eclor/1/gw-a/birth", b"[" * 60_000), "no JSON"),
        (Message("eclor/1/gw-a/birth", b"{" + b" " * 70_000), "70001 bytes"),
        (Message("eclor/1/gw-a/birth", b'{"gateway": NaN}'), "no JSON"),
        (birth(gateway="gw-b"), "birth of 'gw-b'"),
        (record(BLOCK, 0, b"x"), "number 0"),
        (record(BLOCK, 1, b"no block"), "no block"),
        (record(EVENT, 1, b"no json"), "no JSON"),
        (record(77, 1, b""), "kind 77"),
        (record(BOOT, 1, {"boot": -1, "cause": "power"}), "boot"),
        (record(TIME, 1, {"boot": 1, "uptime_ms": True, "wall_ms": 1}), "uptime_ms"),
        (record(LOST, 1, {"first": 5, "last": 4, "why": ""}), "last"),
        (record(SCHEMA, 1, {"config": "xyz"}), "config"),
    ],
)
def test_nonsense_is_quarantined_with_its_reason(store, message, reason):
    store.take([message])
    assert len(quarantined(store)) == 1
    assert reason in quarantined(store)[0]


def test_a_whole_record_without_sense_does_not_block_the_journal(store):
    outcome = store.take(
        [birth(), record(BLOCK, 1, b"no block"), record(BLOCK, 2, block(ROW, meter=9))]
    )
    assert outcome.acks == [Ack("gw-a", JOURNAL, 2)]
    assert len(quarantined(store)) == 2


ROW = [(START_MS, [1, 2], GOOD)]


def test_a_block_that_does_not_fit_its_schema_is_quarantined_whole(store):
    narrow = block([(START_MS, [1], bytes(1))], points=1)
    store.take([birth(), record(BLOCK, 1, narrow)])
    assert queries.stored(store.engine) == 0
    assert quarantined(store) == ["reading of 1 points, the schema has 2"]


def test_another_gateway_cannot_speak_for_a_journal(store):
    store.take([birth(), record(BLOCK, 1, readings(1))])
    outcome = store.take([record(BLOCK, 2, readings(1), gateway="gw-b")])
    assert outcome.acks == []
    assert "is of 'gw-a'" in quarantined(store)[0]


def test_a_number_cannot_be_used_for_other_content(store):
    store.take([birth(), record(BLOCK, 1, readings(1))])
    store.take([record(BLOCK, 1, readings(2))])
    assert quarantined(store) == ["record 1 is stored with other content"]
    assert queries.stored(store.engine) == 1


@pytest.mark.parametrize(
    ("point", "stored"),
    [("store.Records.store", 0), ("transaction.Transaction.seen", 0), ("store.advance_all", 3)],
)
def test_a_batch_that_failed_halfway_acknowledges_nothing_and_may_be_repeated(
    store, mocker, point, stored
):
    batch = [birth(), record(BLOCK, 1, readings(3))]
    mocker.patch(f"host_tools.collect.{point}", side_effect=RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        store.take(batch)
    assert queries.stored(store.engine) == stored
    mocker.stopall()
    assert store.take(batch).acks == [Ack("gw-a", JOURNAL, 1)]
    assert queries.stored(store.engine) == 3


def test_two_stores_share_one_database(store):
    other = Store(
        open_database(store.engine.url.render_as_string(hide_password=False)), lambda: START_MS
    )
    store.take([birth(), record(BLOCK, 1, readings(1))])
    outcome = other.take([record(BLOCK, 2, readings(1, 1)), record(BLOCK, 1, readings(1))])
    assert (outcome.acks[0].seq, outcome.repeats) == (2, 1)
    other.engine.dispose()


@pytest.mark.parametrize(("window", "step"), [(500, 10_000), (3, 3), (4, 2), (9, 5), (10, 1)])
def test_a_repeat_and_a_wide_backlog_advance_past_one_step(store, monkeypatch, window, step):
    monkeypatch.setattr("host_tools.collect.marks._WINDOW", window)
    monkeypatch.setattr("host_tools.collect.marks._STEP", step)
    batch = [record(BLOCK, seq, readings(1, seq)) for seq in range(2, 12)]
    assert store.take([birth(), *batch]).acks == []
    assert store.take([record(BLOCK, 1, readings(1))]).acks[0].seq == 11


def test_a_declared_loss_wider_than_the_window_is_gone_through(store, monkeypatch):
    monkeypatch.setattr("host_tools.collect.marks._WINDOW", 3)
    loss = {"first": 2, "last": 40, "why": "full"}
    store.take([birth(), record(BLOCK, 1, readings(1)), record(LOST, 40, loss)])
    late = [record(BLOCK, seq, readings(1, seq)) for seq in range(41, 51)]
    assert store.take(late).acks[0].seq == 50


def test_a_batch_of_many_gateways_moves_each_mark_by_itself(store):
    names = [f"gw-{index}" for index in range(40)]
    births = [
        Message(
            f"eclor/1/{name}/birth",
            birth(journal=100 + index).payload.replace(b'"gw-a"', f'"{name}"'.encode()),
        )
        for index, name in enumerate(names)
    ]
    blocks = []
    for index, name in enumerate(names):
        for seq in range(1, 5):
            if seq != 1 + index % 4:  # each lacks one of its first four
                payload = wire(BLOCK, seq, readings(1, seq), 100 + index)
                blocks.append(Message(f"eclor/1/{name}/rec", payload))
    assert store.take(births).refused == []
    acks = {ack.gateway: ack.seq for ack in store.take(blocks).acks}
    assert acks == {name: index % 4 for index, name in enumerate(names) if index % 4}
