"""Opening a database: SQLite or PostgreSQL, its tables made or brought up to date.

engine = open_database("sqlite:///readings.db")
engine = open_database("postgresql+psycopg://eclor@localhost/eclor")
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from host_tools.collect import tables as t
from host_tools.collect.views import views
from host_tools.problems import INPUT, MISSING, NETWORK, Problem

_LOG = logging.getLogger(__name__)

# What must be said to a database of the version before; absent tables make themselves.
_STEPS = {
    2: (
        "ALTER TABLE gateway ADD COLUMN journal BIGINT",
        "ALTER TABLE meter ADD COLUMN forgotten_ms BIGINT",
        "INSERT INTO arrival (record_id) SELECT id FROM record WHERE readings > 0 ORDER BY id",
    ),
    3: (),  # a view more
    4: ("CREATE INDEX IF NOT EXISTS journal_by_number ON journal (journal)",),
    5: (
        "CREATE INDEX IF NOT EXISTS boot_by_gateway ON boot (gateway_id, record_id)",
        "CREATE INDEX IF NOT EXISTS event_by_gateway ON event (gateway_id, record_id)",
    ),
    6: (),  # a view mended
}

# Numbers of a record and its rows in one chunk of a TimescaleDB hypertable: 50,000 records.
_CHUNK = 50_000 * 65_536
_PARTITIONED = ((t.reading, t.reading.c.id), (t.value, t.value.c.reading_id))


def _prepare_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is said below
        cursor = connection.cursor()
        # FULL: an acknowledged commit must survive a power cut of the collector's computer.
        for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        # A reader that turns writer in mid-transaction would fail when another wrote meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def writing(engine: sa.Engine) -> sa.Engine:
    """Return the same database for transactions that write from their first statement."""
    return engine.execution_options(writes=True)


def open_database(
    url: str,
    create: Callable[..., sa.Engine] = sa.create_engine,
    *,
    must_be_there: bool = False,
) -> sa.Engine:
    """Open a database, creating tables and views where they are absent.

    url            an SQLAlchemy URL: "sqlite:///readings.db", "postgresql+psycopg://user@host/name"
    must_be_there  refuse a file of SQLite that does not exist, instead of making it

    A Problem when it cannot be understood, reached, or was made by a newer version.
    """
    try:
        engine = create(url)
    except sa.exc.ArgumentError:
        raise Problem(
            f"{url!r} is no database URL", "write sqlite:///FILE.db", code=INPUT
        ) from None
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise Problem(
            f"the database of {url!r} needs a package: {error}",
            "install it, or write sqlite:///FILE.db",
            code=MISSING,
        ) from None
    if engine.dialect.name == "sqlite":
        file = engine.url.database
        if must_be_there and file and not Path(file).exists():
            raise Problem(
                f"there is no database {file}",
                "give --database; eclor collect makes one",
                code=INPUT,
            )
        _prepare_sqlite(engine)
    try:
        with writing(engine).begin() as connection:
            _create(connection)
    except sa.exc.OperationalError as error:
        raise Problem(
            f"the database {engine.url.render_as_string()} cannot be opened: {error.orig}",
            "is its folder there, does the server run, is the password right?",
            code=NETWORK,
        ) from None
    return engine


def _create(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two collectors may start at once.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(63116)"))
    has_layout = sa.inspect(connection).has_table(t.layout_version.name)
    c = t.layout_version.c
    found = connection.scalar(sa.select(c.version)) if has_layout else None
    if found == t.VERSION:
        return
    if found is not None and found > t.VERSION:
        raise Problem(
            f"the database has layout {found}, this version knows up to {t.VERSION}",
            "update Éclor on this computer",
            code=INPUT,
        )
    named = views(connection.dialect.name)
    if found is not None:
        # A view would forbid changes to its tables.
        for name in reversed(named):
            connection.execute(sa.text(f"DROP VIEW IF EXISTS {name}"))
    t.metadata.create_all(connection)
    if found is None:
        if connection.dialect.name == "postgresql":
            _partition(connection)
        connection.execute(t.layout_version.insert().values(version=t.VERSION))
    else:
        for version in range(found + 1, t.VERSION + 1):
            for statement in _STEPS[version]:
                connection.execute(sa.text(statement))
        connection.execute(t.layout_version.update().values(version=t.VERSION))
    for name, query in named.items():
        connection.execute(sa.text(f"CREATE VIEW {name} AS {query}"))


def _partition(connection: sa.Connection) -> None:
    """Make hypertables of a new database's large tables where the server has TimescaleDB.

    By the record's number, not by time: it rises as records come, is never null (a reading of
    before the clock was set has no time yet) and is part of both keys. Without the extension, or
    the right to create it, the tables stay ordinary ones.
    """
    offered = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
    if connection.scalar(sa.text(offered)):
        try:
            with connection.begin_nested():
                connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS timescaledb"))
        except sa.exc.DBAPIError as error:
            _LOG.warning("ordinary tables: TimescaleDB cannot be set up: %s", error.orig)
            return
    known = "SELECT 1 FROM pg_proc WHERE proname = 'create_hypertable'"
    if not connection.scalar(sa.text(known)):
        return
    call = "SELECT create_hypertable(:name, :column, chunk_time_interval => :chunk)"
    for table, column in _PARTITIONED:
        what = {"name": table.name, "column": column.name, "chunk": _CHUNK}
        connection.execute(sa.text(call), what)
