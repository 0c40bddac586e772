"""Options that several verbs share, each declared once: `port: options.Port = ""`."""

from pathlib import Path
from typing import Annotated

import typer

Site = Annotated[Path, typer.Option(help="The site file.")]
Gateway = Annotated[str, typer.Option(help="Which of its gateways; the only one else.")]
Port = Annotated[str, typer.Option(help="Serial port; the only one there is if not given.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Tls = Annotated[
    bool, typer.Option("--tls", help="With papers of this computer's authority; eclor ca.")
]
BrokerCa = Annotated[
    Path | None, typer.Option(help="PEM of the authority, for a broker with TLS.")
]
BrokerPapers = Annotated[
    Path | None,
    typer.Option(help="NAME.pem of our certificate for the broker; NAME.key beside it."),
]

Database = Annotated[str, typer.Option(help="Where the readings are.")]

# The line of a meter at the desk.
Wire = Annotated[str, typer.Option(help="Serial port, or rfc2217://host:port.")]
Tcp = Annotated[str, typer.Option(metavar="HOST:PORT", help="Modbus TCP.")]
Via = Annotated[str, typer.Option(help="gateway: --port is its cable, the meter on its own line.")]
Uart = Annotated[str, typer.Option(help="With --via: which of its UARTs; else the first.")]
ViaBoard = Annotated[str, typer.Option(help="With --via: the board, where it is no gateway yet.")]
