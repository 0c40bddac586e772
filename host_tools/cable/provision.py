"""Make a gateway of a board that has the firmware: identity, key, certificate, settings.

    plan = plan_for(site, "gw-ecole")            # what will be given; a Problem when it is wrong
    result = provision("/dev/ttyUSB0", plan, paper)

Secrets pass through this computer's memory and no file: the private key is made on the board and
stays there, WiFi keys and passwords are typed and handed on, the key shared with the collector is
sealed for the office (claim.py) before the board gets it. The board takes all of it or nothing
(firmware/provision.py), so a cut leaves what was in force, and the next run goes on.
"""

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from agent.settings import merge, split
from host_tools.cable.deploy import check_board
from host_tools.cable.prompt import BoardError, Prompt
from host_tools.packing import release
from host_tools.planning.site_file import Site
from host_tools.problems import DEVICE, FAILED, INPUT, Problem
from host_tools.trust import ca, claim

_KEY = "uplink.key"
_PRIVACY = "privacy.key"
_LATER = ("needs privacy.key", "is required with tls")  # rules that provisioning itself meets


@dataclass
class Plan:
    """What a gateway will be given."""

    site: str
    gateway: str
    config: dict[str, Any]  # without a secret
    secrets: dict[str, str]
    in_file: tuple[str, ...] = ()  # secrets that stand in the site file, where they should not
    wanted: tuple[str, ...] = ()  # secrets that a person may have to type

    @property
    def board(self) -> str:
        """The board that the site file names."""
        return str(self.config["board"])


@dataclass
class Papers:
    """Who vouches for what; each may be absent."""

    authority: bytes = b""  # DER of the authority that vouches for the broker
    own: bytes = b""  # DER of this gateway's certificate, made elsewhere for its request
    sign: Callable[[bytes, str], x509.Certificate] | None = None  # a local authority
    office: X25519PublicKey | None = None  # who may read the key shared with the collector
    release_keys: tuple[Path, ...] = ()
    new_key: bool = False  # replace a key that the board shares with the collector already


@dataclass
class Result:
    """What became of it; nothing in it is a secret."""

    port: str
    gateway: str
    serial: str
    claim: str  # the reference, K7Q2-M4XA
    config: str  # fingerprint of what is in force or on trial
    is_on_trial: bool
    made: list[str] = field(default_factory=list)
    claim_file: str = ""
    certificate: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


def plan_for(site: Site, name: str) -> Plan:
    """Return what a site file gives a gateway; a Problem when the file is wrong or lacks it."""
    site.require_good(FAILED, _LATER)
    found = [gateway for gateway in site.gateways if not name or gateway.name == name]
    if len(found) != 1:
        there = ", ".join(gateway.name for gateway in site.gateways)
        what = f"there is no gateway {name} in {site.path}" if name else "which gateway is it?"
        raise Problem(what, f"give --gateway, one of {there}", code=INPUT)
    config, secrets = split(found[0].tree)
    uplink = config.get("uplink", {})
    for key in ("cert", "cert_key"):
        uplink.pop(key, None)  # the board's own, whose name it chooses
    wanted = [
        f"network.wifi.{row['ssid']}.key" for row in config.get("network", {}).get("wifi", [])
    ]
    if uplink.get("user"):
        wanted.append("uplink.password")
    return Plan(
        site.name,
        found[0].name,
        config,
        dict(secrets),
        tuple(secrets),
        tuple(path for path in wanted if path not in secrets),
    )


def request(port: str, name: str) -> bytes:
    """Return a board's request for a certificate, for an authority that is elsewhere."""
    with Prompt(port) as prompt:
        _open(prompt)
        return base64.b64decode(_request(prompt, name)["request"])


def provision(
    port: str,
    plan: Plan,
    papers: Papers,
    *,
    claims: Path,
    tell: Callable[[str], None] = lambda words: None,
    start: bool = True,
) -> Result:
    """Give a board what the plan says; start it. claims: the folder for the claim."""
    with Prompt(port) as prompt:
        tell("preparing")
        check_board(prompt, [plan.board])
        identity = _open(prompt)
        tell("making its key")
        asked = _request(prompt, plan.gateway)
        order = _order(plan)
        own = _certificates(plan, papers, base64.b64decode(asked["request"]), order)
        who = claim.Identity(
            plan.gateway,
            plan.site,
            plan.board,
            identity["id"],
            asked["key"],
            own.fingerprint(hashes.SHA256()).hex() if own else "",
        )
        result = Result(
            port, plan.gateway, who.serial, who.reference, "", False, certificate=who.certificate
        )
        has_key = _KEY in identity["secrets"] and identity["gateway"] == plan.gateway
        if papers.office and _KEY not in order["secrets"] and (papers.new_key or not has_key):
            key = os.urandom(32)
            order["secrets"][_KEY] = key.hex()
            path = claims / f"{plan.gateway}.claim.json"
            # Before the board has the key: a cut in between costs a run, never a key.
            path.write_bytes(claim.make(who, key, papers.office))
            result.claim_file = str(path)
        order["release_keys"] = b"".join(
            release.read_public(path) for path in papers.release_keys
        ).hex()
        tell("handing over")
        answer = call(prompt, f"take({json.dumps(order)!r},{prompt.root!r})")
        if not answer["ok"]:
            raise _refused(answer["problems"])
        result.config, result.is_on_trial = answer["config"], answer["trial"]
        result.made = [*answer["made"], *(["own.key"] if asked["made"] else [])]
        if start:
            prompt.reset()
    return result


