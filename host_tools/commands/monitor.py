"""`eclor monitor`: what a gateway does, live, without disturbing it."""

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from host_tools import options
from host_tools.language import say
from host_tools.problems import DEVICE, NETWORK, OK, Problem

if TYPE_CHECKING:
    from rich.table import Table

    from host_tools.remote.listener import Close, Listen
    from host_tools.remote.monitor import Picture

NAME = "monitor"
_STYLES = {"error": "bold red", "warn": "yellow", "debug": "dim"}
_SHOW_S = 0.5


def command(
    port: options.Port = "",
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Watch through the broker instead.")
    ] = "",
    gateway: Annotated[str, typer.Option(help="Only this one, with --broker.")] = "+",
    tls: options.Tls = False,
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    seconds: Annotated[float, typer.Option(help="How long; 0: until Ctrl-C.")] = 0.0,
    as_json: options.JsonLines = False,
) -> None:
    """Show a gateway's log from its cable, or meters and values through the broker.

    Nothing is sent to the gateway. Exit code 4 or 5 when nothing was heard.
    """
    from host_tools.remote import listener
    from host_tools.trust import ca
    from host_tools.trust.secret_words import passphrase

    way = listener.with_papers(broker_ca, broker_papers) if broker_ca else listener.listen
    if broker and tls:
        way = listener.as_visitor(ca.default_folder(), passphrase())
    end_s = time.monotonic() + seconds if seconds else float("inf")
    heard = (
        _through_broker(broker, gateway, end_s, way, as_json=as_json)
        if broker
        else _on_cable(port, end_s, as_json=as_json)
    )
    raise typer.Exit(OK if heard else NETWORK if broker else DEVICE)


def _on_cable(port: str, end_s: float, *, as_json: bool) -> bool:
    from host_tools.cable.console import lines, open_console
    from host_tools.cable.ports import choose
    from host_tools.remote.monitor import Line

    console = Console(highlight=False, soft_wrap=True)
    heard = False
    with open_console(choose(port)) as cable:
        for text in lines(cable, lambda: time.monotonic() > end_s):
            heard = True
            line = Line.of(text)
            if as_json:
                print(json.dumps(asdict(line), ensure_ascii=False), flush=True)
            else:
                console.print(text, style=_STYLES.get(line.severity, ""), markup=False)
    return heard


def _through_broker(
    address: str, gateway: str, end_s: float, listen: "Listen", *, as_json: bool
) -> bool:
    from rich.live import Live

    from host_tools.remote.monitor import Picture

    picture = Picture()
    close = _listen(address, gateway, picture, listen)
    is_live = sys.stdout.isatty() and not as_json
    try:
        with Live(console=Console(), refresh_per_second=4) if is_live else _Plain() as live:
            while time.monotonic() < end_s:
                time.sleep(_SHOW_S)
                live.update(_table(picture))
    except KeyboardInterrupt:
        pass
    finally:
        close()
    rows = picture.rows()
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row), ensure_ascii=False))
    elif not is_live:
        Console().print(_table(picture))
    return bool(rows)


class _Plain:
    """Where there is no terminal, only the end is shown."""

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def update(self, table: "Table") -> None:
        """Nothing is shown meanwhile."""


def _listen(address: str, gateway: str, picture: "Picture", listen: "Listen") -> "Close":
    from host_tools.remote.broker_at import host_and_port

    host, number = host_and_port(address)
    try:
        return listen(
            gateway, host, number, lambda topic, payload, _: picture.take(topic, payload)
        )
    except (OSError, ValueError) as error:
        raise Problem(
            f"no broker at {host}:{number}: {error}",
            "give --broker HOST:PORT, as uplink.host and uplink.port of the site file",
            code=NETWORK,
        ) from None


def _table(picture: "Picture") -> "Table":
    from rich.table import Table

    table = Table(title="\n".join(picture.heads()) or say("nothing heard yet"))
    for head in (say("gateway"), say("meter"), say("state"), say("answers"), say("faults")):
        table.add_column(head)
    table.add_column(say("values"))
    for row in picture.rows():
        values = "\n".join(f"{name} {value}" for name, value in row.values.items())
        table.add_row(row.gateway, row.meter, row.state, str(row.answers), str(row.faults), values)
    return table
