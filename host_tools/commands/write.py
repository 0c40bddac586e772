"""`eclor write`: set registers or coils of one Modbus unit, for commissioning."""

import json
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import FAILED, OK, USAGE, Problem

NAME = "write"


def command(
    address: Annotated[str, typer.Argument(help="As on the wire, from 0: 28 or 0x1c.")],
    values: Annotated[list[str], typer.Argument(help="Registers 0 .. 65535, or on and off.")],
    port: options.Wire = "",
    tcp: options.Tcp = "",
    unit: Annotated[int, typer.Option(help="Address of the unit.")] = 1,
    baud: Annotated[int, typer.Option()] = 9600,
    parity: Annotated[str, typer.Option(help="N, E or O.")] = "N",
    multiple: Annotated[bool, typer.Option(help="Function 15 or 16 even for one value.")] = False,
    everyone: Annotated[
        bool, typer.Option(help="Broadcast: every unit of the line obeys, none answers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Write by function 5, 6, 15 or 16, and show what the unit holds afterwards.

    Exit code 1 when that is not what was written, 4 when the unit refused or did not answer.
    """
    from host_tools.desk.writer import Write, write

    are_coils = all(value in ("on", "off") for value in values)
    numbers = [int(v == "on") if are_coils else _number(v, 0xFFFF) for v in values]
    many = multiple or len(values) > 1
    function = (15 if many else 5) if are_coils else (16 if many else 6)
    order = Write(
        function,
        _number(address, 0xFFFF),
        numbers,
        unit=unit,
        everyone=everyone,
        port=port,
        tcp=tcp,
        line=(baud, 8, parity.upper(), 1),
    )
    held = write(order)
    if as_json:
        print(json.dumps({"address": order.address, "written": numbers, "held": held}))
    elif everyone:
        print(say("sent; nobody answers a broadcast"))
    else:
        print(say("written {numbers}, held {held}", numbers=numbers, held=held))
    raise typer.Exit(OK if everyone or held == numbers else FAILED)


def _number(text: str, most: int) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise Problem(
            f"{text!r} is not within 0 .. {most}",
            f"write a number up to {most}, as 28 or 0x1c",
            code=USAGE,
        )
    return number