def settings(port: str) -> dict[str, Any]:
    """Return who a gateway is, its configuration, and the names of its secrets; start it again."""
    with Prompt(port) as prompt:
        identity = _open(prompt)
        told = call(prompt, f"settings({prompt.root!r})")
        prompt.reset()
    return {**identity, "config": told["config"], "hash": identity["config"]}


def problems(port: str, plan: Plan) -> list[str]:
    """Return what the gateway's own firmware finds wrong with a plan; nothing is kept."""
    with Prompt(port) as prompt:
        identity = _open(prompt)
        stand_ins = dict.fromkeys((_KEY, _PRIVACY), "0" * 64) | plan.secrets
        known = {path: value for path, value in stand_ins.items() if path in identity["secrets"]}
        config = _with_certificates(plan.config, call(prompt, f"settings({prompt.root!r})"))
        found = call(prompt, f"problems({json.dumps(merge(config, known))!r})")
        prompt.reset()
    return list(found["problems"])


def push(port: str, plan: Plan) -> dict[str, Any]:
    """Give a gateway other settings, on trial; its secrets and certificates stay. Start it."""
    with Prompt(port) as prompt:
        check_board(prompt, [plan.board])
        identity = _open(prompt)
        if identity["gateway"] != plan.gateway:
            here = identity["gateway"] or "no gateway yet"
            raise Problem(
                f"the gateway on {port} is {here}, not {plan.gateway}",
                "give --gateway, or make it one: eclor provision",
                code=INPUT,
            )
        order = _order(plan)
        order["config"] = _with_certificates(
            plan.config, call(prompt, f"settings({prompt.root!r})")
        )
        order["release_keys"] = ""
        answer = call(prompt, f"take({json.dumps(order)!r},{prompt.root!r})")
        if not answer["ok"]:
            raise _refused(answer["problems"])
        prompt.reset()
    return {"gateway": plan.gateway, "config": answer["config"], "trial": answer["trial"]}


def forget(port: str, *, journal: bool) -> None:
    """Make a gateway forget its settings, secrets and keys; with journal its readings too."""
    with Prompt(port) as prompt:
        _open(prompt)
        call(prompt, f"forget({journal},{prompt.root!r})")
        prompt.reset()


def _with_certificates(config: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that names the certificates which the board has."""
    changed: dict[str, Any] = json.loads(json.dumps(config))
    uplink = changed.setdefault("uplink", {})
    if uplink.get("tls"):
        had = told["config"].get("uplink", {})
        uplink |= {key: had[key] for key in ("ca", "cert", "cert_key") if key in had}
    return changed


def open_gateway(prompt: Prompt) -> Mapping[str, Any]:
    """Bring a board to where its firmware answers questions; return who it says it is."""
    return _open(prompt)


def call(prompt: Prompt, words: str) -> Any:
    """Call a function of the board's firmware/provision.py; return its answer."""
    return json.loads(prompt.run(f"provision.{words}", 120).strip().splitlines()[-1])


def _open(prompt: Prompt) -> Mapping[str, Any]:
    prompt.enter_maintenance()
    try:
        slot = prompt.value("__import__('boot').mount()", 60)
        if slot:
            prompt.run("from firmware import provision")
            return dict(call(prompt, f"identity({prompt.root!r})"))
    except BoardError as error:
        if "ImportError" not in error.said:
            raise
    raise Problem(
        f"{prompt.port} has no firmware of ours that is whole",
        "eclor deploy puts it there",
        code=DEVICE,
    )


def _request(prompt: Prompt, name: str) -> dict[str, Any]:
    salt = os.urandom(32).hex()
    answer: dict[str, Any] = call(prompt, f"request({name!r},{salt!r},{prompt.root!r})")
    return answer


def _order(plan: Plan) -> dict[str, Any]:
    order: dict[str, Any] = {
        "config": json.loads(json.dumps(plan.config)),
        "secrets": {path: value for path, value in plan.secrets.items() if value},
        "make": [],
        "certificates": {},
    }
    is_personal = any(meter.get("personal") for meter in plan.config.get("meters", []))
    if is_personal and _PRIVACY not in order["secrets"]:
        order["make"].append(_PRIVACY)
    return order


def _certificates(
    plan: Plan, papers: Papers, asked: bytes, order: dict[str, Any]
) -> x509.Certificate | None:
    """Add what TLS needs to the order; return the gateway's own certificate, if it gets one."""
    uplink = plan.config.get("uplink", {})
    if not uplink.get("tls"):
        return None
    if not papers.authority:
        raise Problem(
            "uplink.tls needs the authority that vouches for the broker",
            "eclor ca create makes one; or give --authority FILE",
            code=INPUT,
        )
    given = {"ca": papers.authority}
    own = None
    if papers.own:
        own = x509.load_der_x509_certificate(papers.own)
    elif papers.sign:
        own = papers.sign(asked, plan.gateway)
    if own:
        given["cert"] = ca.der(own)
    order["certificates"] = {part: base64.b64encode(data).decode() for part, data in given.items()}
    return own


def _refused(problems: list[str]) -> Problem:
    return Problem(
        f"the board refuses: {'; '.join(problems)}",
        "nothing was changed: mend the site file, eclor check helps",
        code=FAILED,
    )


def certificate_of(path: Path) -> bytes:
    """Return a certificate of a file, PEM or DER, as DER. A Problem when it is none."""
    try:
        data = path.read_bytes()
        if data.startswith(b"-----"):
            return ca.der(x509.load_pem_x509_certificate(data))
        return ca.der(x509.load_der_x509_certificate(data))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give a certificate", code=INPUT) from None
    except ValueError:
        raise Problem(f"{path} is no certificate", "give one, PEM or DER", code=INPUT) from None
