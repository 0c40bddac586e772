"""`eclor images`: MicroPython images kept on this computer, for places without a network."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "images"
app = typer.Typer(no_args_is_help=True, help="MicroPython images kept on this computer.")
_Json = options.JsonLines


@app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(help=".bin (ESP32) or .uf2 (Pico) files.")],
    board: Annotated[
        str, typer.Option(help="The board, where the file's name does not say it.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """Keep images: each is looked into, copied and remembered with its SHA-256."""
    from host_tools.flashing.images import Images

    images = Images()
    for file in files:
        image = images.add(file, board)
        if as_json:
            print(json.dumps(image.as_dict()))
        else:
            boards = ", ".join(image.boards)
            print(
                say(
                    "{name}: for {boards}, {size} KB",
                    name=image.name,
                    boards=boards,
                    size=image.size // 1024,
                )
            )


@app.command("list")
def show(as_json: _Json = False) -> None:
    """List the images, and say which of them are no longer what was added."""
    from host_tools.flashing.images import Images

    images = Images()
    for image in images.known():
        is_whole = images.is_whole(image)
        if as_json:
            print(json.dumps(image.as_dict() | {"whole": is_whole}))
        else:
            state = "" if is_whole else "  " + say("damaged: add it again")
            print(f"{image.name:44} {image.chip:8} {', '.join(image.boards)}{state}")


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="As eclor images list shows it.")]) -> None:
    """Forget an image."""
    from host_tools.flashing.images import Images

    print(say("{name} is forgotten", name=Images().remove(name).name))
