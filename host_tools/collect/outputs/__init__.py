"""Outputs: what other platforms get, each with its own cursor, so each catches up by itself.

Not open data (open_data.py: a file on demand). An output is a name, a function that takes
readings in order and sends them, and nothing else; `Output.run` follows the arrivals and moves
the cursor after a success. A new output begins with the oldest reading: that is the back-fill.
Killed between sending and moving it sends the same again, so the receiver must bear repeats:
a point of Influx and an NGSI-LD upsert overwrite themselves.

    Output(engine, "influx", influx.Influx(url).send).run()
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.arrivals import following
from host_tools.collect.numbers import text


@dataclass(frozen=True)
class Value:
    """One point of a reading; number: exact decimal text, None where quality says why."""

    point: str
    unit: str
    kind: int
    number: str | None
    quality: int


@dataclass(frozen=True)
class Reading:
    """The points of one meter at one instant, at_ms since 1970 UTC."""

    site: str
    gateway: str
    meter: str
    protocol: str
    personal: bool
    at_ms: int
    values: tuple[Value, ...]


class Output:
    """One output over one database.

    name      of the cursor; another name begins again with the oldest
    send      takes readings, oldest first; raises httpx.HTTPError or OSError when it failed
    personal  whether readings of personal meters may leave
    """

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        send: Callable[[Sequence[Reading]], None],
        *,
        personal: bool = False,
        most: int = 200,
    ) -> None:
        self._engine = engine
        self._name = f"output:{name}"
        self._send = send
        self._personal = personal
        self._most = most

    def run(self) -> int:
        """Send everything that arrived since the last time; return how many readings."""
        sent = 0
        for record_ids in following(self._engine, self._name, self._most):
            found = [
                reading
                for reading in readings_of(self._engine, record_ids)
                if self._personal or not reading.personal
            ]
            if found:
                self._send(found)
                sent += len(found)
        return sent


def readings_of(engine: sa.Engine, record_ids: Sequence[int]) -> list[Reading]:
    """Return the dated readings of these blocks, in order of time."""
    r, v, p, m, g = t.reading.c, t.value.c, t.point.c, t.meter.c, t.gateway.c
    query = (
        sa.select(
            r.id,
            r.at_ms,
            g.site,
            g.name.label("gateway"),
            m.name.label("meter"),
            m.protocol,
            m.personal,
            p.name.label("point"),
            p.unit,
            p.kind,
            p.exponent,
            v.value,
            v.high,
            v.quality,
        )
        .select_from(t.reading)
        .join(t.value, v.reading_id == r.id)
        .join(t.point, p.id == v.point_id)
        .join(t.meter, m.id == r.meter_id)
        .join(t.gateway, g.id == m.gateway_id)
    )
    made: dict[int, tuple[sa.Row, list[Value]]] = {}
    with engine.connect() as connection:
        for record_id in record_ids:
            first = record_id * t.ROWS_MAX
            mine = r.id.between(first, first + t.ROWS_MAX - 1) & r.at_ms.is_not(None)
            for row in connection.execute(query.where(mine).order_by(r.id, p.id)):
                number = text(row.value, row.high, row.exponent)
                value = Value(row.point, row.unit, row.kind, number, row.quality)
                made.setdefault(row.id, (row, []))[1].append(value)
    found = [
        Reading(
            row.site, row.gateway, row.meter, row.protocol, row.personal, row.at_ms, tuple(values)
        )
        for row, values in made.values()
    ]
    return sorted(found, key=lambda reading: reading.at_ms)
