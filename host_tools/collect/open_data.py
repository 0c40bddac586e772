"""Open data: consumption of groups of meters as CSV or Parquet, so that nobody is singled out.

Not the outputs (outputs/), which give everything to platforms of one's own. A group is a site,
or everything. A cell (group, point, step) is published when it holds

- at least `least` meters, if one of them is personal, and
- no personal meter that alone makes more than 85 % of it (it could be read off).

What is held back is counted and its reason given; an export that would be empty is refused. Two
exports of one period by different groups may be subtracted from each other: publish one.

Beside the table stands datapackage.json with its Table Schema (Frictionless Data, Table Schema
v1; Data Package v1).

    report = export(engine, Path("open"), step_s=86400, group="site", least=10)
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from drivers.reading import COUNTER
from host_tools.collect import tables as t
from host_tools.problems import FAILED, INPUT, MISSING, Problem

_DOMINANCE = Decimal("0.85")
_CSV, _PARQUET = "csv", "parquet"
_FIELDS = (
    ("group", "string", "The site, or `all`"),
    ("point", "string", "What was measured"),
    ("unit", "string", "Unit of consumption"),
    ("start", "datetime", "Begin of the step, UTC, included"),
    ("step_s", "integer", "Length of the step in seconds"),
    ("consumption", "number", "Sum over the group's meters"),
    ("estimated", "number", "The part of it that was spread over gaps"),
    ("meters", "integer", "How many meters it is the sum of"),
)


@dataclass
class Report:
    """What was published, and what was held back and why."""

    rows: int = 0
    held_back: dict[str, int] = field(default_factory=dict)  # reason: cells

    def hold_back(self, reason: str) -> None:
        """Count one cell."""
        self.held_back[reason] = self.held_back.get(reason, 0) + 1


Cell = tuple[str, str, str, int, Decimal, Decimal, int]


def cells(
    engine: sa.Engine, step_s: int, group: str, least: int, span: tuple[int, int], report: Report
) -> Iterator[Cell]:
    """Yield what may be published: group, point, unit, start_ms, consumption, estimated, meters.

    span  start_ms of the first step, included, and of the end, not included
    """
    s, p, m, g = t.summary.c, t.point.c, t.meter.c, t.gateway.c
    query = (
        sa.select(
            g.site,
            p.name,
            p.unit,
            p.exponent,
            p.meter_id,
            m.personal,
            s.start_ms,
            s.consumption,
            s.estimated,
        )
        .select_from(t.summary)
        .join(t.point, p.id == s.point_id)
        .join(t.meter, m.id == p.meter_id)
        .join(t.gateway, g.id == m.gateway_id)
        .where(
            (s.step_s == step_s)
            & (s.start_ms >= span[0])
            & (s.start_ms < span[1])
            & (p.kind == COUNTER)
            & s.consumption.is_not(None)
        )
    )
    gathered: dict[tuple[str, str, str, int], dict[int, tuple[bool, Decimal, Decimal]]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query):
            name = row.site if group == "site" else "all"
            cell = gathered.setdefault((name, row.name, row.unit, row.start_ms), {})
            old = cell.get(row.meter_id, (False, Decimal(0), Decimal(0)))
            cell[row.meter_id] = (
                row.personal,
                old[1] + Decimal(row.consumption).scaleb(row.exponent),
                old[2] + Decimal(row.estimated).scaleb(row.exponent),
            )
    for key, meters in sorted(gathered.items()):
        total = sum((amount for _, amount, _ in meters.values()), Decimal(0))
        if any(personal for personal, _, _ in meters.values()):
            if len(meters) < least:
                report.hold_back(f"fewer than {least} meters in {key[0]}")
                continue
            if any(
                personal and total and amount > _DOMINANCE * total
                for personal, amount, _ in meters.values()
            ):
                report.hold_back(f"one household makes most of {key[0]}")
                continue
        report.rows += 1
        spread = sum((part for _, _, part in meters.values()), Decimal(0))
        yield (*key, total, spread, len(meters))


def export(
    engine: sa.Engine,
    folder: Path,
    *,
    step_s: int = 86_400,
    group: str = "site",
    least: int = 10,
    form: str = _CSV,
    span: tuple[int, int] = (0, 1 << 53),
    licence: str = "etalab-2.0",
) -> Report:
    """Write consumption.csv or consumption.parquet and datapackage.json into folder.

    A Problem when nothing may be published (with the reasons), or when least is below 2.
    """
    if least < 2:
        remedy = "10 is customary for households"
        raise Problem(f"a group of {least} hides nobody", remedy, code=INPUT)
    report = Report()
    rows = list(cells(engine, step_s, group, least, span, report))
    if not rows:
        reasons = [f"{why} ({count} cells)" for why, count in report.held_back.items()]
        raise Problem(
            "nothing may be published: " + ("; ".join(reasons) or "there is no consumption"),
            "choose a larger group (--group all), or a longer time",
            code=FAILED,
        )
    folder.mkdir(parents=True, exist_ok=True)
    name = f"consumption.{form}"
    if form == _PARQUET:
        _write_parquet(folder / name, rows, step_s)
    else:
        _write_csv(folder / name, rows, step_s)
    package = _package(name, form, licence, least)
    (folder / "datapackage.json").write_text(json.dumps(package, indent=1) + "\n")
    return report


def _write_csv(path: Path, rows: list[Cell], step_s: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(name for name, _, _ in _FIELDS)
        for group, point, unit, start_ms, total, spread, meters in rows:
            start = datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            row = (group, point, unit, start, step_s, f"{total:f}", f"{spread:f}", meters)
            writer.writerow(row)


def _write_parquet(path: Path, rows: list[Cell], step_s: int) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        remedy = "pip install pyarrow, or choose --format csv"
        raise Problem("Parquet needs pyarrow", remedy, code=MISSING) from None
    digits = max(
        -min(int(row[4].as_tuple().exponent), int(row[5].as_tuple().exponent)) for row in rows
    )
    number = pa.decimal128(38, max(0, digits))
    groups, points, units, starts, totals, spreads, meters = zip(*rows, strict=True)
    columns: dict[str, Any] = {
        "group": pa.array(groups, pa.string()),
        "point": pa.array(points, pa.string()),
        "unit": pa.array(units, pa.string()),
        "start": pa.array(starts, pa.timestamp("ms", "UTC")),
        "step_s": pa.array([step_s] * len(rows), pa.int32()),
        "consumption": pa.array(totals, number),
        "estimated": pa.array(spreads, number),
        "meters": pa.array(meters, pa.int32()),
    }
    pq.write_table(pa.table(columns), path)


def _package(name: str, form: str, licence: str, least: int) -> dict[str, object]:
    fields = []
    for column, kind, description in _FIELDS:
        entry: dict[str, object] = {"name": column, "type": kind, "description": description}
        entry["constraints"] = {"required": True}
        if column == "start":
            entry["format"] = "%Y-%m-%dT%H:%M:%SZ"
        fields.append(entry)
    return {
        "profile": "tabular-data-package" if form == _CSV else "data-package",
        "name": "consumption",
        "description": f"Consumption of groups; at least {least} meters where one is personal.",
        "licenses": [{"name": licence}],
        "resources": [
            {
                "name": "consumption",
                "path": name,
                "format": form,
                "mediatype": "text/csv" if form == _CSV else "application/vnd.apache.parquet",
                **(
                    {"encoding": "utf-8", "profile": "tabular-data-resource"}
                    if form == _CSV
                    else {}
                ),
                "schema": {
                    "fields": fields,
                    "primaryKey": ["group", "point", "unit", "start", "step_s"],
                    "missingValues": [""],
                },
            }
        ],
    }
