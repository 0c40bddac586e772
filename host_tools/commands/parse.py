"""`eclor parse`: what the bytes of a recorded line say, by the gateway's own drivers."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from host_tools.language import say, translated
from host_tools.problems import FAILED, INPUT, OK, Problem

NAME = "parse"
_TOLD = 5  # damaged frames shown one by one


def command(
    protocol: Annotated[str, typer.Argument(help="tic, dsmr, sml, mbus, iec62056, dlms ...")],
    file: Annotated[
        Path,
        typer.Argument(help="Bytes as recorded, or as hex digits, a dump, a log; - for stdin."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line and value.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="NAME=VALUE of the protocol, as in a site file."),
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key of an encrypted meter, 32 hex digits (dlms).")
    ] = "",
    identities: Annotated[
        bool, typer.Option(help="Show a household's meter numbers instead of pseudonyms.")
    ] = False,
) -> None:
    """Show every value found in captured bytes.

    Damaged frames are counted on stderr. Exit code 1 when nothing could be read.
    """
    from host_tools.desk.capture import Parser, protocol_of, read_capture

    options = options_of(option or [])
    if key:
        options["key"] = key
    parser = Parser(protocol, options, identities=identities)
    data = read_capture(file, sys.stdin.buffer, protocol_of(protocol))
    heads = say("code"), say("name"), say("value"), say("unit"), say("quality"), say("time")
    table = Table(*heads)
    count = 0
    for value in parser.values(data):
        count += 1
        if as_json:
            print(json.dumps(value.as_dict(), ensure_ascii=False))
        else:
            cells = value.as_dict() | {"quality": say(value.quality)}
            table.add_row(*(cell or "" for cell in cells.values()))
    if count and not as_json:
        Console().print(table)
    for text in parser.errors[:_TOLD]:
        print(f"eclor: {translated(text)}", file=sys.stderr)
    if parser.errors or not count:
        damaged = len(parser.errors)
        told = say("{count} values, {damaged} damaged frames", count=count, damaged=damaged)
        print(f"eclor: {told}", file=sys.stderr)
    raise typer.Exit(OK if count else FAILED)


def options_of(texts: list[str]) -> dict[str, object]:
    """Return what was given as NAME=VALUE; a value that is JSON is taken as such."""
    options: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Problem(f"{text!r} is no option", "write NAME=VALUE", code=INPUT)
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
