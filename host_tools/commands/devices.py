"""`eclor devices`: the boards and adapters on this computer's cables."""

import json

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import DEVICE, OK

NAME = "devices"


def command(
    as_json: options.JsonLines = False,
) -> None:
    """List boards, USB-RS485 adapters and boards that wait for an image; no other port.

    Exit code 4 when there is none.
    """
    from host_tools.cable import ports
    from host_tools.flashing import uf2

    found = ports.devices()
    waiting = uf2.volumes()
    if as_json:
        for device in found:
            print(json.dumps(device.as_dict()))
        for volume in waiting:
            print(json.dumps(volume.as_dict()))
    elif found or waiting:
        for device in found:
            boards = f" ({', '.join(device.boards)})" if device.boards else ""
            print(f"{device.port:20} {device.usb}  {translated(device.what)}{boards}")
        for volume in waiting:
            print(f"{volume.path!s:20} {volume.board_id:9}  {say('waiting for a UF2')}")
    else:
        print(say("no board and no adapter is plugged in"))
    raise typer.Exit(OK if found or waiting else DEVICE)
