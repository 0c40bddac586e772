"""The fleet's driver: the gateways' own uplink, a cluster of three, collectors, the count."""

import pytest
import sqlalchemy as sa

from agent.codec import decode
from agent.record import check_record
from host_tools.collect.database import open_database
from host_tools.collect.fleet.gateways import READINGS, Fleet, PreparedJournal, prepare_blocks
from host_tools.collect.fleet.trial import count, run_trial
from host_tools.collect.messages import Message
from host_tools.collect.store import Store

WRONG = ("lost", "duplicated", "altered", "disordered")


def test_prepared_blocks_are_whole_and_their_counter_only_rises():
    blocks = prepare_blocks(3, 1_700_000_000_000)
    rows = [row for data in blocks for row in decode(data).rows]
    assert len(rows) == 3 * READINGS
    assert [row[1][0] for row in rows] == sorted(row[1][0] for row in rows)
    times = [row[0] for row in rows]
    assert times == list(range(times[0], times[-1] + 1, 10_000))


def test_a_prepared_journal_gives_its_records_and_takes_only_its_own_acknowledgements():
    journal = PreparedJournal(7, prepare_blocks(2, 0))
    room = memoryview(bytearray(4096))
    seq, length = journal.read_from(1, room)
    assert check_record(room, 0, length)[1:3] == (1, 7)
    assert journal.read_from(3, room) == (0, 0)
    journal.trim_through(8, 1)
    journal.trim_through(7, 3)
    assert journal.acked == 0
    journal.trim_through(7, 2)
    assert (seq, journal.acked, journal.first) == (1, 2, 3)


@pytest.fixture
def stored(database_url):
    """A fleet of two whose three records each are stored and acknowledged; (engine, fleet)."""
    fleet = Fleet([], gateways=2, records=3)
    engine = open_database(database_url)
    room = memoryview(bytearray(4096))
    sent = []
    for index, (name, journal) in enumerate(zip(fleet.names, fleet.journals, strict=True)):
        sent.append(Message(f"eclor/1/{name}/birth", fleet.birth(index)))
        for seq in (1, 2, 3):
            _, length = journal.read_from(seq, room)
            sent.append(Message(f"eclor/1/{name}/rec", bytes(room[:length])))
        journal.trim_through(journal.journal_id, 3)
    assert Store(engine).take(sent).readings == fleet.readings
    yield engine, fleet
    engine.dispose()


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("UPDATE gateway SET online = online", {}),
        ("DELETE FROM record WHERE id = 2", {"lost": READINGS}),
        ("DELETE FROM reading WHERE id = 65536 * 2 + 7", {"lost": 1, "altered": 1}),
        ("UPDATE value SET value = value + 1 WHERE reading_id = 65536 * 3", {"altered": 1}),
        (
            "UPDATE reading SET meter_id = 3 - meter_id WHERE id < 65536 * 2",
            {"lost": READINGS, "duplicated": READINGS},
        ),
        (
            "UPDATE reading SET at_ms = at_ms + 9999999 WHERE id < 65536 * 2",
            {"altered": 1, "disordered": 1},
        ),
        (
            "INSERT INTO reading SELECT id + 100, meter_id, at_ms, clock, boot, uptime_ms"
            " FROM reading WHERE id = 65536",
            {"duplicated": 1, "altered": 1},
        ),
    ],
)
def test_the_count_finds_what_is_wrong(stored, harm, found):
    engine, fleet = stored
    with engine.begin() as connection:
        if "record" in harm:
            connection.execute(sa.text("DELETE FROM arrival"))
        connection.execute(sa.text(harm))
    assert count(engine, fleet) == {**dict.fromkeys(WRONG, 0), **found}


@pytest.mark.slow
def test_a_small_fleet_on_a_cluster_is_stored_once(tmp_path):
    url = f"sqlite:///{tmp_path}/readings.db"
    result = run_trial(tmp_path, url, gateways=12, records=3, collectors=2, patience_s=60)
    assert result["finished"]
    assert result["readings"] == 12 * 3 * READINGS
    assert [result[word] for word in WRONG] == [0, 0, 0, 0]
