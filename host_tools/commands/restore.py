"""`eclor restore`: an archive back onto its gateway, or onto the board that replaces it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "restore"


def command(
    file: Annotated[Path, typer.Argument(help="The archive.")],
    port: options.Port = "",
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Its secrets too; the passphrase is asked for.")
    ] = False,
    replaces: Annotated[
        bool, typer.Option("--replaces", help="Onto another board, which takes its place.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Bring firmware and certificates back, and with the secrets its settings and identity.

    Readings stay in the archive: a replacement begins a journal of its own. They reach the
    collector by eclor collect --import.
    """
    from host_tools.bars import Bars
    from host_tools.cable.archive import inspect, restore
    from host_tools.cable.ports import choose
    from host_tools.cable.prompt import Prompt
    from host_tools.trust.secret_words import passphrase

    inspect(file)  # before a board is stopped for it
    place = choose(port).port
    words = passphrase() if with_secrets else ""
    with Bars([place], quiet=as_json) as bars, Prompt(place) as prompt:
        written = restore(
            prompt,
            file,
            words,
            replaces=replaces,
            tell=lambda share, what: bars.tell(place, share, say(what)),
        )
        prompt.reset()
    if as_json:
        print(json.dumps({"port": place, "written": written}))
        return
    print(say("{port}: files written: {count}", port=place, count=len(written)))
    if not with_secrets:
        print("  -> " + say("eclor provision makes a gateway of it"))
