"""Records of one batch: each number once, then what its kind says.

Not blocks (blocks.py) and not the envelope's check (messages.py).

    records = Records(transaction)
    records.add("gw-ecole", message)
    records.store()
"""

import json

import sqlalchemy as sa

from agent.record import BLOCK, BOOT, EVENT, HEALTH, LOST, SCHEMA, TIME
from host_tools.collect import tables as t
from host_tools.collect.blocks import take_blocks
from host_tools.collect.dates import take_fix
from host_tools.collect.gateways import declare, meet
from host_tools.collect.messages import (
    MS_MAX,
    U32_MAX,
    Envelope,
    Message,
    Refused,
    open_record,
    read_json,
    read_schema,
    whole,
    words,
)
from host_tools.collect.schemas import learn
from host_tools.collect.transaction import STORED, Transaction

Key = tuple[int, int, int]  # gateway's row, journal, seq


class Records:
    """The records of one transaction, sorted by their numbers before they are stored."""

    def __init__(self, to: Transaction) -> None:
        self._to = to
        self._records: dict[Key, tuple[str, Envelope]] = {}

    def add(self, gateway: str, message: Message) -> None:
        """Keep a record for store(), or deal with what is no record of its own; or Refused."""
        envelope = open_record(message.payload)
        meet(self._to, gateway, envelope.journal)
        if envelope.kind == LOST:
            tree = read_json(envelope.payload)
            first = whole(tree, "first", 1, U32_MAX)
            span = (first, whole(tree, "last", first, U32_MAX))
            declare(
                self._to,
                gateway,
                envelope.journal,
                span,
                words(tree, "why"),
                whole(tree, "from_ms", 0, MS_MAX, 0),
                whole(tree, "to_ms", 0, MS_MAX, 0),
            )
            return
        key = (self._to.gateway_id(gateway), envelope.journal, envelope.seq)
        known = self._records.setdefault(key, (gateway, envelope))[1]
        if known is envelope:
            return
        if known.crc != envelope.crc:
            raise Refused(f"record {envelope.seq} came with other content before")
        self._to.outcome.repeats += 1

    def store(self) -> None:
        """Insert what is new; compare what is known."""
        if not self._records:
            return
        # Sorted: two collectors with the same records then never wait for each other crosswise.
        keys = sorted(self._records)
        rows = [self._row(key) for key in keys]
        c = t.record.c
        inserted = self._to.connection.execute(
            self._to.insert(t.record)
            .on_conflict_do_nothing(index_elements=["gateway_id", "journal", "seq"])
            .returning(c.id, c.gateway_id, c.journal, c.seq),
            rows,
        )
        fresh = {(row.gateway_id, row.journal, row.seq): row.id for row in inserted}
        self._compare([key for key in keys if key not in fresh])
        blocks = []
        # In the order of the numbers, so that a schema is known before its first block.
        for key in keys:
            gateway, envelope = self._records[key]
            if key not in fresh:
                continue
            self._to.outcome.records += 1
            if envelope.kind == BLOCK:
                blocks.append((fresh[key], gateway, envelope.payload))
                continue
            try:
                self._take_event(fresh[key], gateway, envelope)
            except Refused as refused:
                self._to.spoil(fresh[key], gateway, envelope.payload, str(refused))
        take_blocks(self._to, blocks)

    def _row(self, key: Key) -> dict[str, object]:
        envelope = self._records[key][1]
        return {
            "gateway_id": key[0],
            "journal": key[1],
            "seq": key[2],
            "kind": envelope.kind,
            "crc": envelope.crc,
            "bytes": envelope.size,
            "readings": 0,
            "fate": STORED,
            "received_ms": self._to.now_ms,
        }

    def _compare(self, keys: list[Key]) -> None:
        """Tell repeats from other records under the numbers of stored ones."""
        if not keys:
            return
        c = t.record.c
        crcs = {
            (row.gateway_id, row.journal, row.seq): row.crc
            for row in self._to.connection.execute(
                sa.select(c.gateway_id, c.journal, c.seq, c.crc).where(
                    sa.tuple_(c.gateway_id, c.journal, c.seq).in_(keys)
                )
            )
        }
        for key in keys:
            gateway, envelope = self._records[key]
            if crcs[key] == envelope.crc:
                self._to.outcome.repeats += 1
                continue
            reason = f"record {envelope.seq} is stored with other content"
            self._to.quarantine(gateway, f"eclor/1/{gateway}/rec", envelope.payload, reason)

    def _take_event(self, record_id: int, gateway: str, envelope: Envelope) -> None:
        """Store one record that is JSON; Refused when its payload is not what its kind says."""
        if envelope.kind not in (BOOT, EVENT, TIME, HEALTH, SCHEMA):
            raise Refused(f"record kind {envelope.kind} is not known")
        tree = read_json(envelope.payload)
        ids = {"record_id": record_id, "gateway_id": self._to.gateway_id(gateway)}
        detail = json.dumps(tree, ensure_ascii=False)
        if envelope.kind == SCHEMA:
            (why,) = learn(self._to, [(gateway, read_schema(tree, gateway))])
            if why:
                raise Refused(why)
        elif envelope.kind == TIME:
            take_fix(self._to, ids["gateway_id"], tree)
        elif envelope.kind == HEALTH:
            self._to.connection.execute(t.health.insert(), {**ids, "detail": detail})
        elif envelope.kind == BOOT:
            row = {
                "boot": whole(tree, "boot", 0, U32_MAX),
                "cause": words(tree, "cause"),
                "version": words(tree, "version", ""),
                "from_ms": whole(tree, "from_ms", 0, MS_MAX, 0),
                "to_ms": whole(tree, "to_ms", 0, MS_MAX, 0),
            }
            self._to.connection.execute(t.boot.insert(), {**ids, **row})
        else:
            row = {
                "at_ms": whole(tree, "at_ms", 0, MS_MAX, 0),
                "what": words(tree, "what"),
                "meter": words(tree, "meter", ""),
                "why": words(tree, "why", "", limit=4000),
                "detail": detail,
            }
            self._to.connection.execute(t.event.insert(), {**ids, **row})
