"""One batch of messages into the database in one transaction, and what may be acknowledged then.

Not the broker (intake.py) and not the threads (collector.py). The order is the product: nothing
is acknowledged that is not committed. A batch that fails leaves no trace and may be given again;
given twice, it changes nothing.

    outcome = Store(engine).take([Message("eclor/1/gw-ecole/rec", payload)])
    outcome.acks        # [Ack("gw-ecole", 0x1a2b3c4d, 17)]
"""

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from agent.codec import BadBlock, decode
from agent.record import BLOCK, BOOT, EVENT, HEALTH, LOST, SCHEMA, TIME
from host_tools.collect import tables as t
from host_tools.collect.contiguity import advance
from host_tools.collect.messages import (
    BIRTH,
    MS_MAX,
    RECORD,
    STATE,
    U32_MAX,
    Envelope,
    Message,
    Refused,
    Schema,
    open_record,
    read_json,
    read_schema,
    whole,
    words,
)
from host_tools.collect.numbers import split

_QUARANTINE_BYTES = 4096
_QUARANTINE_ROWS = 10_000
_STEP = 10_000  # numbers looked at together when a journal advances
_CLOCK_UNSET = 0
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


class Store:
    """The writing side of one database; any number of them may share it.

    engine  from tables.open_database()
    now_ms  the wall clock, ms since 1970 UTC
    """

    def __init__(self, engine: sa.Engine, now_ms: Callable[[], int] | None = None) -> None:
        self.engine = engine
        self._writing = t.writing(engine)
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)

    def take(self, messages: Sequence[Message]) -> Outcome:
        """Store one batch; return what may be acknowledged.

        Raises sqlalchemy's DBAPIError when the database refuses: nothing was stored then.
        """
        with self._writing.begin() as connection:
            return _Batch(connection, self._now_ms()).take(messages)


