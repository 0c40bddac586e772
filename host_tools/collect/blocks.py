"""Blocks of readings into rows, or parked until their schema is known.

Not the block format (agent/codec.py) nor the record around it (records.py).

    take_blocks(transaction, [(record_id, "gw-ecole", payload)])
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from agent.codec import BadBlock, decode
from host_tools.codec.fast import Pace
from host_tools.collect import tables as t
from host_tools.collect.dates import CLOCK_UNSET, arrive, known_fixes, wall_ms
from host_tools.collect.layouts import Layout, layouts
from host_tools.collect.messages import Refused
from host_tools.collect.numbers import split
from host_tools.collect.transaction import PARKED, Transaction

_pace = Pace()


def take_blocks(to: Transaction, blocks: Sequence[tuple[int, str, bytes]]) -> None:
    """Store blocks given as (record id, gateway, bytes)."""
    _pace.count(len(blocks))
    whole: list[tuple[int, str, bytes, Any, tuple[int, str]]] = []
    for record_id, gateway, data in blocks:
        try:
            block = decode(data)
        except BadBlock as bad:
            to.spoil(record_id, gateway, data, f"no block: {bad}")
            continue
        key = (to.gateway_id(gateway), bytes(block.config_hash).hex())
        whole.append((record_id, gateway, data, block, key))
    known = _layouts(to, {key for *_, key in whole})
    readings: list[tuple[object, ...]] = []
    values: list[tuple[object, ...]] = []
    counts: list[dict[str, int]] = []
    for record_id, gateway, data, block, key in whole:
        if key not in known:
            _park(to, record_id, *key, data)
            continue
        try:
            _read_block(to, record_id, key[0], block, known[key], readings, values)
        except Refused as refused:
            to.spoil(record_id, gateway, data, str(refused))
            continue
        counts.append({"of": record_id, "count": len(block.rows)})
    to.fill(t.reading, readings)
    to.fill(t.value, values)
    arrive(to, [count["of"] for count in counts])
    if counts:
        to.connection.execute(
            t.record.update()
            .where(t.record.c.id == sa.bindparam("of"))
            .values(readings=sa.bindparam("count")),
            counts,
        )
    to.outcome.readings += len(readings)


def _layouts(to: Transaction, keys: set[tuple[int, str]]) -> dict[tuple[int, str], Layout]:
    """Return the layouts that are known; what is not stays so until this transaction ends."""
    known = layouts(to, keys) if keys else {}
    unsure = keys - known.keys()
    if unsure and to.hold(*(gateway_id for gateway_id, _ in unsure)):
        # Another collector may have learnt a schema while we asked.
        known |= layouts(to, unsure)
    return known


def _read_block(
    to: Transaction,
    record_id: int,
    gateway_id: int,
    block: Any,
    places: Layout,
    readings: list[tuple[object, ...]],
    values: list[tuple[object, ...]],
) -> None:
    """Add a block's rows to readings and values; Refused leaves both as they were."""
    if block.meter not in places:
        raise Refused(f"block of meter {block.meter}, the schema has {len(places)}")
    meter_id, point_ids = places[block.meter]
    if len(block.rows) > t.ROWS_MAX:
        raise Refused(f"block of {len(block.rows)} readings, at most {t.ROWS_MAX}")
    for _, row, quality in block.rows:
        if len(row) != len(point_ids) or len(quality) != len(point_ids):
            raise Refused(f"reading of {len(row)} points, the schema has {len(point_ids)}")
    is_unset = block.clock == CLOCK_UNSET
    fixes = known_fixes(to, gateway_id, block.boot) if is_unset else []
    for index, (at_ms, row, quality) in enumerate(block.rows):
        reading_id = record_id * t.ROWS_MAX + index
        dated_ms = wall_ms(fixes, at_ms) if is_unset else at_ms
        uptime_ms = at_ms if is_unset else None
        readings.append((reading_id, meter_id, dated_ms, block.clock, block.boot, uptime_ms))
        for point_id, number, mark in zip(point_ids, row, quality, strict=True):
            low, high = (None, 0) if number is None else split(number)
            values.append((reading_id, point_id, low, high, mark))


def _park(to: Transaction, record_id: int, gateway_id: int, config_hash: str, data: bytes) -> None:
    row = {"record_id": record_id, "gateway_id": gateway_id, "hash": config_hash, "data": data}
    to.connection.execute(t.parked.insert(), row)
    to.set_fate(record_id, PARKED)
    to.outcome.parked += 1
