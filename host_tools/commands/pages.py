"""`eclor pages`: the fleet in a browser: gateways, sites, meters, events, open data."""

from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import USAGE, Problem

NAME = "pages"


def command(
    database: options.Database = "sqlite:///eclor.db",
    listen: Annotated[str, typer.Option(help="HOST:PORT; not loopback needs --users.")] = (
        "127.0.0.1:8081"
    ),
    rules: Annotated[Path | None, typer.Option(help="The collector's rules: places.")] = None,
    users: Annotated[Path | None, typer.Option(help="Who may log in.")] = None,
    add_user: Annotated[
        str | None, typer.Option(help="Add this name to --users, asking for a password, and end.")
    ] = None,
    least: Annotated[int, typer.Option(help="Meters in a group of the open page.")] = 10,
) -> None:
    """Show the fleet; on loopback to everybody, elsewhere to those of a users file."""
    from host_tools.collect.pages.access import Users
    from host_tools.collect.pages.access import add_user as add

    if add_user is not None:
        if users is None:
            raise Problem("--add-user needs a file", "give --users FILE", code=USAGE)
        password = typer.prompt(say("Password"), hide_input=True, confirmation_prompt=True)
        add(users, add_user, password)
        return
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Problem(f"{listen!r} is no address", "write HOST:PORT", code=USAGE)
    from host_tools.collect.database import open_database
    from host_tools.collect.pages import serve
    from host_tools.collect.rules import Rules, read_rules

    read = read_rules(rules) if rules else Rules()
    known = Users(users) if users else None
    engine = open_database(database, must_be_there=True)
    print(say("the page is at {address}", address=f"http://{host}:{port}/"), flush=True)
    serve(engine, read, (host, int(port)), known, least)
