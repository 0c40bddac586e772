"""`eclor ca`: a certificate authority of one's own, for gateways and their brokers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say

NAME = "ca"
app = typer.Typer(
    no_args_is_help=True, help="A certificate authority of your own, for gateways and brokers."
)
_Folder = Annotated[
    Path | None, typer.Option(help="Where it is kept; by default with the other things of eclor.")
]
_Json = options.JsonLines


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is: the town, the service.")],
    folder: _Folder = None,
    as_json: _Json = False,
) -> None:
    """Make an authority, locked by a passphrase: keep a copy of its folder elsewhere."""
    from host_tools.trust import ca
    from host_tools.trust.secret_words import passphrase

    place = folder or ca.default_folder()
    ca.create(place, name, passphrase(confirm=True))
    if as_json:
        print(json.dumps({"folder": str(place), **asdict(ca.rows(place)[0])}))
        return
    print(say("{file}: its key, locked; keep a copy elsewhere", file=place / "ca.key"))
    print(say("{file}: brokers and gateways know it by this", file=place / "ca.pem"))


@app.command("show")
def show(folder: _Folder = None, as_json: _Json = False) -> None:
    """List the authority and the certificates that it has given; no passphrase is needed."""
    from host_tools.trust import ca

    for row in ca.rows(folder or ca.default_folder()):
        if as_json:
            print(json.dumps(asdict(row)))
        else:
            role = say(row.role)
            state = say("revoked {day}", day=row.revoked) if row.revoked else row.until
            print(f"{row.name:24} {role:10} {state}  {row.serial[:16]}  {row.fingerprint[:16]}")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Whose certificates, or the serial number of one.")],
    folder: _Folder = None,
    as_json: _Json = False,
) -> None:
    """Declare certificates good no more: of a gateway that was stolen or thrown away.

    revoked.crl is for brokers: crlfile of mosquitto, --client-crl of eclor collect. nats-server
    reads no such list: write its permissions anew, which leave the gateway out.
    """
    from host_tools.trust import ca
    from host_tools.trust.secret_words import passphrase

    place = folder or ca.default_folder()
    ca.public(place)
    for row in ca.load(place, passphrase()).revoke(name):
        if as_json:
            print(json.dumps({"file": str(place / ca.REVOKED), **asdict(row)}))
        else:
            print(say("{name}: certificate {serial} is revoked", name=row.name, serial=row.serial))
    if not as_json:
        print("  -> " + say("mosquitto: crlfile {file}, and restart it", file=place / ca.REVOKED))
        print("  -> " + say("nats-server: eclor ca permissions again, and reload it"))
        print("  -> " + say("take its key out of the file of eclor collect --keys"))


@app.command("issue")
def issue(
    name: Annotated[str, typer.Argument(help="A gateway's name, or a broker's host name.")],
    out: Annotated[Path, typer.Option(help="Folder for what is made.")] = Path(),
    request: Annotated[
        Path | None, typer.Option(help="A gateway's request (PKCS#10, DER); else for a broker.")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Another host name or address of the broker.")
    ] = None,
    years: Annotated[int, typer.Option(min=1, max=30)] = 12,
    folder: _Folder = None,
    as_json: _Json = False,
) -> None:
    """Give a certificate: for a gateway's own request, or with a new key for a broker."""
    from host_tools.problems import INPUT, Problem
    from host_tools.trust import ca
    from host_tools.trust.secret_words import passphrase, write_secret

    place = folder or ca.default_folder()
    ca.public(place)
    if request:
        try:
            data = request.read_bytes()
        except OSError as error:
            raise Problem(
                f"{request}: {error.strerror}",
                "a gateway makes it: eclor provision",
                code=INPUT,
            ) from None
        certificate = ca.load(place, passphrase()).sign_request(data, name, years)
        made = [out / f"{name}.der"]
        made[0].write_bytes(ca.der(certificate))
    else:
        certificate, key = ca.load(place, passphrase()).make_server(name, also or (), years)
        made = [out / f"{name}.pem", out / f"{name}.key"]
        write_secret(made[1], key)
        made[0].write_bytes(ca.pem(certificate))
    for path in made:
        print(json.dumps({"file": str(path)}) if as_json else str(path))


@app.command("open")
def open_claims(
    files: Annotated[list[Path], typer.Argument(help="Claims that eclor provision has written.")],
    keys: Annotated[Path, typer.Option(help="File of eclor collect --keys: they are added.")],
    folder: _Folder = None,
    as_json: _Json = False,
) -> None:
    """Open the claims of gateways: what the collector must know, into its file of keys."""
    from host_tools.trust import ca, claim
    from host_tools.trust.secret_words import passphrase

    place = folder or ca.default_folder()
    for name in claim.collect(place, passphrase(), files, keys):
        if as_json:
            print(json.dumps({"gateway": name, "keys": str(keys)}))
        else:
            print(say("{name}: its key is in {file}", name=name, file=keys))


