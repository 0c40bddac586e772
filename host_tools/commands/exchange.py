"""`eclor exchange`: a device was exchanged at a metering place; its consumption goes on."""

from datetime import datetime
from typing import Annotated

import typer

from host_tools.problems import USAGE, Problem

NAME = "exchange"


def command(
    meter: Annotated[str, typer.Argument(help="GATEWAY/METER")],
    point: Annotated[str, typer.Argument(help="the counter, as the view `readings` names it")],
    at: Annotated[
        str, typer.Option(help="when: 2026-05-04T10:30+02:00, after the old device's last reading")
    ],
    final: Annotated[str | None, typer.Option(help="what the old device showed last")] = None,
    initial: Annotated[str | None, typer.Option(help="what the new one showed first")] = None,
    database: Annotated[str, typer.Option(help="where the readings are")] = "sqlite:///eclor.db",
) -> None:
    """Note a meter exchange: consumption counts the old one's end and the new one's beginning."""
    from host_tools.collect.database import open_database
    from host_tools.collect.summaries import exchange, summarise

    gateway, slash, name = meter.partition("/")
    if not slash:
        raise Problem(f"{meter!r} is no metering place", "write GATEWAY/METER", code=USAGE)
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise Problem(f"{at!r} is no time", "write 2026-05-04T10:30+02:00", code=USAGE) from None
    if when.tzinfo is None:
        raise Problem(f"{at!r} has no zone", "add +02:00, or Z for UTC", code=USAGE)
    engine = open_database(database)
    exchange(engine, gateway, name, point, round(when.timestamp() * 1000), final, initial)
    summarise(engine)
    engine.dispose()
