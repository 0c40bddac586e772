"""`eclor read`: one meter's values, from this computer's serial port or over the network."""

import json
import sys
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import DEVICE, OK

NAME = "read"


def command(
    map_name: Annotated[
        str, typer.Option("--map", "-m", help="Name of a map (`eclor maps`), or a file of yours.")
    ],
    port: options.Wire = "",
    tcp: options.Tcp = "",
    rtu_over_tcp: Annotated[
        bool, typer.Option("--rtu", help="With --tcp: serial frames on the socket.")
    ] = False,
    unit: Annotated[int | None, typer.Option(help="Address; the map's own by default.")] = None,
    baud: Annotated[int, typer.Option(help="0: as the meter leaves the factory.")] = 0,
    parity: Annotated[str, typer.Option(help="N, E or O.")] = "",
    stop: Annotated[int, typer.Option(help="1 or 2 stop bits.")] = 0,
    point: Annotated[
        list[str] | None, typer.Option("--point", "-p", help="Only this point; may be repeated.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="NAME=VALUE of the protocol, as in a site file."),
    ] = None,
    identities: Annotated[
        bool, typer.Option(help="Show a household's meter numbers instead of pseudonyms.")
    ] = False,
    via: options.Via = "",
    uart: options.Uart = "",
    board: options.ViaBoard = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a value.")] = False,
) -> None:
    """Ask one meter once and show every point: code, name, value, unit, quality.

    Exit code 4 when it did not answer, or refused every point.
    """
    from rich.console import Console
    from rich.table import Table

    from host_tools.commands.parse import options_of
    from host_tools.desk.reader import Request, read_meter

    wanted = options_of(option or [])
    if unit is not None:
        wanted["unit"] = wanted["address"] = unit
    if point:
        wanted["points"] = point
    request = Request(
        map_name,
        port,
        tcp,
        rtu_over_tcp,
        baud=baud,
        parity=parity,
        stop=stop,
        options=wanted,
        identities=identities,
        via=via,
        uart=uart,
        board=board,
    )
    values = read_meter(request)
    if as_json:
        for value in values:
            fields = value.as_dict()
            del fields["time"]
            print(json.dumps(fields, ensure_ascii=False))
    else:
        table = Table(say("code"), say("name"), say("value"), say("unit"), say("quality"))
        for value in values:
            quality = say(value.quality)
            table.add_row(value.code, value.name, value.value or "", value.unit, quality)
        Console().print(table)
    if any(value.value is not None for value in values):
        raise typer.Exit(OK)
    told = say("the meter answers, and has none of these points: is it the right map?")
    print(f"eclor: {told}", file=sys.stderr)
    raise typer.Exit(DEVICE)
