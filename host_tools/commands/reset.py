"""`eclor reset`: start a board again, or make a gateway forget who it is."""

import json
import sys
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import USAGE, Problem

NAME = "reset"


def command(
    port: options.Port = "",
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Forget settings, secrets and keys; it must be provisioned again."
        ),
    ] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="With --forget: its readings too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Start a board again, as its reset button does; with --forget it starts as nobody.

    What it forgets is overwritten on its flash. Firmware stays.
    """
    from host_tools.cable.ports import choose
    from host_tools.cable.prompt import Prompt
    from host_tools.cable.provision import forget as forget_all

    if journal and not forget:
        raise Problem("--journal goes with --forget", "give both, or neither", code=USAGE)
    place = choose(port).port
    if forget:
        if not yes:
            _ask(place, journal)
        forget_all(place, journal=journal)
    else:
        with Prompt(place) as prompt:
            prompt.reset()
    if as_json:
        print(json.dumps({"port": place, "forgot": forget, "journal": journal}))
    elif forget:
        print(say("{port}: has forgotten who it was", port=place))
    else:
        print(say("{port}: starts", port=place))


def _ask(place: str, journal: bool) -> None:
    if not sys.stdin.isatty():
        raise Problem("nobody is there to say yes", "give --yes", code=USAGE)
    what = (
        say("{port}: forget settings, keys and readings?", port=place)
        if journal
        else say("{port}: forget settings and keys?", port=place)
    )
    typer.confirm(what, abort=True, err=True)
