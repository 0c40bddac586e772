"""`eclor keys`: a release key: who has it decides what firmware runs in the field."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "keys"


def command(
    file: Annotated[Path, typer.Argument(help="Where to write it: release.pem.")],
    as_json: options.Json = False,
) -> None:
    """Make a release key, locked by a passphrase, and beside it the public half for gateways."""
    from host_tools.packing.release import make_key
    from host_tools.trust.secret_words import passphrase

    public = make_key(file, passphrase(confirm=True))
    if as_json:
        print(json.dumps({"key": str(file), "public": str(public)}))
        return
    print(say("{file}: keep it off line, and a copy elsewhere", file=file))
    print(say("{file}: gateways know the release by it", file=public))
