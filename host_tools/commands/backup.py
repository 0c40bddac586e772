"""`eclor backup`: a gateway's files in one archive."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "backup"


def command(
    file: Annotated[Path, typer.Argument(help="The archive to write.")],
    port: options.Port = "",
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="With its secrets, locked by a passphrase.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Save firmware, settings, certificates and readings of a gateway; it restarts.

    Its secrets are left out, or locked by a passphrase: nothing else is possible.
    """
    from host_tools.bars import Bars
    from host_tools.cable.archive import backup
    from host_tools.cable.ports import choose
    from host_tools.cable.prompt import Prompt
    from host_tools.trust.secret_words import passphrase

    place = choose(port).port
    words = passphrase(confirm=True) if with_secrets else ""
    with Bars([place], quiet=as_json) as bars, Prompt(place) as prompt:
        about = backup(prompt, file, words, lambda share, what: bars.tell(place, share, say(what)))
        prompt.reset()
    if as_json:
        print(json.dumps({"file": str(file), **asdict(about)}))
        return
    print(
        say(
            "{file}: {gateway}, files: {count}, secrets: {secrets}",
            file=file,
            gateway=about.gateway or about.serial,
            count=len(about.files),
            secrets=about.secrets,
        )
    )
