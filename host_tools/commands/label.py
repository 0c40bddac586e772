"""`eclor label`: a sheet of labels for gateways."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "label"


def command(
    files: Annotated[list[Path], typer.Argument(help="Claims or acceptance reports (JSON).")],
    out: Annotated[Path, typer.Option(help="The PDF to write.")] = Path("labels.pdf"),
    first: Annotated[
        int, typer.Option(min=1, max=24, help="Place of the first one on a sheet begun before.")
    ] = 1,
    as_json: options.Json = False,
) -> None:
    """Make labels of 70 by 37 mm, 24 a sheet: name, serial number, claim, QR code; no secret."""
    from host_tools.labels import read, sheet_of

    found = [read(file) for file in files]
    out.write_bytes(sheet_of(found, first))
    if as_json:
        print(json.dumps({"file": str(out), "labels": [label.code for label in found]}))
    else:
        print(say("{file}: labels: {count}", file=out, count=len(found)))
