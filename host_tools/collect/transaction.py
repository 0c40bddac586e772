"""What the writers of one transaction share: the connection, the hour, the gateways, the outcome.

Not a writer itself: gateways.py, records.py, schemas.py, blocks.py and dates.py write, each one
kind of thing. Two collectors may write at the same time; whoever reads something and writes by
it calls `hold` first, so that the other waits until this commit.

    transaction = Transaction(connection, now_ms)
    transaction.fill(tables.value, rows)
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from host_tools.collect import tables as t

_QUARANTINE_BYTES = 4096
_QUARANTINE_ROWS = 10_000
_SEEN_STEP_MS = 5000  # last_seen is this coarse, so that two collectors do not wait for each other
STORED, PARKED, QUARANTINED = "stored", "parked", "quarantined"


@dataclass(frozen=True)
class Ack:
    """Everything of this journal through seq is committed or declared missing."""

    gateway: str
    journal: int
    seq: int


@dataclass
class Outcome:
    """What one batch did; true only after the commit."""

    acks: list[Ack] = field(default_factory=list)
    records: int = 0
    readings: int = 0
    repeats: int = 0
    parked: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)  # (gateway, reason)


class Transaction:
    """One open transaction; everything in it is undone when it fails."""

    def __init__(self, connection: sa.Connection, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.outcome = Outcome()
        self.touched: set[tuple[str, int]] = set()  # (gateway, journal): owed an acknowledgement
        # (gateway, journal, lowest number it still has, why): to be declared after the records
        self.gone: list[tuple[str, int, int, str]] = []
        self.journals: set[tuple[str, int]] = set()  # (gateway, journal) that have a row
        self.born: dict[str, int] = {}  # gateway: the journal of its last birth
        self._gateways: dict[str, int] = {}
        self._changed: dict[str, dict[str, object]] = {}  # gateway: columns to be set
        self._held: set[int] = set()

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL, else SQLite."""
        return self.connection.dialect.name == "postgresql"

    def insert(self, table: sa.Table) -> Any:
        """Return an INSERT that knows ON CONFLICT, in the words of this database."""
        return postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)

    def fill(self, table: sa.Table, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert many rows, in the order of the table's columns, the fastest way there is."""
        if not rows:
            return
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        if self.is_postgresql:
            driver = self.connection.connection.driver_connection
            assert driver is not None
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join("?" * len(table.columns))
            self.connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({names}) VALUES ({places})", list(rows)
            )

    # -- gateways ---------------------------------------------------------------------------

    def look_up(self, names: Collection[str]) -> None:
        """Find the rows of many gateways and their journals at once; new ones are made later."""
        g, j = t.gateway.c, t.journal.c
        query = (
            sa.select(g.id, g.name, g.journal.label("born"), j.journal)
            .join_from(t.gateway, t.journal, j.gateway_id == g.id, isouter=True)
            .where(g.name.in_(names))
        )
        for row in self.connection.execute(query):
            self._gateways[row.name] = row.id
            if row.born is not None:
                self.born[row.name] = row.born
            if row.journal is not None:
                self.journals.add((row.name, row.journal))

    def make_gateways(self, names: Iterable[str]) -> None:
        """Make rows for the gateways that have none."""
        absent = sorted(set(names) - self._gateways.keys())
        if not absent:
            return
        rows = [
            {"name": name, "first_seen_ms": self.now_ms, "last_seen_ms": self.now_ms}
            for name in absent
        ]
        self.connection.execute(self.insert(t.gateway).on_conflict_do_nothing(), rows)
        c = t.gateway.c
        for row in self.connection.execute(sa.select(c.id, c.name).where(c.name.in_(absent))):
            self._gateways[row.name] = row.id

    def gateway_id(self, name: str) -> int:
        """Return the row of a gateway, making it when it is new."""
        if name not in self._gateways:
            self.make_gateways([name])
        return self._gateways[name]

    def hold(self, *gateway_ids: int) -> bool:
        """Make other transactions that hold these gateways wait; whether one was not held yet.

        SQLite has one writer at a time, so there is nothing to do.
        """
        wanted = set(gateway_ids) - self._held
        self._held |= wanted
        if wanted and self.is_postgresql:
            # NO KEY: rows that refer to the gateway may be inserted by others all the while.
            # In order, so that two collectors never wait for each other crosswise.
            c = t.gateway.c
            mine = sa.select(c.id).where(c.id.in_(wanted)).order_by(c.id)
            self.connection.execute(mine.with_for_update(key_share=True))
        return bool(wanted)

    def update_gateway(self, name: str, **columns: object) -> None:
        """Set columns of a gateway's row at settle(), and when it was heard; the last counts."""
        self._changed.setdefault(name, {"last_seen_ms": self.now_ms}).update(columns)

    def settle(self) -> None:
        """Write what update_gateway() was told."""
        self.make_gateways(self._changed)
        kinds: defaultdict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
        for name in sorted(self._changed, key=self.gateway_id):
            columns = self._changed[name]
            row = {f"to_{key}": value for key, value in columns.items()}
            kinds[tuple(sorted(columns))].append({"of": self.gateway_id(name), **row})
        if len(kinds) > 1:
            self.hold(*(self.gateway_id(name) for name in self._changed))
        for names, rows in kinds.items():
            self.connection.execute(
                t.gateway.update()
                .where(t.gateway.c.id == sa.bindparam("of"))
                .values({name: sa.bindparam(f"to_{name}") for name in names}),
                rows,
            )
        self._changed.clear()

    def seen(self) -> None:
        """Note that the touched gateways were heard, a few seconds coarse."""
        heard = {gateway for gateway, _ in self.touched} - self._changed.keys()
        ids = sorted({self.gateway_id(gateway) for gateway in heard})
        c = t.gateway.c
        if ids:
            stale = c.id.in_(ids) & (c.last_seen_ms < self.now_ms - _SEEN_STEP_MS)
            # Rows that another collector holds right now are being noted by it.
            free = (
                sa.select(c.id)
                .where(stale)
                .order_by(c.id)
                .with_for_update(skip_locked=True, key_share=True)
            )
            self.connection.execute(
                t.gateway.update().where(c.id.in_(free)), {"last_seen_ms": self.now_ms}
            )

    # -- what is not believed ---------------------------------------------------------------

    def set_fate(self, record_id: int, fate: str) -> None:
        """Say what became of a stored record."""
        self.connection.execute(
            t.record.update().where(t.record.c.id == record_id).values(fate=fate)
        )

    def spoil(self, record_id: int, gateway: str, data: bytes, reason: str) -> None:
        """Quarantine a record that is whole but makes no sense; its number is dealt with.

        Sending it again would not mend it, and the gateway's flash must not fill up behind it.
        """
        self.set_fate(record_id, QUARANTINED)
        self.quarantine(gateway, f"eclor/1/{gateway}/rec", data, reason)

    def quarantine(self, gateway: str, topic: str, data: bytes, reason: str) -> None:
        """Keep the head of what was not believed, with its reason."""
        number = self.connection.scalar(
            t.quarantine.insert().returning(t.quarantine.c.id),
            {
                "gateway": gateway.replace("\0", "?"),
                "topic": topic[:200].replace("\0", "?"),
                "reason": reason.replace("\0", "?"),
                "bytes": len(data),
                "data": bytes(data[:_QUARANTINE_BYTES]),
                "received_ms": self.now_ms,
            },
        )
        assert number is not None
        self.connection.execute(
            t.quarantine.delete().where(t.quarantine.c.id <= number - _QUARANTINE_ROWS)
        )
        self.outcome.refused.append((gateway, reason))
