"""`eclor flash`: MicroPython onto boards, many at once, from the images on this computer."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools.language import say, translated
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem, did_you_mean

if TYPE_CHECKING:
    from host_tools.flashing.flash import Result
    from host_tools.flashing.images import Image

NAME = "flash"


def command(
    board: Annotated[str, typer.Argument(help="Which board it is: eclor boards lists them.")],
    port: Annotated[
        list[str] | None,
        typer.Option(help="Serial port, or folder of a Pico's drive; give it once per board."),
    ] = None,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Every board of this kind that is plugged in.")
    ] = False,
    image: Annotated[
        str, typer.Option(help="Which image; the newest that fits if not given.")
    ] = "",
    reset: Annotated[
        bool, typer.Option(help="Let the adapter put the ESP32 into its loader.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per board.")] = False,
) -> None:
    """Write MicroPython to boards and verify it: the right chip, the right image, retries.

    Exit code 4 when a board failed; the others are done.
    """
    from host_tools.bars import Bars
    from host_tools.flashing.flash import Job, flash
    from host_tools.flashing.images import Images

    _known(board)
    images = Images()
    chosen = _image(images.known(), image) if image else images.find(board)
    jobs = [Job(each, board, chosen) for each in _ports(board, port or [], chosen, all_of_them)]
    with Bars([job.port for job in jobs], quiet=as_json) as bars:
        before = "default-reset" if reset else "no-reset"
        results = flash(
            jobs, images, lambda job, *how_far: bars.tell(job.port, *how_far), before=before
        )
    for result in results:
        print(json.dumps(asdict(result), ensure_ascii=False) if as_json else _words(result))
    worst = [result.code for result in results if result.code != OK]
    raise typer.Exit(worst[0] if worst else OK)


def _known(board: str) -> None:
    from host_tools.planning.site_rules import board as board_of
    from host_tools.planning.site_rules import board_names

    flashable = [name for name in board_names() if board_of(name)["image"]]
    if board not in flashable:
        raise Problem(
            f"there is no board {board} to flash",
            did_you_mean(board, flashable) or f"there are {', '.join(flashable)}",
            code=INPUT,
        )


def _image(known: "list[Image]", name: str) -> "Image":
    for image in known:
        if name in (image.name, image.file):
            return image
    raise Problem(f"there is no image {name}", "eclor images list shows them", code=INPUT)


def _ports(board: str, given: list[str], image: "Image", all_of_them: bool) -> list[str]:
    """Return where the boards are; a person chooses among several."""
    from host_tools.cable import ports
    from host_tools.flashing import bootloader, uf2
    from host_tools.flashing.images import ESP

    if given:
        return given
    if image.kind == ESP:
        found = [device.port for device in ports.devices() if board in device.boards]
    else:
        found = [str(volume.path) for volume in uf2.volumes() if volume.chip == image.chip]
        if not found:
            running = [device for device in ports.devices() if board in device.boards]
            waiting = [device for device in running if device.kind == ports.BOARD]
            if len(waiting) > 1 and not all_of_them:
                found = [device.port for device in waiting]
            else:
                found = [str(bootloader.enter(device.port).path) for device in waiting]
    if not found:
        raise Problem(
            f"no {board} is plugged in",
            "eclor devices shows what is; or give --port",
            code=DEVICE,
        )
    if len(found) > 1 and not all_of_them:
        raise Problem(
            f"several may be meant: {', '.join(found)}",
            "give --port, or --all for every one of them",
            code=USAGE,
        )
    return found


def _words(result: "Result") -> str:
    if result.code == OK:
        return say("{port}: {image} is on it, verified", port=result.port, image=result.image)
    remedy = translated(result.remedy)
    return f"{result.port}: {translated(result.what)}" + (f"\n  -> {remedy}" if remedy else "")
