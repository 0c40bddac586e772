"""`eclor exchange`: a device was exchanged at a metering place; its consumption goes on."""

from datetime import datetime
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import USAGE, Problem

NAME = "exchange"


def command(
    meter: Annotated[str, typer.Argument(help="GATEWAY/METER.")],
    point: Annotated[str, typer.Argument(help="The counter, as the view `readings` names it.")],
    at: Annotated[
        str,
        typer.Option(help="When: 2026-05-04T10:30+02:00, after the old device's last reading."),
    ],
    final: Annotated[str | None, typer.Option(help="What the old device showed last.")] = None,
    initial: Annotated[str | None, typer.Option(help="What the new one showed first.")] = None,
    database: options.Database = "sqlite:///eclor.db",
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
    engine = open_database(database, must_be_there=True)
    exchange(engine, gateway, name, point, round(when.timestamp() * 1000), final, initial)
    summarise(engine)
    engine.dispose()
    print(
        say("{meter}: {point}: exchanged at {at}", meter=meter, point=point, at=when.isoformat())
    )
