"""`eclor provision`: a board with the firmware becomes a gateway of a site."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import INPUT, USAGE, Problem

if TYPE_CHECKING:
    from host_tools.cable.provision import Papers, Plan

NAME = "provision"


def command(
    site: options.Site = Path("site.yaml"),
    gateway: options.Gateway = "",
    port: options.Port = "",
    secrets: Annotated[
        str,
        typer.Option(help="JSON of secrets by path, a file or - for stdin; else they are asked."),
    ] = "",
    ca_folder: Annotated[
        Path | None, typer.Option("--ca", help="Folder of the authority; see eclor ca.")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Certificate that vouches for the broker, of another CA.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(help="This gateway's certificate, made for its request.")
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="Only write the gateway's request here (PKCS#10, DER).")
    ] = None,
    office: Annotated[
        Path | None, typer.Option(help="seal.pub of the office that runs the collector.")
    ] = None,
    release_key: Annotated[
        list[Path] | None,
        typer.Option(help="NAME.pub that firmware must be signed with; the older first."),
    ] = None,
    claims: Annotated[Path, typer.Option(help="Folder for the gateway's claim.")] = Path(),
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Replace the key shared with the collector.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Give a board its name, key, certificate and settings, and start it.

    Its private key is made on it and never leaves; no secret is written on this computer.
    """
    from host_tools.cable import provision as library
    from host_tools.cable.ports import choose
    from host_tools.planning.site_file import read_site

    plan = library.plan_for(read_site(site), gateway)
    if not claims.is_dir():
        raise Problem(f"{claims} is no folder", "give --claims FOLDER", code=INPUT)
    place = choose(port).port
    if request:
        request.write_bytes(library.request(place, plan.gateway))
        print(json.dumps({"request": str(request)}) if as_json else str(request))
        return
    for path in plan.in_file:
        if not as_json:
            told = say(
                "{file} holds a secret, {path}: leave it out, it is asked for",
                file=site,
                path=path,
            )
            print(f"eclor: {told}", file=sys.stderr)
    plan.secrets |= _secrets(plan, secrets)
    papers = _papers(plan, site, ca_folder, authority, cert, office)
    papers.release_keys, papers.new_key = tuple(release_key or ()), new_key
    result = library.provision(
        place,
        plan,
        papers,
        claims=claims,
        tell=lambda words: None if as_json else print(f"{place}: {say(words)}", file=sys.stderr),
    )
    if as_json:
        print(json.dumps(result.as_dict(), ensure_ascii=False))
        return
    print(
        say(
            "{port}: is {gateway} now, serial number {serial}, claim {claim}",
            port=result.port,
            gateway=result.gateway,
            serial=result.serial,
            claim=result.claim,
        )
    )
    if result.is_on_trial:
        print(say("its settings are on trial until the collector has acknowledged something"))
    if result.claim_file:
        print("  -> " + say("bring {file} to the office: eclor ca open", file=result.claim_file))


def _secrets(plan: "Plan", source: str) -> dict[str, str]:
    """Return the secrets by path: of a file, of stdin, or typed."""
    if source:
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
            tree = json.loads(text)
            return {str(path): str(value) for path, value in tree.items()}
        except OSError as error:
            raise Problem(f"{source}: {error.strerror}", _JSON, code=INPUT) from None
        except (ValueError, AttributeError):
            raise Problem(f"{source} holds no secrets by path", _JSON, code=INPUT) from None
    if not sys.stdin.isatty():
        if "uplink.password" in plan.wanted:
            raise Problem(
                "uplink.password is needed, and nobody is there to type it",
                "give --secrets",
                code=USAGE,
            )
        return {}
    return {
        path: typer.prompt(
            say("{path} (Enter: none)", path=path),
            default="",
            hide_input=True,
            show_default=False,
            err=True,
        )
        for path in plan.wanted
    }


def _papers(
    plan: "Plan",
    site: Path,
    ca_folder: Path | None,
    authority: Path | None,
    cert: Path | None,
    office: Path | None,
) -> "Papers":
    from host_tools.cable.provision import Papers, certificate_of
    from host_tools.trust import ca, claim
    from host_tools.trust.secret_words import passphrase

    papers = Papers()
    folder = ca_folder or ca.default_folder()
    has_ca = ca_folder is not None or (folder / "ca.pem").exists()
    uplink = plan.config.get("uplink", {})
    beside = site.parent / str(uplink.get("ca") or "?")
    if authority:
        papers.authority = certificate_of(authority)
    elif beside.is_file():
        papers.authority = certificate_of(beside)
    elif has_ca:
        papers.authority = ca.der(ca.public(folder))
    if cert:
        papers.own = certificate_of(cert)
    elif has_ca and uplink.get("tls"):
        papers.sign = ca.load(folder, passphrase()).sign_request
    if office:
        papers.office = claim.public_seal(office)
    elif has_ca:
        papers.office = claim.public_seal(folder / "seal.pub")
    return papers


_JSON = 'write {"network.wifi.NETWORK.key": "..."}'
