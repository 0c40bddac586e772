"""`eclor deploy`: the firmware onto boards that run MicroPython, many at once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools.language import say, translated
from host_tools.problems import INPUT, OK, USAGE, Problem, worst

if TYPE_CHECKING:
    from host_tools.cable.deploy import Result

NAME = "deploy"


def command(
    file: Annotated[
        Path | None, typer.Argument(help="The bundle; --board compiles this checkout instead.")
    ] = None,
    board: Annotated[str, typer.Option(help="Compile the firmware for this board.")] = "",
    port: Annotated[
        list[str] | None, typer.Option(help="Serial port; give it once per board.")
    ] = None,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Every board that is plugged in.")
    ] = False,
    public: Annotated[
        Path | None, typer.Option(help="NAME.pub of the key that must have signed it.")
    ] = None,
    repair: Annotated[
        bool, typer.Option(help="Also what fetches a firmware when none can run: 72 KB.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per board.")] = False,
) -> None:
    """Put the firmware on boards: into the slot that does not run, and only what differs.

    What runs is not touched before everything is verified: after a cut, run it again. Exit code
    4 when a board failed; the others are done.
    """
    from host_tools.bars import Bars
    from host_tools.cable.deploy import deploy
    from host_tools.cable.ports import choose_all
    from host_tools.packing import bundle, release
    from host_tools.packing.image import VERSION, files_for

    if bool(file) == bool(board):
        raise Problem("what is to be deployed?", "give a bundle, or --board NAME", code=USAGE)
    if file:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise Problem(
                f"{file}: {error.strerror}", "make one: eclor bundle", code=INPUT
            ) from None
        if public:
            release.verify(data, release.read_public(public))
    else:
        data = bundle.pack(files_for([board]), VERSION, 1, [board])
    ports = choose_all(port or [], all_of_them=all_of_them)
    with Bars(ports, quiet=as_json) as bars:
        results = deploy(ports, data, bars.tell, repairs=repair)
    for result in results:
        print(json.dumps(result.as_dict(), ensure_ascii=False) if as_json else _words(result))
    raise typer.Exit(worst(result.code for result in results))


def _words(result: "Result") -> str:
    if result.code != OK:
        remedy = translated(result.remedy)
        return translated(result.what) + (f"\n  -> {remedy}" if remedy else "")
    if not result.changed:
        return say("{port}: has {version} already", port=result.port, version=result.version)
    told = say(
        "{port}: {version} is in slot {slot}, verified; sent: {count} KB",
        port=result.port,
        version=result.version,
        slot=result.slot,
        count=-(-result.sent_bytes // 1024),
    )
    if result.is_provisioned:
        return told
    return told + "\n  -> " + say("eclor provision makes a gateway of it")
