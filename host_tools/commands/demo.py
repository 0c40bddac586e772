"""`eclor demo`: a simulated site, a gateway on MicroPython, broker, collector, live page."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from host_tools.language import say
from host_tools.problems import FAILED, INPUT, OK
from host_tools.processes.broker import free_port

NAME = "demo"
_SITE = Path(__file__).resolve().parent.parent / "sim" / "sites" / "household.yaml"
_FOLDER = Path(".run") / "demo"
_SETTLE_S = 90.0


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def command(
    seconds: Annotated[
        float | None, typer.Option(help="End after so long; without --headless: never.")
    ] = None,
    headless: Annotated[bool, typer.Option(help="No page; 60 s unless --seconds.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
    chaos: Annotated[
        int | None, typer.Option(help="Press the three buttons at random, by this seed.")
    ] = None,
    series: Annotated[
        Path | None, typer.Option(help="A CSV of real values for the first Modbus meter.")
    ] = None,
    tic: Annotated[Path | None, typer.Option(help="A capture that the Linky replays.")] = None,
    site: Annotated[
        Path, typer.Option(help="A site file, or one of ours by name: household, school ...")
    ] = _SITE,
    tls: Annotated[
        bool, typer.Option("--tls", help="Certificates on both sides, by an authority of its own.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of the page; the next free one if taken.")] = 8080,
    verbose: Annotated[bool, typer.Option(help="Show every log line.")] = False,
) -> None:
    """Show a gateway at work: meters, gateway, broker, collector, and what was lost (nothing).

    Exit code 1 when a reading was lost, altered or stored twice.
    """
    from host_tools.demo.demonstration import Demo
    from host_tools.planning.site_file import read_site
    from host_tools.sim.plan import load_site

    path = _find(site)
    site_file = load_site(path)
    read_site(path).require_good(INPUT)  # its gateway would only say so, again and again
    signal.signal(signal.SIGTERM, _end)
    show = (lambda line: print(line, file=sys.stderr)) if verbose or headless else None
    demo = Demo(
        site_file,
        _FOLDER,
        series=series,
        capture=tic,
        chaos=chaos,
        tls=tls,
        on_line=show,
    )
    with demo:
        if not headless:
            from host_tools.page.live import serve

            chosen = free_port(port)
            print(say("the page is at {address}", address=f"http://127.0.0.1:{chosen}/"))
            print(say("Ctrl-C ends everything"), flush=True)
            serve(demo, chosen)
            return
        deadline_s = time.monotonic() + (seconds or 60)
        while time.monotonic() < deadline_s:
            time.sleep(0.2)
        settled = demo.settle(_SETTLE_S)
        result = demo.result()
        result["settled"] = settled
    _print(result, as_json)
    wrong = any(result[count] for count in ("lost", "duplicated", "altered"))
    raise typer.Exit(FAILED if wrong or not settled else OK)


def _find(site: Path) -> Path:
    """The file `site`, or ours of that name where there is no such file."""
    own = _SITE.parent / f"{site.name}.yaml"
    return own if not site.exists() and own.exists() else site


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
        return
    for name, value in result.items():
        print(f"{name:24} {value}")
