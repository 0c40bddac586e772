"""SenML JSON (RFC 8428) of stored readings: the yardstick for size, and a form others can read.

pack(samples_of_one_reading)     # b'[{"bn":"gw-ecole/main/","bt":1700000000.0,"n":"power",...'
"""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.numbers import join
from host_tools.collect.queries import Sample

# RFC 8428, 12.1, and RFC 8798: our unit texts where SenML registered another spelling.
UNITS = {"degC": "Cel", "m3": "m3", "VA": "VA", "var": "var", "Wh": "Wh", "l": "l"}


def pack(samples: Sequence[Sample]) -> bytes:
    """Return one SenML pack of samples of one meter and one instant, UTF-8 JSON.

    Points without a value are left out: SenML has no word for "nothing there".
    """
    records: list[dict[str, object]] = []
    for sample in samples:
        exact = sample.text()
        if exact is None:
            continue
        record: dict[str, object] = {}
        if not records:
            record["bn"] = f"{sample.gateway}/{sample.meter}/".lstrip("/")
            record["bt"] = (sample.at_ms or 0) / 1000
        record["n"] = sample.point
        if sample.unit:
            record["u"] = UNITS.get(sample.unit, sample.unit)
        records.append({**record, "v": exact})
    lines = json.dumps(records, separators=(",", ":"))
    for record in records:
        # json has no decimal type: the quotes around an exact number are taken off again.
        lines = lines.replace(f'"v":"{record["v"]}"', f'"v":{record["v"]}', 1)
    return lines.encode()


def bytes_per_reading(engine: sa.Engine, readings: int = 200) -> float | None:
    """Return what the newest readings would cost as SenML JSON (RFC 8428); None before the first.

    One pack per reading, as a gateway would send it: base name and base time once, then a record
    per point with its name, unit and value.
    """
    with engine.connect() as connection:
        newest = connection.scalars(
            sa.select(t.reading.c.id).order_by(t.reading.c.id.desc()).limit(readings)
        ).all()
        if not newest:
            return None
        rows = connection.execute(
            sa.select(t.value, t.point, t.reading.c.at_ms, t.meter.c.name.label("meter"))
            .join(t.point, t.point.c.id == t.value.c.point_id)
            .join(t.reading, t.reading.c.id == t.value.c.reading_id)
            .join(t.meter, t.meter.c.id == t.reading.c.meter_id)
            .where(t.value.c.reading_id.in_(newest))
            .order_by(t.value.c.reading_id)
        )
        packs: dict[int, list[Sample]] = {}
        for row in rows:
            integer = None if row.value is None else join(row.value, row.high)
            packs.setdefault(row.reading_id, []).append(
                Sample(
                    "",
                    row.meter,
                    row.name,
                    row.at_ms,
                    integer,
                    row.exponent,
                    row.unit,
                    row.quality,
                )
            )
    return sum(len(pack(found)) for found in packs.values()) / len(newest)
