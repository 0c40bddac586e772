"""What blocks mean: schemas kept for ever, and the blocks that waited for theirs.

Not the check of a schema's JSON (messages.py).

    learn(transaction, "gw-ecole", read_schema(tree, "gw-ecole"))
    key = (gateway_id, "0a0b0c0d")
    layouts(transaction, [key])[key]        # {0: (meter id, [point ids])}
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.messages import MeterRow, Refused, Schema
from host_tools.collect.transaction import STORED, Transaction

Layout = dict[int, tuple[int, list[int]]]  # meter's place in blocks: (meter id, point ids)


def learn(to: Transaction, gateway: str, schema: Schema) -> None:
    """Keep a schema, then decode what waited for it; Refused when it is known otherwise."""
    from host_tools.collect.blocks import take_blocks

    gateway_id = to.gateway_id(gateway)
    c = t.configuration.c
    same = sa.select(c.schema).where((c.gateway_id == gateway_id) & (c.hash == schema.hash))
    known = to.connection.scalar(same)
    if known is None and to.hold(gateway_id):
        known = to.connection.scalar(same)
    if known == schema.text:
        return
    if known is not None:
        raise Refused(f"schema {schema.hash} is known with other content")
    configuration_id = to.connection.scalar(
        t.configuration.insert().returning(c.id),
        {"gateway_id": gateway_id, "hash": schema.hash, "schema": schema.text},
    )
    meters = [_keep_meter(to, gateway_id, meter) for meter in schema.meters]
    rows = [
        {"meter_id": meter_id, **vars(point)}
        for meter_id, meter in zip(meters, schema.meters, strict=True)
        for point in meter.points
    ]
    numbers = _keep_points(to, rows)
    places = [
        (configuration_id, index, column, meter_id, numbers[(meter_id, *vars(point).values())])
        for index, (meter_id, meter) in enumerate(zip(meters, schema.meters, strict=True))
        for column, point in enumerate(meter.points)
    ]
    if places:
        names = ("configuration_id", "meter_index", "column", "meter_id", "point_id")
        to.connection.execute(
            t.layout.insert(), [dict(zip(names, place, strict=True)) for place in places]
        )
    take_blocks(to, _unpark(to, gateway_id, gateway, schema.hash))


def _keep_meter(to: Transaction, gateway_id: int, meter: MeterRow) -> int:
    columns = {
        "protocol": meter.protocol,
        "map": meter.map,
        "interval_s": meter.interval_s,
        "personal": meter.personal,
    }
    meter_id = to.connection.scalar(
        to.insert(t.meter)
        .values(gateway_id=gateway_id, name=meter.name, **columns)
        .on_conflict_do_update(index_elements=["gateway_id", "name"], set_=columns)
        .returning(t.meter.c.id)
    )
    assert isinstance(meter_id, int)
    return meter_id


def _keep_points(to: Transaction, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
    """Return each point's row by (meter's row, name, unit, exponent, kind, code)."""
    if not rows:
        return {}
    insert = to.insert(t.point)
    kept = to.connection.execute(
        # Something must be set for the row to be returned when it was there.
        insert.on_conflict_do_update(
            index_elements=list(rows[0]), set_={"code": insert.excluded.code}
        ).returning(*(t.point.c[name] for name in rows[0]), t.point.c.id),
        rows,
    )
    return {tuple(row[:-1]): row.id for row in kept}


def _unpark(
    to: Transaction, gateway_id: int, gateway: str, config_hash: str
) -> list[tuple[int, str, bytes]]:
    """Take what waited for a schema out of its parking; return it for take_blocks()."""
    where = (t.parked.c.gateway_id == gateway_id) & (t.parked.c.hash == config_hash)
    waiting = to.connection.execute(
        sa.select(t.parked.c.record_id, t.parked.c.data).where(where)
    ).all()
    if not waiting:
        return []
    ids = [row.record_id for row in waiting]
    to.connection.execute(t.parked.delete().where(where))
    to.connection.execute(t.record.update().where(t.record.c.id.in_(ids)).values(fate=STORED))
    return [(row.record_id, gateway, bytes(row.data)) for row in waiting]


def layouts(to: Transaction, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], Layout]:
    """Return what the columns of blocks are by (gateway's row, configuration), where known."""
    c, place = t.configuration.c, t.layout.c
    found: dict[tuple[int, str], Layout] = {}
    rows = to.connection.execute(
        sa.select(
            c.gateway_id, c.hash, place.meter_index, place.column, place.meter_id, place.point_id
        )
        # A configuration may have no meter, and is known all the same.
        .join_from(t.configuration, t.layout, place.configuration_id == c.id, isouter=True)
        .where(sa.tuple_(c.gateway_id, c.hash).in_(keys))
        .order_by(c.id, place.meter_index, place.column)
    )
    for row in rows:
        meters = found.setdefault((row.gateway_id, row.hash), {})
        if row.meter_id is not None:
            meters.setdefault(row.meter_index, (row.meter_id, []))[1].append(row.point_id)
    return found
