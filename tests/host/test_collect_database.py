"""Opening, bringing up to date, sharing and restoring the database, on both engines."""

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from agent.record import BLOCK, SCHEMA, TIME
from host_tools.collect import queries, tables
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.collect.pages.data import history
from host_tools.collect.store import Ack, Store
from host_tools.collect.views import views
from host_tools.problems import Problem
from tests.fakes.gateway_messages import (
    GOOD,
    HASH,
    JOURNAL,
    POINTS,
    START_MS,
    birth,
    block,
    readings,
    record,
    schema,
)

OLD = Path(__file__).parents[1] / "vectors" / "collect_layout_1.sql"
THREADS = 3


@pytest.fixture
def engine(database_url):
    opened = open_database(database_url)
    yield opened
    opened.dispose()


def count(engine, table):
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_database_of_the_first_layout_is_brought_up_to_date(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.executescript(OLD.read_text())
    engine = open_database(f"sqlite:///{tmp_path}/old.db")
    assert queries.stored(engine) == 2
    assert count(engine, tables.arrival) == 1
    store = Store(engine, lambda: START_MS)
    assert store.take([record(SCHEMA, 3, schema(config="ffffffff"))]).readings == 1
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM readings")) == 6
        assert connection.scalar(sa.select(tables.layout_version.c.version)) == tables.VERSION
    engine.dispose()
    open_database(f"sqlite:///{tmp_path}/old.db").dispose()


def test_what_a_gateway_does_to_its_values_is_a_view(engine):
    told = {"resolution": 5, "deadband": 20, "silence_s": 900}
    tree = schema(points=[POINTS[0], [*POINTS[1], told]])
    store = Store(engine, lambda: START_MS)
    assert store.take([record(SCHEMA, 1, tree), record(BLOCK, 2, readings(3))]).readings == 3
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT point, config, resolution, deadband, silence_s, kind"
                " FROM points ORDER BY point"
            )
        ).all()
        gaps = connection.scalar(sa.text("SELECT COUNT(*) FROM gaps"))
    assert [tuple(row) for row in rows] == [
        ("energy", HASH, None, None, None, "counter"),
        ("power", HASH, 5, 20, 900, "gauge"),
    ]
    assert gaps == 0
    found = history(engine, "gw-a", "main", "power", START_MS, START_MS + 60_000)
    assert (
        found
        and found.thin
        and vars(found.thin)
        == {
            "resolution": "0.5",
            "deadband": "2.0",
            "silence_s": 900,
        }
    )
    whole = history(engine, "gw-a", "main", "energy", START_MS, START_MS + 60_000)
    assert whole and whole.thin is None


@pytest.mark.parametrize("told", [7, {"resolution": 0}, {"deadband": -1}, {"silence_s": "9"}])
def test_a_schema_that_tells_nonsense_of_its_points_is_kept_aside(engine, told):
    store = Store(engine, lambda: START_MS)
    tree = schema(points=[POINTS[0], [*POINTS[1], told]])
    store.take([record(SCHEMA, 1, tree), record(BLOCK, 2, readings(3))])
    assert queries.stored(engine) == 0 and count(engine, tables.quarantine) == 1


def test_where_timescaledb_is_the_large_tables_become_hypertables(postgresql):
    url = postgresql.new_database()
    with sa.create_engine(url).begin() as connection:  # its one function that is called, noted
        connection.execute(sa.text("CREATE TABLE called (what TEXT, column_ TEXT, chunk BIGINT)"))
        connection.execute(
            sa.text(
                "CREATE FUNCTION create_hypertable(relation REGCLASS, time_column_name NAME,"
                " chunk_time_interval BIGINT) RETURNS VOID LANGUAGE SQL AS $$ INSERT INTO called"
                " VALUES (relation::TEXT, time_column_name, chunk_time_interval) $$"
            )
        )
    engine = open_database(url)
    Store(engine, lambda: START_MS).take([birth(), record(BLOCK, 1, readings(3))])
    open_database(url).dispose()  # the second time nothing is asked for again
    with engine.connect() as connection:
        called = connection.execute(sa.text("SELECT * FROM called ORDER BY what")).all()
        for name, column, _ in called:  # TimescaleDB: part of every key, never null, unreferenced
            keys = sa.inspect(connection).get_pk_constraint(name)["constrained_columns"]
            assert column in keys
        referred = {
            key["referred_table"]
            for table in tables.metadata.tables
            for key in sa.inspect(connection).get_foreign_keys(table)
        }
    assert called == [("reading", "id", 3_276_800_000), ("value", "reading_id", 3_276_800_000)]
    assert not referred & {"reading", "value"}
    engine.dispose()


def test_the_steps_are_taken_on_both_engines(engine, database_url):
    store = Store(engine, lambda: START_MS)
    store.take([birth(), record(BLOCK, 1, readings(3))])
    with engine.begin() as connection:  # back to the first layout
        for view in views(engine.dialect.name):
            connection.execute(sa.text(f"DROP VIEW IF EXISTS {view}"))
        for table in ("arrival", "cursor", "summary", "exchange", "alarm"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("DROP INDEX journal_by_number"))
        connection.execute(sa.text("ALTER TABLE gateway DROP COLUMN journal"))
        connection.execute(sa.text("ALTER TABLE meter DROP COLUMN forgotten_ms"))
        connection.execute(tables.layout_version.update().values(version=1))
    again = open_database(database_url)
    assert queries.stored(again) == 3
    assert count(again, tables.arrival) == 1
    for table in tables.metadata.tables:
        has = {index["name"] for index in sa.inspect(again).get_indexes(table)}
        assert has >= {index.name for index in tables.metadata.tables[table].indexes}, table
    Store(again).take([birth(), record(BLOCK, 2, readings(1, 3))])
    assert queries.stored(again) == 4
    again.dispose()