class _Batch:
    """The one transaction of a batch."""

    def __init__(self, connection: sa.Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._outcome = Outcome()
        self._gateways: dict[str, int] = {}
        self._touched: set[tuple[str, int]] = set()  # (gateway, journal): owed an acknowledgement
        self._records: dict[tuple[int, int, int], tuple[str, Envelope]] = {}

    def take(self, messages: Iterable[Message]) -> Outcome:
        records: list[tuple[str, Message]] = []
        for message in messages:
            try:
                gateway, leaf = message.address()
                if leaf == RECORD:
                    # Opened after the births: a schema may come in the same batch.
                    records.append((gateway, message))
                elif leaf == BIRTH:
                    self._take_birth(gateway, read_json(message.payload))
                elif leaf == STATE:
                    self._take_state(gateway, message.payload)
                else:
                    online = read_json(message.payload).get("online") is True
                    self._update_gateway(gateway, online=online)
            except Refused as refused:
                self._refuse(message, str(refused))
        for gateway, message in records:
            try:
                self._sort(gateway, message, open_record(message.payload))
            except Refused as refused:
                self._refuse(message, str(refused))
        self._take_records()
        self._advance()
        return self._outcome

    # -- gateways ---------------------------------------------------------------------------

    def _insert(self, table: sa.Table) -> Any:
        """Return an INSERT that knows ON CONFLICT, in the words of this database."""
        if self._connection.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def _gateway_id(self, name: str) -> int:
        if name not in self._gateways:
            self._connection.execute(
                self._insert(t.gateway).on_conflict_do_nothing(),
                {"name": name, "first_seen_ms": self._now_ms, "last_seen_ms": self._now_ms},
            )
            found = self._connection.scalar(
                sa.select(t.gateway.c.id).where(t.gateway.c.name == name)
            )
            assert found is not None
            self._gateways[name] = found
        return self._gateways[name]

    def _update_gateway(self, name: str, **columns: object) -> None:
        self._connection.execute(
            t.gateway.update().where(t.gateway.c.id == self._gateway_id(name)),
            {"last_seen_ms": self._now_ms, **columns},
        )

    def _journal(self, gateway: str, journal: int) -> int:
        """Return how far the journal is acknowledged; hold it until the commit.

        Refused when another gateway owns this journal: two gateways never draw the same number,
        so one of them is not what it says.
        """
        gateway_id = self._gateway_id(gateway)
        key = (t.journal.c.gateway_id == gateway_id) & (t.journal.c.journal == journal)
        query = sa.select(t.journal.c.through).where(key).with_for_update()
        through = self._connection.scalar(query)
        if through is None:
            owner = self._connection.scalar(
                sa.select(t.gateway.c.name).join(t.journal).where(t.journal.c.journal == journal)
            )
            if owner is not None:
                raise Refused(f"journal {journal:08x} is of {owner!r}, not of {gateway!r}")
            self._connection.execute(
                self._insert(t.journal).on_conflict_do_nothing(),
                {"gateway_id": gateway_id, "journal": journal, "through": 0},
            )
            through = self._connection.scalar(query)
            assert through is not None
        self._touched.add((gateway, journal))
        return through

    def _take_birth(self, gateway: str, birth: dict[str, Any]) -> None:
        if words(birth, "gateway") != gateway:
            raise Refused(f"birth of {birth['gateway']!r} on the topic of {gateway!r}")
        journal = whole(birth, "journal", 0, U32_MAX)
        first = whole(birth, "first", 0, U32_MAX)
        whole(birth, "next", first, U32_MAX)
        schema = read_schema(birth["schema"], gateway) if birth.get("schema") else None
        columns = {key: words(birth, key, "") for key in ("site", "board", "version", "runtime")}
        through = self._journal(gateway, journal)
        self._update_gateway(
            gateway, online=True, birth=json.dumps(birth, ensure_ascii=False), **columns
        )
        if first > through + 1:
            self._declare(gateway, journal, through + 1, first - 1, "gone before this birth", 0, 0)
        if schema:
            self._learn(gateway, schema)

    def _take_state(self, gateway: str, payload: bytes) -> None:
        state = read_json(payload)
        self._update_gateway(
            gateway,
            online=True,
            state=json.dumps(state, ensure_ascii=False),
            state_ms=self._now_ms,
        )

    # -- records ----------------------------------------------------------------------------

    def _sort(self, gateway: str, message: Message, envelope: Envelope) -> None:
        """Keep a record for this batch, or deal with what is no record of its own."""
        self._journal(gateway, envelope.journal)
        if envelope.kind == LOST:
            tree = read_json(envelope.payload)
            first = whole(tree, "first", 1, U32_MAX)
            last = whole(tree, "last", first, U32_MAX)
            self._declare(
                gateway,
                envelope.journal,
                first,
                last,
                words(tree, "why"),
                whole(tree, "from_ms", 0, MS_MAX, 0),
                whole(tree, "to_ms", 0, MS_MAX, 0),
            )
            return
        key = (self._gateway_id(gateway), envelope.journal, envelope.seq)
        known = self._records.setdefault(key, (gateway, envelope))[1]
        if known is not envelope:
            if known.crc == envelope.crc:
                self._outcome.repeats += 1
            else:
                self._refuse(message, f"record {envelope.seq} came with other content before")

    def _declare(
        self, gateway: str, journal: int, first: int, last: int, why: str, from_ms: int, to_ms: int
    ) -> None:
        self._connection.execute(
            self._insert(t.hole).on_conflict_do_nothing(),
            {
                "gateway_id": self._gateway_id(gateway),
                "journal": journal,
                "first": first,
                "last": last,
                "why": why,
                "from_ms": from_ms,
                "to_ms": to_ms,
                "received_ms": self._now_ms,
            },
        )

    def _take_records(self) -> None:
        if not self._records:
            return
        rows = [
            {
                "gateway_id": key[0],
                "journal": key[1],
                "seq": key[2],
                "kind": envelope.kind,
                "crc": envelope.crc,
                "bytes": envelope.size,
                "readings": 0,
                "fate": STORED,
                "received_ms": self._now_ms,
            }
            for key, (_, envelope) in self._records.items()
        ]
        c = t.record.c
        inserted = self._connection.execute(
            self._insert(t.record)
            .on_conflict_do_nothing(index_elements=["gateway_id", "journal", "seq"])
            .returning(c.id, c.gateway_id, c.journal, c.seq),
            rows,
        )
        fresh = {(row.gateway_id, row.journal, row.seq): row.id for row in inserted}
        for key in self._records.keys() - fresh.keys():
            self._compare(key)
        blocks = []
        # In the order of the numbers, so that a schema is known before its first block.
        for key in sorted(fresh):
            gateway, envelope = self._records[key]
            self._outcome.records += 1
            if envelope.kind == BLOCK:
                blocks.append((fresh[key], gateway, envelope.payload))
                continue
            try:
                self._take_event(fresh[key], gateway, envelope)
            except Refused as refused:
                self._spoil(fresh[key], gateway, envelope.payload, str(refused))
        self._take_blocks(blocks)

    def _compare(self, key: tuple[int, int, int]) -> None:
        """Tell a repeat from another record under the number of a stored one."""
        gateway, envelope = self._records[key]
        c = t.record.c
        crc = self._connection.scalar(
            sa.select(c.crc).where(
                (c.gateway_id == key[0]) & (c.journal == key[1]) & (c.seq == key[2])
            )
        )
        if crc == envelope.crc:
            self._outcome.repeats += 1
        else:
            reason = f"record {envelope.seq} is stored with other content"
            self._quarantine(gateway, f"eclor/1/{gateway}/rec", envelope.payload, reason)

    def _take_event(self, record_id: int, gateway: str, envelope: Envelope) -> None:
        """Store one record that is JSON; Refused when its payload is not what its kind says."""
        if envelope.kind not in (BOOT, EVENT, TIME, HEALTH, SCHEMA):
            raise Refused(f"record kind {envelope.kind} is not known")
        tree = read_json(envelope.payload)
        ids = {"record_id": record_id, "gateway_id": self._gateway_id(gateway)}
        detail = json.dumps(tree, ensure_ascii=False)
        if envelope.kind == SCHEMA:
            self._learn(gateway, read_schema(tree, gateway))
        elif envelope.kind == TIME:
            self._set_clock(ids["gateway_id"], tree)
        elif envelope.kind == HEALTH:
            self._connection.execute(t.health.insert(), {**ids, "detail": detail})
        elif envelope.kind == BOOT:
            row = {
                "boot": whole(tree, "boot", 0, U32_MAX),
                "cause": words(tree, "cause"),
                "version": words(tree, "version", ""),
                "from_ms": whole(tree, "from_ms", 0, MS_MAX, 0),
                "to_ms": whole(tree, "to_ms", 0, MS_MAX, 0),
            }
            self._connection.execute(t.boot.insert(), {**ids, **row})
        else:
            row = {
                "at_ms": whole(tree, "at_ms", 0, MS_MAX, 0),
                "what": words(tree, "what"),
                "meter": words(tree, "meter", ""),
                "why": words(tree, "why", "", limit=4000),
                "detail": detail,
            }
            self._connection.execute(t.event.insert(), {**ids, **row})

    # -- what blocks mean -------------------------------------------------------------------

    def _learn(self, gateway: str, schema: Schema) -> None:
        """Keep a schema, then decode what waited for it."""
        gateway_id = self._gateway_id(gateway)
        c = t.configuration.c
        same = (c.gateway_id == gateway_id) & (c.hash == schema.hash)
        known = self._connection.scalar(sa.select(c.schema).where(same))
        if known == schema.text:
            return
        if known is not None:
            raise Refused(f"schema {schema.hash} is known with other content")
        configuration_id = self._connection.scalar(
            t.configuration.insert().returning(c.id),
            {"gateway_id": gateway_id, "hash": schema.hash, "schema": schema.text},
        )
        places = []
        for index, meter in enumerate(schema.meters):
            columns = {
                "protocol": meter.protocol,
                "map": meter.map,
                "interval_s": meter.interval_s,
                "personal": meter.personal,
            }
            meter_id = self._connection.scalar(
                self._insert(t.meter)
                .values(gateway_id=gateway_id, name=meter.name, **columns)
                .on_conflict_do_update(index_elements=["gateway_id", "name"], set_=columns)
                .returning(t.meter.c.id)
            )
            for column, point in enumerate(meter.points):
                row = {"meter_id": meter_id, **vars(point)}
                point_id = self._connection.scalar(
                    self._insert(t.point)
                    .values(row)
                    # Something must be set for the row to be returned when it was there.
                    .on_conflict_do_update(index_elements=list(row), set_={"code": point.code})
                    .returning(t.point.c.id)
                )
                places.append((configuration_id, index, column, meter_id, point_id))
        if places:
            names = ("configuration_id", "meter_index", "column", "meter_id", "point_id")
            self._connection.execute(
                t.layout.insert(), [dict(zip(names, place, strict=True)) for place in places]
            )
        self._unpark(gateway_id, gateway, schema.hash)

    def _unpark(self, gateway_id: int, gateway: str, config_hash: str) -> None:
        where = (t.parked.c.gateway_id == gateway_id) & (t.parked.c.hash == config_hash)
        waiting = self._connection.execute(
            sa.select(t.parked.c.record_id, t.parked.c.data).where(where)
        ).all()
        if not waiting:
            return
        self._connection.execute(t.parked.delete().where(where))
        self._connection.execute(
            t.record.update()
            .where(t.record.c.id.in_(sa.bindparam("ids", expanding=True)))
            .values(fate=STORED),
            {"ids": [row.record_id for row in waiting]},
        )
        self._take_blocks([(row.record_id, gateway, bytes(row.data)) for row in waiting])

    def _layout(
        self, gateway_id: int, config_hash: str
    ) -> dict[int, tuple[int, list[int]]] | None:
        """Return {meter index: (meter id, point ids)}; None when the schema is not known."""
        c = t.configuration.c
        configuration_id = self._connection.scalar(
            sa.select(c.id).where((c.gateway_id == gateway_id) & (c.hash == config_hash))
        )
        if configuration_id is None:
            return None
        found: dict[int, tuple[int, list[int]]] = {}
        for row in self._connection.execute(
            sa.select(t.layout)
            .where(t.layout.c.configuration_id == configuration_id)
            .order_by(t.layout.c.meter_index, t.layout.c.column)
        ):
            found.setdefault(row.meter_index, (row.meter_id, []))[1].append(row.point_id)
        return found

    # -- readings ---------------------------------------------------------------------------

    def _take_blocks(self, blocks: Sequence[tuple[int, str, bytes]]) -> None:
        layouts: dict[tuple[int, str], dict[int, tuple[int, list[int]]] | None] = {}
        readings: list[dict[str, object]] = []
        values: list[dict[str, object]] = []
        counts: list[dict[str, int]] = []
        for record_id, gateway, data in blocks:
            gateway_id = self._gateway_id(gateway)
            try:
                block = decode(data)
            except BadBlock as bad:
                self._spoil(record_id, gateway, data, f"no block: {bad}")
                continue
            config_hash = bytes(block.config_hash).hex()
            key = (gateway_id, config_hash)
            if key not in layouts:
                layouts[key] = self._layout(gateway_id, config_hash)
            layout = layouts[key]
            if layout is None:
                self._park(record_id, gateway_id, config_hash, data)
                continue
            try:
                self._read_block(record_id, gateway_id, block, layout, readings, values)
            except Refused as refused:
                self._spoil(record_id, gateway, data, str(refused))
                continue
            counts.append({"of": record_id, "count": len(block.rows)})
        if readings:
            self._connection.execute(t.reading.insert(), readings)
        if values:
            self._connection.execute(t.value.insert(), values)
        if counts:
            self._connection.execute(
                t.record.update()
                .where(t.record.c.id == sa.bindparam("of"))
                .values(readings=sa.bindparam("count")),
                counts,
            )
        self._outcome.readings += len(readings)

    def _read_block(
        self,
        record_id: int,
        gateway_id: int,
        block: Any,
        layout: dict[int, tuple[int, list[int]]],
        readings: list[dict[str, object]],
        values: list[dict[str, object]],
    ) -> None:
        """Add a block's rows to readings and values; Refused leaves both as they were."""
        if block.meter not in layout:
            raise Refused(f"block of meter {block.meter}, the schema has {len(layout)}")
        meter_id, point_ids = layout[block.meter]
        if len(block.rows) > t.ROWS_MAX:
            raise Refused(f"block of {len(block.rows)} readings, at most {t.ROWS_MAX}")
        for _, row, quality in block.rows:
            if len(row) != len(point_ids) or len(quality) != len(point_ids):
                raise Refused(f"reading of {len(row)} points, the schema has {len(point_ids)}")
        fixes = self._fixes(gateway_id, block.boot) if block.clock == _CLOCK_UNSET else []
        for index, (at_ms, row, quality) in enumerate(block.rows):
            reading_id = record_id * t.ROWS_MAX + index
            unset = block.clock == _CLOCK_UNSET
            readings.append(
                {
                    "id": reading_id,
                    "meter_id": meter_id,
                    "at_ms": _wall_ms(fixes, at_ms) if unset else at_ms,
                    "clock": block.clock,
                    "boot": block.boot,
                    "uptime_ms": at_ms if unset else None,
                }
            )
            for point_id, number, mark in zip(point_ids, row, quality, strict=True):
                low, high = (None, 0) if number is None else split(number)
                values.append(
                    {
                        "reading_id": reading_id,
                        "point_id": point_id,
                        "value": low,
                        "high": high,
                        "quality": mark,
                    }
                )

    def _park(self, record_id: int, gateway_id: int, config_hash: str, data: bytes) -> None:
        self._connection.execute(
            t.parked.insert(),
            {
                "record_id": record_id,
                "gateway_id": gateway_id,
                "hash": config_hash,
                "data": data,
            },
        )
        self._set_fate(record_id, PARKED)
        self._outcome.parked += 1

    # -- time -------------------------------------------------------------------------------

    def _fixes(self, gateway_id: int, boot: int) -> list[tuple[int, int]]:
        """Return (uptime_ms, wall_ms) of every known fix of one boot, in order of uptime."""
        c = t.clock_fix.c
        rows = self._connection.execute(
            sa.select(c.uptime_ms, c.wall_ms)
            .where((c.gateway_id == gateway_id) & (c.boot == boot))
            .order_by(c.uptime_ms)
        )
        return [(row.uptime_ms, row.wall_ms) for row in rows]

    def _set_clock(self, gateway_id: int, tree: dict[str, Any]) -> None:
        """Keep a TIME record and date the readings of its boot that were taken before it."""
        boot = whole(tree, "boot", 0, U32_MAX)
        self._connection.execute(
            self._insert(t.clock_fix).on_conflict_do_nothing(),
            {
                "gateway_id": gateway_id,
                "boot": boot,
                "uptime_ms": whole(tree, "uptime_ms", 0, MS_MAX),
                "wall_ms": whole(tree, "wall_ms", 1, MS_MAX),
                "source": words(tree, "source", ""),
            },
        )
        meters = sa.select(t.meter.c.id).where(t.meter.c.gateway_id == gateway_id)
        c = t.reading.c
        undated = self._connection.execute(
            sa.select(c.id, c.uptime_ms).where(
                (c.clock == _CLOCK_UNSET) & (c.boot == boot) & c.meter_id.in_(meters)
            )
        ).all()
        if undated:
            fixes = self._fixes(gateway_id, boot)
            self._connection.execute(
                t.reading.update()
                .where(c.id == sa.bindparam("of"))
                .values(at_ms=sa.bindparam("dated_ms")),
                [{"of": row.id, "dated_ms": _wall_ms(fixes, row.uptime_ms)} for row in undated],
            )

    # -- what is not believed ---------------------------------------------------------------

    def _refuse(self, message: Message, reason: str) -> None:
        match = message.topic.split("/")
        gateway = match[2][:64] if len(match) > 2 else ""
        self._quarantine(gateway, message.topic, message.payload, reason)

    def _spoil(self, record_id: int, gateway: str, data: bytes, reason: str) -> None:
        """Quarantine a record that is whole but makes no sense; its number is dealt with.

        Sending it again would not mend it, and the gateway's flash must not fill up behind it.
        """
        self._set_fate(record_id, QUARANTINED)
        self._quarantine(gateway, f"eclor/1/{gateway}/rec", data, reason)

    def _set_fate(self, record_id: int, fate: str) -> None:
        self._connection.execute(
            t.record.update().where(t.record.c.id == record_id).values(fate=fate)
        )

    def _quarantine(self, gateway: str, topic: str, data: bytes, reason: str) -> None:
        number = self._connection.scalar(
            t.quarantine.insert().returning(t.quarantine.c.id),
            {
                "gateway": gateway.replace("\0", "?"),
                "topic": topic[:200].replace("\0", "?"),
                "reason": reason.replace("\0", "?"),
                "bytes": len(data),
                "data": bytes(data[:_QUARANTINE_BYTES]),
                "received_ms": self._now_ms,
            },
        )
        assert number is not None
        self._connection.execute(
            t.quarantine.delete().where(t.quarantine.c.id <= number - _QUARANTINE_ROWS)
        )
        self._outcome.refused.append((gateway, reason))

    # -- acknowledgement --------------------------------------------------------------------

    def _advance(self) -> None:
        """Move each touched journal's mark over what is dealt with."""
        for gateway, journal in sorted(self._touched):
            gateway_id = self._gateway_id(gateway)
            key = (t.journal.c.gateway_id == gateway_id) & (t.journal.c.journal == journal)
            before = through = (
                self._connection.scalar(sa.select(t.journal.c.through).where(key)) or 0
            )
            h, r = t.hole.c, t.record.c
            holes = [
                (row.first, row.last)
                for row in self._connection.execute(
                    sa.select(h.first, h.last).where(
                        (h.gateway_id == gateway_id) & (h.journal == journal) & (h.last > through)
                    )
                )
            ]
            while True:
                seqs = self._connection.scalars(
                    sa.select(r.seq)
                    .where(
                        (r.gateway_id == gateway_id) & (r.journal == journal) & (r.seq > through)
                    )
                    .order_by(r.seq)
                    .limit(_STEP)
                ).all()
                reached = advance(through, seqs, holes)
                if reached == through:
                    break
                through = reached
            self._connection.execute(
                t.journal.update().where(key), {"through": through, "acked_ms": self._now_ms}
            )
            if through or before:
                self._outcome.acks.append(Ack(gateway, journal, through))
        for gateway in sorted({gateway for gateway, _ in self._touched}):
            self._update_gateway(gateway)


def _wall_ms(fixes: Sequence[tuple[int, int]], uptime_ms: int) -> int | None:
    """Date an uptime by the first fix at or after it, else by the last before; None: no fix."""
    if not fixes:
        return None
    at = min(bisect_left(fixes, (uptime_ms, 0)), len(fixes) - 1)
    return fixes[at][1] - fixes[at][0] + uptime_ms
