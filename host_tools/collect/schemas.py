"""What blocks mean: schemas kept for ever, and the blocks that waited for theirs.

Not the check of a schema's JSON (messages.py), nor what a known one says (layouts.py).

    learn(transaction, [("gw-ecole", read_schema(tree, "gw-ecole"))])
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.blocks import take_blocks
from host_tools.collect.layouts import Key
from host_tools.collect.messages import PointRow, Schema
from host_tools.collect.transaction import STORED, Transaction

_MANY = 10_000  # numbers in one statement


def learn(to: Transaction, schemas: Sequence[tuple[str, Schema]]) -> list[str]:
    """Keep schemas given as (gateway, schema), then decode what waited for them.

    Returns for each why it is refused, "" where it is not: a schema may be known with other
    content. A few statements, whatever the number of schemas.
    """
    wanted: dict[Key, tuple[str, Schema]] = {}
    for gateway, schema in schemas:
        wanted.setdefault((to.gateway_id(gateway), schema.hash), (gateway, schema))
    known = _texts(to, wanted.keys()) if wanted else {}
    unsure = wanted.keys() - known.keys()
    if unsure and to.hold(*(gateway_id for gateway_id, _ in unsure)):
        # Another collector may have learnt one while we asked.
        known |= _texts(to, unsure)
    fresh = {key: wanted[key] for key in sorted(wanted.keys() - known.keys())}
    if fresh:
        _keep(to, {key: schema for key, (_, schema) in fresh.items()})
        take_blocks(to, _unpark(to, {key: gateway for key, (gateway, _) in fresh.items()}))
    known |= {key: schema.text for key, (_, schema) in fresh.items()}
    return [
        ""
        if known[to.gateway_id(gateway), schema.hash] == schema.text
        else f"schema {schema.hash} is known with other content"
        for gateway, schema in schemas
    ]


def _texts(to: Transaction, keys: Collection[Key]) -> dict[Key, str]:
    c = t.configuration.c
    rows = to.connection.execute(
        sa.select(c.gateway_id, c.hash, c.schema).where(_are(c.gateway_id, c.hash, keys))
    )
    return {
        (row.gateway_id, row.hash): row.schema
        for row in rows
        if (row.gateway_id, row.hash) in keys
    }


def _are(gateway_id: Any, config_hash: Any, keys: Collection[Key]) -> Any:
    """Return what is true of all keys, and of a few more: a database finds pairs slowly."""
    return gateway_id.in_({key[0] for key in keys}) & config_hash.in_({key[1] for key in keys})


def _keep(to: Transaction, schemas: Mapping[Key, Schema]) -> None:
    """Keep new schemas: their configurations, meters, points and layouts."""
    c, m = t.configuration.c, t.meter.c
    configurations: dict[Key, int] = {
        (row.gateway_id, row.hash): row.id
        for row in to.connection.execute(
            t.configuration.insert().returning(c.id, c.gateway_id, c.hash),
            [
                {"gateway_id": key[0], "hash": key[1], "schema": schema.text}
                for key, schema in schemas.items()
            ],
        )
    }
    rows = {
        (gateway_id, meter.name): {
            "gateway_id": gateway_id,
            "name": meter.name,
            "protocol": meter.protocol,
            "map": meter.map,
            "interval_s": meter.interval_s,
            "personal": meter.personal,
        }
        for (gateway_id, _), schema in schemas.items()
        for meter in schema.meters
    }
    if not rows:
        return
    insert = to.insert(t.meter)
    changed = {n: insert.excluded[n] for n in ("protocol", "map", "interval_s", "personal")}
    meters = {
        (row.gateway_id, row.name): row.id
        for row in to.connection.execute(
            insert.on_conflict_do_update(
                index_elements=["gateway_id", "name"], set_=changed
            ).returning(m.id, m.gateway_id, m.name),
            list(rows.values()),
        )
    }
    places = [
        (configurations[key], index, column, meters[key[0], meter.name], point)
        for key, schema in schemas.items()
        for index, meter in enumerate(schema.meters)
        for column, point in enumerate(meter.points)
    ]
    points = _keep_points(to, {(meter_id, point) for *_, meter_id, point in places})
    to.fill(t.layout, [(*place, meter_id, points[meter_id, p]) for *place, meter_id, p in places])


def _keep_points(
    to: Transaction, wanted: Collection[tuple[int, PointRow]]
) -> dict[tuple[int, PointRow], int]:
    """Return each point's row, made where it was not there."""
    if not wanted:
        return {}
    rows = [
        {"meter_id": meter_id, **vars(point)}
        for meter_id, point in sorted(wanted, key=lambda row: (row[0], *vars(row[1]).values()))
    ]
    insert = to.insert(t.point)
    kept = to.connection.execute(
        # Something must be set for the row to be returned when it was there.
        insert.on_conflict_do_update(
            index_elements=list(rows[0]), set_={"code": insert.excluded.code}
        ).returning(t.point.c.id, *(t.point.c[name] for name in rows[0])),
        rows,
    )
    return {(row[1], PointRow(*row[2:])): row[0] for row in kept}


def _unpark(to: Transaction, gateways: Mapping[Key, str]) -> list[tuple[int, str, bytes]]:
    """Take what waited for schemas out of its parking; return it for take_blocks()."""
    c = t.parked.c
    waiting = [
        row
        for row in to.connection.execute(
            sa.select(t.parked).where(_are(c.gateway_id, c.hash, gateways.keys()))
        )
        if (row.gateway_id, row.hash) in gateways
    ]
    ids = [row.record_id for row in waiting]
    for at in range(0, len(ids), _MANY):
        these = ids[at : at + _MANY]
        to.connection.execute(t.parked.delete().where(c.record_id.in_(these)))
        to.connection.execute(
            t.record.update().where(t.record.c.id.in_(these)).values(fate=STORED)
        )
    return [
        (row.record_id, gateways[row.gateway_id, row.hash], bytes(row.data)) for row in waiting
    ]
