"""`eclor export`: consumption of groups of meters as open data, with a Table Schema."""

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import USAGE, Problem

NAME = "export"


class Form(StrEnum):
    """Of the file."""

    csv = "csv"
    parquet = "parquet"


class Group(StrEnum):
    """What is summed up."""

    site = "site"
    all = "all"


class Step(StrEnum):
    """Of time."""

    quarter = "quarter"
    day = "day"


def command(
    folder: Annotated[Path, typer.Argument(help="Where to write table and datapackage.json.")],
    database: options.Database = "sqlite:///eclor.db",
    group: Annotated[Group, typer.Option(help="Sum up each site, or everything.")] = Group.site,
    step: Annotated[Step, typer.Option(help="A quarter of an hour, or a day (UTC).")] = Step.day,
    form: Annotated[Form, typer.Option("--format", help="Of the table.")] = Form.csv,
    least: Annotated[int, typer.Option(help="Meters in a group that has a personal one.")] = 10,
    since: Annotated[str | None, typer.Option(help="First day, 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="The day after the last.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Write open data in which no household can be singled out; say what was held back."""
    from host_tools.collect.database import open_database
    from host_tools.collect.open_data import export
    from host_tools.collect.summaries import summarise

    engine = open_database(database, must_be_there=True)
    summarise(engine)
    report = export(
        engine,
        folder,
        step_s=900 if step is Step.quarter else 86_400,
        group=group.value,
        least=least,
        form=form.value,
        span=(_day(since, 0), _day(until, 1 << 53)),
    )
    engine.dispose()
    if as_json:
        print(json.dumps({"rows": report.rows, "held_back": report.held_back}))
        return
    print(
        say("{count} rows in {folder}", count=f"{report.rows:,}", folder=folder), file=sys.stderr
    )
    for reason, count in report.held_back.items():
        told = say("held back: {count} cells, {why}", count=f"{count:,}", why=translated(reason))
        print(told, file=sys.stderr)


def _day(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    try:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise Problem(f"{text!r} is no day", "write 2026-01-31", code=USAGE) from None
