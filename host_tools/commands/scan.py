"""`eclor scan`: find the meters of a line whose settings and addresses nobody has written down."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import DEVICE, INTERRUPTED, OK, USAGE, Problem

if TYPE_CHECKING:
    from host_tools.desk.mbus_scan import MBusHit, MBusScan
    from host_tools.desk.scan import Hit, Progress

NAME = "scan"


def command(
    port: options.Wire = "",
    tcp: options.Tcp = "",
    protocol: Annotated[str, typer.Option(help="modbus or mbus.")] = "modbus",
    units: Annotated[str, typer.Option(help="Addresses, as 1-10,100.")] = "",
    bauds: Annotated[str, typer.Option(help="Only these, as 9600,19200.")] = "",
    parities: Annotated[str, typer.Option(help="Only these, as N,E.")] = "",
    wait_ms: Annotated[int, typer.Option(help="For an answer to begin; 0: the usual.")] = 0,
    listen_s: Annotated[float, typer.Option(help="Before the first question.")] = 3.0,
    identify: Annotated[bool, typer.Option(help="Find the map that fits.")] = True,
    search: Annotated[
        bool, typer.Option(help="mbus: also by identification, with wildcards.")
    ] = True,
    via: options.Via = "",
    uart: options.Uart = "",
    board: options.ViaBoard = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a meter.")] = False,
) -> None:
    """Ask every address at every likely setting, the likeliest first; show meters as they answer.

    With --protocol mbus also by identification: meters that share an address are found too.
    Progress is on stderr. Ctrl-C ends the search and keeps what was found (exit code 130).
    Exit code 4 when nothing answered.
    """
    from host_tools.desk.scan import SETTINGS, Scan, units_of
    from host_tools.desk.through import open_through
    from host_tools.desk.wires import Wire, line_text, open_serial, open_socket

    if bool(port) == bool(tcp):
        raise Problem("where is the line?", "give --port DEVICE or --tcp HOST:PORT", code=USAGE)
    if protocol == "mbus" and via:
        raise Problem("--via is for modbus", "scan an M-Bus by its own adapter", code=USAGE)
    if protocol == "mbus":
        raise typer.Exit(_scan_mbus(port, tcp, units, bauds, wait_ms, search, as_json))
    if protocol != "modbus":
        raise Problem(f"no scan for {protocol}", "--protocol modbus or mbus", code=USAGE)
    units = units or "1-247"
    wait_ms = wait_ms or 150
    settings = [
        (line, weight)
        for line, weight in SETTINGS
        if (not bauds or str(line[0]) in bauds.split(","))
        and (not parities or line[2] in parities.upper().split(","))
    ]
    if not settings:
        raise Problem("no such setting", "leave --bauds or --parities out", code=USAGE)
    show = _Shown(tcp)
    wire: Wire
    if via:
        wire = open_through(port, settings[0][0], uart, board, via)
    else:
        wire = open_socket(tcp) if tcp else open_serial(port, settings[0][0])
    scan = Scan(
        wire,
        settings[:1] if tcp else settings,
        units_of(units),
        transport="tcp" if tcp else "rtu",
        wait_ms=max(wait_ms, 500) if tcp else wait_ms,
        identify=identify,
        on_progress=show.progress,
    )

    def found() -> Iterator[Any]:
        if not tcp:
            scan.listen(listen_s)
        yield from scan.run()

    with contextlib.closing(wire):
        code = _print_hits(found(), show, None if as_json else lambda hit: _line(hit, tcp))
    for line, unit in scan.garbled:
        if not any(hit.unit == unit for hit in scan.hits):
            told = say(
                "unit {unit} at {line}: something answered and was not understood; two meters "
                "with this address?",
                unit=unit,
                line=line_text(line),
            )
            print(f"eclor: {told}", file=sys.stderr)
    _tell_end(code, len(scan.hits))
    known = next((hit for hit in scan.hits if hit.fits and hit.fits[0].score), None)
    if known is not None:
        place = f"--tcp {tcp}" if tcp else f"--port {port} --baud {known.line[0]}"
        place += "" if tcp else f" --parity {known.line[2]}"
        place += f" --via {via}" if via else ""
        fit = known.fits[0].map
        print(f"  -> eclor read --map {fit} {place} --unit {known.unit}", file=sys.stderr)
    raise typer.Exit(code or (OK if scan.hits else DEVICE))


def _print_hits(hits: Iterable[Any], show: _Shown, told: Callable[[Any], str] | None) -> int:
    """Print hits as they come, as objects where nothing tells them; INTERRUPTED by Ctrl-C."""
    from drivers.errors import LinkDown

    try:
        for hit in hits:
            show.clear()
            print(told(hit) if told else json.dumps(hit.as_dict()), flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    except LinkDown as error:
        raise Problem(str(error), "look at the cable, and scan again", code=DEVICE) from None
    finally:
        show.clear()
    return OK


def _scan_mbus(
    port: str, tcp: str, units: str, bauds: str, wait_ms: int, search: bool, as_json: bool
) -> int:
    """Search a wired M-Bus; return the exit code."""
    from host_tools.desk.mbus_scan import ADDRESSES, BAUDS, MBusScan, line_at
    from host_tools.desk.scan import units_of
    from host_tools.desk.wires import line_text, open_serial, open_socket

    rates = [int(baud) for baud in bauds.split(",") if baud.isdigit()] if bauds else list(BAUDS)
    addresses = units_of(units) if units else list(ADDRESSES)
    if not rates or max(addresses) > 250:
        raise Problem(
            "no such rate or address", "rates as 300,2400; addresses are 0 .. 250", code=USAGE
        )
    show = _Shown(tcp)
    wire = open_socket(tcp) if tcp else open_serial(port, line_at(rates[0]))
    scan = MBusScan(
        wire,
        rates[:1] if tcp else rates,
        addresses,
        wait_ms=max(wait_ms, 500) if tcp else wait_ms,
        search=search,
        on_progress=lambda text: show.tell(translated(text)),
    )
    with contextlib.closing(wire):
        code = _print_hits(scan.run(), show, None if as_json else _mbus_line)
    for line, what in scan.garbled:
        told = say(
            "{what} at {line}: several meters answer at once, or it is damaged",
            what=translated(what),
            line=line_text(line),
        )
        print(f"eclor: {told}", file=sys.stderr)
    _end_mbus(scan, code, port)
    return code or (OK if scan.hits else DEVICE)


def _end_mbus(scan: MBusScan, code: int, port: str) -> None:
    _tell_end(code, len(scan.hits))
    hit = next((hit for hit in scan.hits if hit.maps), None)
    if hit is not None and port:
        who = (
            f"--unit {hit.address}" if hit.address is not None else f"-o secondary={hit.secondary}"
        )
        print(
            f"  -> eclor read --map {hit.maps[0][0]} --port {port} --baud {hit.line[0]} {who}",
            file=sys.stderr,
        )


def _tell_end(code: int, count: int) -> None:
    ended = say("interrupted" if code else "done")
    print(f"eclor: {ended}, {say('{count} found', count=count)}", file=sys.stderr)


def _mbus_line(hit: MBusHit) -> str:
    from host_tools.desk.wires import line_text

    who = say("no primary address asked")
    if hit.address is not None:
        who = say("address {number}", number=hit.address)
    medium = translated(hit.medium)
    about = f"{hit.secondary}  {hit.maker} {medium}, version {hit.version}"
    maps = "; ".join(
        f"{name} ({say('{here} of {all} points', here=here, all=of)})"
        for name, here, of in hit.maps
    )
    what = about if hit.maker else hit.secondary or say("acknowledges, tells nothing")
    records = say("{count} records", count=hit.records)
    return f"{line_text(hit.line)}  {who}  {what}  {records}  {maps or say('no map fits')}"


def _line(hit: Hit, tcp: str) -> str:
    from host_tools.desk.wires import line_text

    place = tcp or line_text(hit.line)
    maps = "; ".join(f"{fit.map} ({translated(fit.why)})" for fit in hit.fits)
    unit = say("unit {number}", number=hit.unit)
    return f"{place}  {unit}  {translated(hit.answer)}  {maps or say('no map fits')}"


class _Shown:
    """Progress on stderr: one line that changes on a terminal, a line every ten seconds else."""

    def __init__(self, tcp: str) -> None:
        self._tcp = tcp
        self._is_live = sys.stderr.isatty()
        self._next_s = 0.0
        self._width = 0

    def progress(self, at: Progress) -> None:
        """Tell where the scan is, now and then."""
        from host_tools.desk.wires import line_text

        minutes, seconds = divmod(round(at.left_s), 60)
        self.tell(
            say(
                "{line} unit {unit}: {done} of {all}, {time} left",
                line=self._tcp or line_text(at.line),
                unit=at.unit,
                done=at.done,
                all=at.done + at.left,
                time=f"{minutes}:{seconds:02}",
            )
        )

    def tell(self, text: str) -> None:
        """Show a text, now and then."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + (0.2 if self._is_live else 10.0)
        if self._is_live:
            self.clear()
            self._width = len(text)
            print(text, end="", file=sys.stderr, flush=True)
        else:
            print(f"eclor: {text}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line of progress away."""
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)
            self._width = 0
