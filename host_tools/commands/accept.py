"""`eclor accept`: test a gateway where it hangs, and write a signed report."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools.language import say, translated
from host_tools.problems import FAILED, INPUT, OK, USAGE, Problem

if TYPE_CHECKING:
    from host_tools.acceptance import Report

NAME = "accept"
_STYLES = {"good": "green", "note": "yellow", "failed": "bold red", "not tested": "dim"}


def command(
    site: Annotated[Path, typer.Option(help="The site file.")] = Path("site.yaml"),
    gateway: Annotated[str, typer.Option(help="Which of its gateways; the only one else.")] = "",
    port: Annotated[
        str, typer.Option(help="Serial port; the only one there is if not given.")
    ] = "",
    reads: Annotated[
        int, typer.Option(min=1, max=1000, help="How often each meter is read.")
    ] = 10,
    public: Annotated[
        Path | None, typer.Option(help="NAME.pub that must have signed the firmware.")
    ] = None,
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="As seen from here; else that of the site.")
    ] = "",
    broker_ca: Annotated[
        Path | None, typer.Option(help="PEM of the authority, for a broker with TLS.")
    ] = None,
    broker_papers: Annotated[
        Path | None,
        typer.Option(help="NAME.pem of our certificate for the broker; NAME.key beside it."),
    ] = None,
    wait_s: Annotated[float, typer.Option(help="For the broker to hear of it.")] = 60.0,
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Test firmware, settings, secrets, meters, line, uplink, clock and health; write a report.

    The gateway stands still for a minute and then starts. Exit code 1 when it is not accepted.
    """
    from host_tools import acceptance, acceptance_report
    from host_tools.bars import Bars
    from host_tools.ports import choose
    from host_tools.provision import plan_for
    from host_tools.secret_words import passphrase
    from host_tools.site_file import read_site

    if verify:
        _verify(verify, as_json)
        return
    if not out.is_dir():
        raise Problem(f"{out} is no folder", "give --out FOLDER", code=INPUT)
    plan = plan_for(read_site(site), gateway)
    place = choose(port).port
    signer = acceptance_report.key_at(key or _default_key(), passphrase())
    options = acceptance.Options(reads, public, broker, wait_s, _ask if power_cut else None)
    if broker_ca:
        papers = (
            (str(broker_papers), str(broker_papers.with_suffix(".key"))) if broker_papers else ()
        )
        options.watch = lambda host, number, messages: acceptance.watcher(
            host, number, messages, str(broker_ca), papers
        )
    with Bars([place], quiet=as_json) as bars:
        report = acceptance.Acceptance(plan, options).run(
            place, lambda share, words: bars.tell(place, share, say(words))
        )
    report.technician = technician
    files = acceptance_report.write(report, signer, out)
    if as_json:
        print(json.dumps({**report.as_dict(), "files": list(map(str, files))}, ensure_ascii=False))
    else:
        _show(report)
        for file in files:
            print(file)
    raise typer.Exit(OK if report.is_accepted else FAILED)


def _default_key() -> Path:
    from host_tools.images import folder

    return folder() / "technician.pem"


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

    console = Console(highlight=False, soft_wrap=True)
    for check in report.checks:
        state = f"[{_STYLES[check.state]}]{say(check.state):10}[/]"
        console.print(f"{state} {escape(say(check.name)):14} {escape(translated(check.what))}")
        for hint in check.hints:
            console.print(f"{'':25} -> {escape(translated(hint))}")
    verdict = say("accepted") if report.is_accepted else say("not accepted")
    style = _STYLES["good" if report.is_accepted else "failed"]
    console.print(f"[{style}]{escape(report.gateway)}: {verdict}[/]")


def _verify(path: Path, as_json: bool) -> None:
    from host_tools import acceptance_report

    try:
        tree = acceptance_report.verify(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give a report", code=INPUT) from None
    signer = tree["signer"]
    if as_json:
        print(json.dumps({"signer": signer, "accepted": tree["report"]["accepted"]}))
    else:
        verdict = say("accepted") if tree["report"]["accepted"] else say("not accepted")
        print(
            say(
                "{gateway}: {verdict}, signed by {name}, key {key}",
                gateway=tree["report"]["gateway"],
                verdict=verdict,
                name=signer["name"] or "-",
                key=signer["ed25519"][:16],
            )
        )
