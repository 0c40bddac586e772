"""`eclor bundle`: the firmware of this checkout as one signed file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.problems import INPUT, USAGE, Problem

NAME = "bundle"


def command(
    file: Annotated[Path, typer.Argument(help="Where to write it, or with --show what to read.")],
    board: Annotated[
        list[str] | None, typer.Option(help="A board it is for; may be given several times.")
    ] = None,
    version: Annotated[str, typer.Option(help="What people call it; else this checkout's.")] = "",
    counter: Annotated[int, typer.Option(help="Higher than that of every release before.")] = 0,
    key: Annotated[
        Path | None, typer.Option(help="The release key; its passphrase is asked for.")
    ] = None,
    next_key: Annotated[
        Path | None, typer.Option(help="NAME.pub of the key that may sign the next releases.")
    ] = None,
    public: Annotated[
        Path | None, typer.Option(help="With --show: NAME.pub that must have signed it.")
    ] = None,
    show: Annotated[bool, typer.Option(help="Say what a bundle holds, make none.")] = False,
    as_json: options.Json = False,
) -> None:
    """Compile, pack and sign; without --key the bundle is for the cable only."""
    from host_tools.packing import bundle, release
    from host_tools.packing.image import VERSION, files_for
    from host_tools.trust.secret_words import passphrase

    if show:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise Problem(
                f"{file}: {error.strerror}", "give a bundle; eclor bundle makes one", code=INPUT
            ) from None
        if public:
            release.verify(data, release.read_public(public))
    else:
        if not board:
            raise Problem(
                "which board is it for?", "give --board: eclor boards lists them", code=USAGE
            )
        if counter < 1:
            raise Problem(
                "a release has a counter, from 1 on",
                "give --counter, higher than that of every release before",
                code=USAGE,
            )
        following = release.read_public(next_key) if next_key else b""
        data = bundle.pack(
            files_for(board), version or VERSION, counter, board, next_key=following
        )
        if key:
            data = release.sign(data, release.read_key(key, passphrase()))
        file.write_bytes(data)
    read = bundle.read(data)
    told = {
        "version": read.version,
        "counter": read.counter,
        "boards": list(read.boards),
        "files": len(read.rows),
        "bytes": len(data),
        "rooms": bundle.rooms(read),
        "signed": any(data[bundle.HEAD_BYTES + bundle.KEY_BYTES : bundle.OFFER_BYTES]),
        "next_key": bool(read.next_key),
    }
    if as_json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        text = value
        if isinstance(value, dict):
            text = ", ".join(f"{room} {size}" for room, size in value.items())
        print(f"{name:10} {text}")
