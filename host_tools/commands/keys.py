"""`eclor keys`: a release key: who has it decides what firmware runs in the field."""

from pathlib import Path
from typing import Annotated

import typer

NAME = "keys"


def command(
    file: Annotated[Path, typer.Argument(help="Where to write it: release.pem.")],
) -> None:
    """Make a release key, locked by a passphrase, and beside it the public half for gateways."""
    from host_tools.release import make_key

    passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    public = make_key(file, passphrase)
    print(f"{file}: keep it off line, and a copy elsewhere")
    print(f"{public}: gateways know the release by it")
