"""What the collector keeps: tables, their meaning, and the views that people query.

Not the queries (queries.py) and not the writing (store.py). Times are milliseconds since 1970
UTC. A value is `(value + high * 2**64) * 10 ** exponent` in `unit` (numbers.py).

    engine = open_database("sqlite:///readings.db")
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from drivers.reading import KIND_NAMES, QUALITY_NAMES
from host_tools.problems import INPUT, MISSING, NETWORK, Problem

VERSION = 1
# A reading's id is its record's id times this, plus its row: unique without asking the database.
ROWS_MAX = 1 << 16

# SQLite numbers rows by itself only in a column of type INTEGER.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData()

layout_version = sa.Table(
    "layout_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    comment="One row: the version of these tables",
)

gateway = sa.Table(
    "gateway",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("online", sa.Boolean, nullable=False, default=False),
    sa.Column("site", sa.Text, nullable=False, default=""),
    sa.Column("board", sa.Text, nullable=False, default=""),
    sa.Column("version", sa.Text, nullable=False, default=""),
    sa.Column("runtime", sa.Text, nullable=False, default=""),
    sa.Column("birth", sa.Text, comment="the last birth, JSON as it came"),
    sa.Column("state", sa.Text, comment="the last live state, JSON as it came"),
    sa.Column("state_ms", sa.BigInteger, comment="when that state came"),
    comment="A gateway that was heard of",
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("journal", sa.BigInteger, primary_key=True),
    sa.Column("through", sa.BigInteger, nullable=False, comment="acknowledged: all dealt with"),
    sa.Column("acked_ms", sa.BigInteger, comment="when `through` was last sent"),
    comment="One journal of one gateway; a gateway that was wiped starts another",
)

record = sa.Table(
    "record",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("journal", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("crc", sa.BigInteger, nullable=False, comment="tells a repeat from a forgery"),
    sa.Column("bytes", sa.Integer, nullable=False, comment="length on the wire"),
    sa.Column("readings", sa.Integer, nullable=False),
    sa.Column("fate", sa.Text, nullable=False, comment="stored, parked or quarantined"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("gateway_id", "journal", "seq"),
    comment="Every record but LOST, once; the guard against duplicates",
)

hole = sa.Table(
    "hole",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("journal", sa.BigInteger, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, primary_key=True),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("from_ms", sa.BigInteger, nullable=False, comment="0: not known"),
    sa.Column("to_ms", sa.BigInteger, nullable=False, comment="0: not known"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    comment="Record numbers that the gateway declared gone; some may have come all the same",
)

configuration = sa.Table(
    "configuration",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="8 hex digits, as in every block"),
    sa.Column("schema", sa.Text, nullable=False, comment="JSON, keys sorted"),
    sa.UniqueConstraint("gateway_id", "hash"),
    comment="What the blocks of one configuration mean",
)

meter = sa.Table(
    "meter",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("protocol", sa.Text, nullable=False),
    sa.Column("map", sa.Text, nullable=False),
    sa.Column("interval_s", sa.Integer, nullable=False),
    sa.Column("personal", sa.Boolean, nullable=False),
    sa.UniqueConstraint("gateway_id", "name"),
    comment="A metering place: the device that hangs there may be exchanged",
)

point = sa.Table(
    "point",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("meter_id", sa.ForeignKey("meter.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("exponent", sa.SmallInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="0 gauge, 1 counter, 2 state"),
    sa.Column("code", sa.Text, nullable=False, comment="the protocol's own identifier"),
    sa.UniqueConstraint("meter_id", "name", "unit", "exponent", "kind", "code"),
    comment="What is measured; a change of unit or resolution makes a new row",
)

layout = sa.Table(
    "layout",
    metadata,
    sa.Column("configuration_id", sa.ForeignKey("configuration.id"), primary_key=True),
    sa.Column("meter_index", sa.SmallInteger, primary_key=True),
    sa.Column("column", sa.SmallInteger, primary_key=True),
    sa.Column("meter_id", sa.ForeignKey("meter.id"), nullable=False),
    sa.Column("point_id", sa.ForeignKey("point.id"), nullable=False),
    comment="Which column of a block is which point",
)

reading = sa.Table(
    "reading",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("meter_id", sa.ForeignKey("meter.id"), nullable=False),
    sa.Column("at_ms", sa.BigInteger, comment="null: the clock was unset, no TIME came yet"),
    sa.Column(
        "clock", sa.SmallInteger, nullable=False, comment="0 uptime, 1 wall, 2 free-running"
    ),
    sa.Column("boot", sa.BigInteger, nullable=False),
    sa.Column("uptime_ms", sa.BigInteger, comment="as measured, where clock is 0"),
    sa.Index("reading_by_meter_and_time", "meter_id", "at_ms"),
    sa.Index(
        "reading_before_clock",
        "boot",
        sqlite_where=sa.text("clock = 0"),
        postgresql_where=sa.text("clock = 0"),
    ),
    comment="The points of one meter at one instant; id = record.id * 65536 + row",
)

value = sa.Table(
    "value",
    metadata,
    sa.Column("reading_id", sa.BigInteger, sa.ForeignKey("reading.id"), primary_key=True),
    sa.Column("point_id", sa.BigInteger, sa.ForeignKey("point.id"), primary_key=True),
    sa.Column("value", sa.BigInteger, comment="null: see quality"),
    sa.Column("high", sa.SmallInteger, nullable=False, comment="1: add 2**64 to value"),
    sa.Column("quality", sa.SmallInteger, nullable=False, comment="drivers/reading.py"),
    comment="One point of one reading",
    sqlite_with_rowid=False,
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="the block"),
    comment="Blocks whose schema has not come yet; safe here, so acknowledged",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway", sa.Text, nullable=False, comment="as the topic says; may be a lie"),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False, comment="the whole length"),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="at most the first 4,096 bytes"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    comment="Input that was not believed, newest 10,000",
)

boot = sa.Table(
    "boot",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("boot", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("from_ms", sa.BigInteger, nullable=False, comment="last known alive, 0: not known"),
    sa.Column("to_ms", sa.BigInteger, nullable=False, comment="first reading possible"),
    comment="A start: readings between from_ms and to_ms may be missing",
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False, comment="0: the clock was unset"),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="the JSON as it came"),
    comment="A contact, a fault's entry and exit",
)

health = sa.Table(
    "health",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="the JSON as it came"),
    comment="Counters that the gateway kept in its journal",
)

clock_fix = sa.Table(
    "clock_fix",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("boot", sa.BigInteger, primary_key=True),
    sa.Column("uptime_ms", sa.BigInteger, primary_key=True),
    sa.Column("wall_ms", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    comment="A TIME record: what the wall clock was at an uptime",
)


def _names(column: str, names: tuple[str, ...]) -> str:
    return (
        f"CASE {column} "
        + " ".join(f"WHEN {code} THEN '{name}'" for code, name in enumerate(names))
        + " ELSE 'unknown' END"
    )


def _views(dialect: str) -> dict[str, str]:
    at = (
        "strftime('%Y-%m-%dT%H:%M:%fZ', r.at_ms / 1000.0, 'unixepoch')"
        if dialect == "sqlite"
        else "to_timestamp(r.at_ms / 1000.0)"
    )
    real = "double precision" if dialect == "postgresql" else "REAL"
    power = (
        "power(CAST(10 AS double precision), p.exponent)"
        if dialect == "postgresql"
        else (
            "CASE WHEN p.exponent >= 0 THEN CAST('1e' || p.exponent AS REAL)"
            " ELSE 1.0 / CAST('1e' || (-p.exponent) AS REAL) END"
        )
    )
    return {
        "readings": f"""
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point,
                   r.at_ms, {at} AS at,
                   v.value AS integer, v.high, p.exponent, p.unit,
                   (CAST(v.value AS {real}) + v.high * 18446744073709551616.0) * {power}
                       AS approximate,
                   {_names("v.quality", QUALITY_NAMES)} AS quality,
                   {_names("p.kind", KIND_NAMES)} AS kind,
                   r.clock, r.id AS reading_id, m.id AS meter_id, p.id AS point_id
            FROM value v
            JOIN reading r ON r.id = v.reading_id
            JOIN point p ON p.id = v.point_id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id""",
        "gaps": f"""
            SELECT g.name AS gateway, m.name AS meter, r.at_ms AS from_ms, r.at_ms AS to_ms,
                   {_names("MAX(v.quality)", QUALITY_NAMES)} AS why, 1 AS readings
            FROM reading r
            JOIN value v ON v.reading_id = r.id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id
            GROUP BY g.name, m.name, r.id, r.at_ms
            HAVING COUNT(v.value) = 0
            UNION ALL
            SELECT g.name, '', h.from_ms, h.to_ms, 'lost: ' || h.why, NULL
            FROM hole h JOIN gateway g ON g.id = h.gateway_id
            UNION ALL
            SELECT g.name, '', b.from_ms, b.to_ms, 'restart: ' || b.cause, NULL
            FROM boot b JOIN gateway g ON g.id = b.gateway_id""",
    }


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


def open_database(url: str, create: Callable[..., sa.Engine] = sa.create_engine) -> sa.Engine:
    """Open a database, creating tables and views where they are absent.

    url  an SQLAlchemy URL: "sqlite:///readings.db", "postgresql+psycopg://user@host/name"

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
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(63116)"))
    metadata.create_all(connection)
    found = connection.scalar(sa.select(layout_version.c.version))
    if found is None:
        connection.execute(layout_version.insert().values(version=VERSION))
        for name, query in _views(connection.dialect.name).items():
            connection.execute(sa.text(f"CREATE VIEW {name} AS {query}"))
    elif found > VERSION:
        raise Problem(
            f"the database has layout {found}, this version knows up to {VERSION}",
            "update Éclor on this computer",
            code=INPUT,
        )