def test_a_database_of_a_newer_version_is_left_alone(engine, database_url):
    with engine.begin() as connection:
        connection.execute(tables.layout_version.update().values(version=tables.VERSION + 1))
    with pytest.raises(Problem, match="knows up to"):
        open_database(database_url)


def at_once(*jobs):
    """Run jobs in threads that start together; raise what one of them raised."""
    failures: list[Exception] = []
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait()
        try:
            job()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_collectors_with_the_same_records_store_each_once(engine):
    records = [record(BLOCK, seq, readings(2, 2 * seq)) for seq in range(1, 61)]
    stores = [Store(engine, lambda: START_MS) for _ in range(THREADS)]
    stores[0].take([birth()])
    acks: list[int] = []

    def work(store, messages):
        for start in range(0, len(messages), 5):
            acks.extend(ack.seq for ack in store.take(messages[start : start + 5]).acks)

    at_once(
        *(lambda store=store, turn=turn: work(store, records[20 * turn :] + records[: 20 * turn])
          for turn, store in enumerate(stores))
    )  # fmt: skip
    assert max(acks) == 60
    assert queries.stored(engine) == 120
    assert count(engine, tables.value) == 240


def test_a_block_and_its_schema_at_two_collectors_at_once_meet(engine):
    one, other = Store(engine), Store(engine)
    for turn in range(20):
        config = f"{turn:08x}"
        data = block([(START_MS + turn, [turn, 1], GOOD)], config=config)
        at_once(
            lambda data=data, seq=2 * turn + 1: one.take([record(BLOCK, seq, data)]),
            lambda config=config, seq=2 * turn + 2: other.take(
                [record(SCHEMA, seq, schema(config=config))]
            ),
        )
        assert queries.stored(engine) == turn + 1
    assert count(engine, tables.parked) == 0


def test_an_early_reading_and_its_date_at_two_collectors_at_once_meet(engine):
    one, other = Store(engine), Store(engine)
    one.take([birth()])
    for boot in range(20):
        data = block([(5000, [boot, 1], GOOD)], clock=0, boot=boot)
        fix = {"boot": boot, "uptime_ms": 6000, "wall_ms": START_MS, "source": "ntp"}
        at_once(
            lambda data=data, seq=2 * boot + 1: one.take([record(BLOCK, seq, data)]),
            lambda fix=fix, seq=2 * boot + 2: other.take([record(TIME, seq, fix)]),
        )
    dates = {sample.at_ms for sample in queries.samples(engine, point="energy")}
    assert dates == {START_MS - 1000}


def state(first, following):
    held = [first, following, following - 1]
    return Message("eclor/1/gw-a/state", b'{"records": %s}' % str(held).encode())


def test_a_restored_database_declares_what_its_gateway_was_told_to_forget(engine):
    store = Store(engine, lambda: START_MS)
    store.take([birth(), record(BLOCK, 1, readings(1))])
    # The copy ends here; numbers 2 to 9 were stored, acknowledged, and are gone with the disk.
    assert store.take([record(BLOCK, 10, readings(1, 9))]).acks == [Ack("gw-a", JOURNAL, 1)]
    assert store.take([state(10, 11)]).acks == [Ack("gw-a", JOURNAL, 10)]
    assert queries.declared(engine) == {"lost: acknowledged once, not in this database": 8}


def test_records_that_come_with_the_state_that_lets_them_go_are_not_declared(engine):
    store = Store(engine, lambda: START_MS)
    store.take([birth(), state(3, 3), birth(first=3, following=3)])
    came = [record(BLOCK, seq, readings(1, seq)) for seq in (4, 5)]
    assert store.take([state(6, 6), *came, birth(first=6, following=6)]).acks[0].seq == 5
    assert queries.declared(engine) == {"lost: acknowledged once, not in this database": 3}


def test_a_state_declares_nothing_that_is_stored(engine):
    store = Store(engine, lambda: START_MS)
    store.take([birth(), *(record(BLOCK, seq, readings(1, seq)) for seq in range(1, 6))])
    assert store.take([state(6, 6)]).acks == []
    assert queries.declared(engine) == {}


def test_a_state_without_record_numbers_is_kept_and_nonsense_is_not(engine):
    store = Store(engine, lambda: START_MS)
    store.take([birth(), Message("eclor/1/gw-a/state", b'{"heap": 1}')])
    for nonsense in (b'{"records": []}', b'{"records": "9"}', b'{"records": [-1]}'):
        assert len(store.take([Message("eclor/1/gw-a/state", nonsense)]).refused) == 1
    with engine.connect() as connection:
        assert connection.scalar(sa.select(tables.gateway.c.state)) == '{"heap": 1}'
