"""`eclor accept`: test a gateway where it hangs, and write a signed report."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import FAILED, INPUT, OK, USAGE, Problem

if TYPE_CHECKING:
    from host_tools.acceptance import Report
    from host_tools.cable.provision import Plan
    from host_tools.remote.listener import Listen

NAME = "accept"
_STYLES = {"good": "green", "note": "yellow", "failed": "bold red", "not tested": "dim"}


def command(
    site: options.Site = Path("site.yaml"),
    gateway: options.Gateway = "",
    port: options.Port = "",
    reads: Annotated[
        int, typer.Option(min=1, max=1000, help="How often each meter is read.")
    ] = 10,
    public: Annotated[
        Path | None, typer.Option(help="NAME.pub that must have signed the firmware.")
    ] = None,
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="As seen from here; else that of the site.")
    ] = "",
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    wait_s: Annotated[float, typer.Option(help="For the broker to hear of it.")] = 60.0,
    without_uplink: Annotated[
        bool,
        typer.Option("--without-uplink", help="Accept it unproved; report and signature say so."),
    ] = False,
    power_cut: Annotated[
        bool, typer.Option("--power-cut", help="Ask for a power cut, and look what follows.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report, PDF and JSON.")] = Path(),
    technician: Annotated[str, typer.Option(help="Who does it: the name on the report.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="The technician's key; made at the first time.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(help="Check the signature of a report instead.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Test firmware, settings, secrets, meters, line, uplink, clock and health; write a report.

    Where this computer does not reach the broker, the gateway's journal shows what the collector
    has acknowledged. The gateway stands still for a minute and then starts. Exit code 1 when it
    is not accepted: something failed, or its uplink was not proved.
    """
    from host_tools import acceptance
    from host_tools.acceptance import paper
    from host_tools.bars import Bars
    from host_tools.cable.ports import choose
    from host_tools.cable.provision import plan_for
    from host_tools.planning.site_file import read_site
    from host_tools.sheets import sheet
    from host_tools.trust.secret_words import passphrase

    if verify:
        _verify(verify, as_json)
        return
    if not out.is_dir():
        raise Problem(f"{out} is no folder", "give --out FOLDER", code=INPUT)
    if without_uplink and power_cut:
        raise Problem(
            "what a power cut does shows in the uplink alone",
            "leave --power-cut or --without-uplink out",
            code=USAGE,
        )
    sheet()  # what is missing is said before the test, not after it
    plan = plan_for(read_site(site), gateway)
    place = choose(port).port
    signer = paper.key_at(key or _default_key(), passphrase())
    wanted = acceptance.Options(
        reads,
        public,
        broker,
        wait_s,
        cut=_ask if power_cut else None,
        without_uplink=without_uplink,
    )
    if not without_uplink:
        wanted.listen = _listen(plan, broker_ca, broker_papers)
    with Bars([place], quiet=as_json) as bars:
        report = acceptance.run(
            place, plan, wanted, lambda share, words: bars.tell(place, share, say(words))
        )
    report.technician = technician
    files = paper.write(report, signer, out)
    if as_json:
        print(json.dumps({**report.as_dict(), "files": list(map(str, files))}, ensure_ascii=False))
    else:
        _show(report)
        for file in files:
            print(file)
    raise typer.Exit(OK if report.is_accepted else FAILED)


def _listen(plan: "Plan", broker_ca: Path | None, broker_papers: Path | None) -> "Listen":
    """Return how the broker is listened to: with the papers given, or as our own visitor."""
    from host_tools.remote import listener
    from host_tools.trust import ca
    from host_tools.trust.secret_words import passphrase

    if broker_ca:
        return listener.with_papers(broker_ca, broker_papers)
    if listener.is_ours(plan, ca.default_folder()):
        words = passphrase(what="Passphrase of the authority")
        return listener.as_visitor(ca.default_folder(), words)
    return listener.listen


def _default_key() -> Path:
    from host_tools import home

    return home.folder() / "technician.pem"


def _ask() -> None:
    if not sys.stdin.isatty():
        raise Problem("nobody is there to cut the power", "leave --power-cut out", code=USAGE)
    typer.prompt(
        say("Pull the plug, put it back after five seconds, then press Enter"),
        default="",
        show_default=False,
        err=True,
    )


def _show(report: "Report") -> None:
    from rich.console import Console
    from rich.markup import escape

    from host_tools.acceptance.paper import verdict_state

    console = Console(highlight=False, soft_wrap=True)
    for check in report.checks:
        state = f"[{_STYLES[check.state]}]{say(check.state):10}[/]"
        console.print(f"{state} {escape(say(check.name)):14} {escape(translated(check.what))}")
        for hint in check.hints:
            console.print(f"{'':25} -> {escape(translated(hint))}")
    style = _STYLES[verdict_state(report.as_dict())]
    console.print(f"[{style}]{escape(report.gateway)}: {escape(translated(report.verdict))}[/]")


def _verify(path: Path, as_json: bool) -> None:
    from host_tools.acceptance.paper import verify

    try:
        tree = verify(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give a report", code=INPUT) from None
    signer, report = tree["signer"], tree["report"]
    if as_json:
        told = {name: report[name] for name in ("accepted", "verdict", "without_uplink")}
        print(json.dumps({"signer": signer, **told}, ensure_ascii=False))
    else:
        print(
            say(
                "{gateway}: {verdict}, signed by {name}, key {key}",
                gateway=report["gateway"],
                verdict=translated(report["verdict"]),
                name=report["technician"] or "-",
                key=signer["ed25519"][:16],
            )
        )
