"""Following what arrives, with a cursor of one's own that survives restarts.

Not what is done with it (summaries.py, outputs/). An arrival is a block whose readings became
readable; a follower takes them in order, does its work, and moves its cursor after it. Killed in
between it does the same work again, so that work must bear repetition. A new follower begins
with the oldest: that is the back-fill.

    for batch in following(engine, "influx", most=500): ...
"""

from collections.abc import Iterator

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.database import writing


def fence(connection: sa.Connection) -> int:
    """Return the highest arrival up to which none can appear any more.

    PostgreSQL hands out numbers before it commits, so a lower one may still be on its way; the
    lock waits until every transaction that has begun to write arrivals has ended.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE arrival IN SHARE MODE"))
    return connection.scalar(sa.select(sa.func.max(t.arrival.c.id))) or 0


def position(engine: sa.Engine, name: str) -> int:
    """Return a follower's cursor, 0 for a new one."""
    with engine.connect() as connection:
        c = t.cursor.c
        return connection.scalar(sa.select(c.arrival_id).where(c.name == name)) or 0


def move(connection: sa.Connection, name: str, arrival_id: int) -> None:
    """Set a follower's cursor within the caller's transaction."""
    c = t.cursor.c
    moved = connection.execute(
        t.cursor.update().where(c.name == name).values(arrival_id=arrival_id)
    )
    if not moved.rowcount:
        connection.execute(t.cursor.insert().values(name=name, arrival_id=arrival_id))


def following(engine: sa.Engine, name: str, most: int = 500) -> Iterator[list[int]]:
    """Yield the record ids of each batch of arrivals; the cursor moves when the next is asked."""
    while True:
        begun = position(engine, name)
        with engine.begin() as connection:
            last = fence(connection)
        c = t.arrival.c
        with engine.connect() as connection:
            rows = connection.execute(
                sa.select(c.id, c.record_id)
                .where((c.id > begun) & (c.id <= last))
                .order_by(c.id)
                .limit(most)
            ).all()
        if not rows:
            return
        yield list(dict.fromkeys(row.record_id for row in rows))
        with writing(engine).begin() as connection:
            move(connection, name, rows[-1].id)
