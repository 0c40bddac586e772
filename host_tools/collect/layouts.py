"""What the columns of a gateway's blocks are, as its known schemas say.

Not how a schema becomes known (schemas.py).

    key = (gateway_id, "0a0b0c0d")
    layouts(transaction, [key])[key]        # {0: (meter id, [point ids])}
"""

from collections.abc import Collection

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.transaction import Transaction

Key = tuple[int, str]  # gateway's row, configuration
Layout = dict[int, tuple[int, list[int]]]  # meter's place in blocks: (meter id, point ids)


def layouts(to: Transaction, keys: Collection[Key]) -> dict[Key, Layout]:
    """Return what the columns of blocks are by (gateway's row, configuration), where known."""
    c, place = t.configuration.c, t.layout.c
    found: dict[Key, Layout] = {}
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
