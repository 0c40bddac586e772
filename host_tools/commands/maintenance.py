"""`eclor maintenance`: a gateway that runs nothing for a while, so that people can work on it."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "maintenance"


class Switch(StrEnum):
    """On or off."""

    on = "on"
    off = "off"


def command(
    switch: Annotated[Switch, typer.Argument(help="on or off.")],
    port: options.Port = "",
    minutes: Annotated[int, typer.Option(min=1, max=60, help="Then it starts by itself.")] = 30,
    as_json: options.Json = False,
) -> None:
    """Restart a gateway without firmware and watchdog, or with them again.

    What it has measured is kept; while it is on, nothing is measured.
    """
    from host_tools.cable.ports import choose
    from host_tools.cable.prompt import Prompt

    place = choose(port).port
    with Prompt(place) as prompt:
        if switch is Switch.on:
            prompt.enter_maintenance(minutes)
        else:
            prompt.reset()
    if as_json:
        print(json.dumps({"port": place, "maintenance": switch.value}))
    elif switch is Switch.on:
        print(
            say("{port}: runs nothing, for {minutes} minutes at most", port=place, minutes=minutes)
        )
        print("  -> " + say("eclor maintenance off starts it"))
    else:
        print(say("{port}: starts", port=place))