@app.command("rotate")
def rotate(
    gateways: Annotated[list[str], typer.Argument(help="Gateways whose key is to be replaced.")],
    keys: Annotated[Path, typer.Option(help="File of eclor collect --keys, which follows it.")],
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The gateways' broker.")],
    only_end: Annotated[
        bool,
        typer.Option(
            "--only-end", help="Only end a change that was interrupted, or made by cable."
        ),
    ] = False,
    tls: options.Tls = False,
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    as_json: _Json = False,
) -> None:
    """Replace the key that gateways share with the collector, while they run.

    The key never travels: both ends make the next one of the present one and a number. Until a
    gateway has changed over, the collector believes both; whatever interrupts it, run it again.
    Who has stolen the present key has the next one too: then eclor provision --new-key, by cable.
    """
    from host_tools.remote.broker_at import context_for, host_and_port
    from host_tools.remote.rotate import rotate as replace
    from host_tools.trust.permissions import OFFICE

    host, number = host_and_port(broker)
    context = context_for(OFFICE, tls, broker_ca, broker_papers)
    for name in gateways:
        key = replace(name, keys, host, number, renew=not only_end, context=context)
        if as_json:
            print(json.dumps({"gateway": name, "key": key}))
        else:
            print(say("{name}: key {key} is in force", name=name, key=key))


@app.command("renew")
def renew(
    gateways: Annotated[list[str], typer.Argument(help="Gateways that get another certificate.")],
    keys: Annotated[Path, typer.Option(help="Each gateway's key, as eclor collect has them.")],
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The gateways' broker.")],
    authority: Annotated[
        Path | None,
        typer.Option(help="Also give them this authority, which vouches for the broker from now."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Let them connect anew at once, by a restart.")
    ] = False,
    years: Annotated[int, typer.Option(min=1, max=30)] = 12,
    folder: _Folder = None,
    tls: options.Tls = False,
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    as_json: _Json = False,
) -> None:
    """Give running gateways other certificates for the keys that they have, on trial.

    They are tried from the next connection on, in turns with the present ones: what the collector
    acknowledges under stays. The event certificates_changed says so; then revoke the old one.
    """
    from host_tools.cable.provision import certificate_of
    from host_tools.remote.broker_at import context_for, host_and_port
    from host_tools.remote.rotate import renew as give
    from host_tools.trust import ca
    from host_tools.trust.permissions import OFFICE
    from host_tools.trust.secret_words import passphrase

    host, number = host_and_port(broker)
    context = context_for(OFFICE, tls, broker_ca, broker_papers)
    parts = {"ca": certificate_of(authority)} if authority else {}
    ours = ca.load(folder or ca.default_folder(), passphrase())
    for name in gateways:
        certificate = ours.renew(name, years)
        parts["cert"] = ca.der(certificate)
        give(name, keys, host, number, parts, restart=restart, context=context)
        serial = f"{certificate.serial_number:x}"
        if as_json:
            print(json.dumps({"gateway": name, "serial": serial}))
        else:
            print(say("{name}: certificate {serial} is on trial", name=name, serial=serial))


@app.command("permissions")
def permissions(
    site: options.Site = Path("site.yaml"),
    out: Annotated[
        Path | None, typer.Option(help="File for the broker; else it is printed.")
    ] = None,
    mosquitto: Annotated[
        bool, typer.Option("--mosquitto", help="An acl_file for mosquitto, not for nats-server.")
    ] = False,
    folder: _Folder = None,
) -> None:
    """Write what each gateway may publish and hear on the broker: its own topics only.

    The broker knows a gateway by its certificate; nats.conf includes the file. Who has no good
    certificate left (eclor ca revoke) is left out.
    """
    from host_tools.planning.site_file import read_site
    from host_tools.problems import INPUT, Problem
    from host_tools.trust import ca
    from host_tools.trust import permissions as library

    names = [gateway.name for gateway in read_site(site).gateways]
    if not names:
        raise Problem(f"{site} names no gateway", f"eclor check {site}", code=INPUT)
    gone = ca.revoked_names(folder or ca.default_folder())
    names = [name for name in names if name not in gone]
    text = library.mosquitto_acl() if mosquitto else library.nats_users(names)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise Problem(f"{out}: {error.strerror}", "give another file", code=INPUT) from None
    print(say("{file}: {count} gateways", file=out, count=len(names)))
