"""The acceptance of a gateway on paper and as data, signed by the technician who did it.

    data = sealed(report, key_at(path, passphrase))          # JSON: report, signer, signature
    verify(data)                                             # the report; a Problem when forged
    Path("gw.pdf").write_bytes(pdf(data))                    # in the language in use

Signed are the bytes of the report as canonical JSON (keys sorted, no spaces), by Ed25519. The PDF
shows the signature and the digest of those bytes, so that paper and data can be compared.
"""

import io
import itertools
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from host_tools.acceptance.findings import Report
from host_tools.language import say, translated
from host_tools.problems import FAILED, INPUT, Problem
from host_tools.sheets import FONT, plain, qr, sheet
from host_tools.trust import locked_key
from host_tools.trust.secret_words import check_new

_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_COLOURS = {
    "good": (22, 120, 60),
    "note": (170, 110, 0),
    "failed": (190, 30, 30),
    "not tested": (110, 110, 110),
}
_INK, _FAINT = (25, 30, 40), (120, 128, 140)
_LINE_COLOURS = ((30, 90, 160), (200, 100, 20), (60, 140, 80))
_PLOTS_PER_METER = 3


def key_at(path: Path, passphrase: str) -> Ed25519PrivateKey:
    """Return the technician's key of a file; one is made there when it is absent."""
    if not path.exists():
        check_new(passphrase)  # before a folder is made
        path.parent.mkdir(parents=True, exist_ok=True)
        key = Ed25519PrivateKey.generate()
        locked_key.write_key(path, key, passphrase)
        return key
    found = locked_key.read_key(path, passphrase, "give another --key")
    if not isinstance(found, Ed25519PrivateKey):
        raise Problem(f"{path} is no key of a technician", "give another --key", code=INPUT)
    return found


def sealed(report: Report, key: Ed25519PrivateKey) -> bytes:
    """Return the report with its signature, as JSON."""
    tree = report.as_dict()
    return (
        json.dumps(
            {
                "report": tree,
                "signer": {
                    "name": report.technician,
                    "ed25519": key.public_key().public_bytes(*_RAW).hex(),
                },
                "signature": key.sign(_canonical(tree)).hex(),
            },
            indent=1,
            ensure_ascii=False,
        ).encode()
        + b"\n"
    )


def write(report: Report, key: Ed25519PrivateKey, folder: Path) -> list[Path]:
    """Write a signed report into a folder, as JSON and PDF; return both paths."""
    data = sealed(report, key)
    base = folder / f"{report.gateway}-{report.at[:10]}"
    files = [base.with_suffix(".json"), base.with_suffix(".pdf")]
    files[0].write_bytes(data)
    files[1].write_bytes(pdf(data))
    return files


def verify(data: bytes) -> dict[str, Any]:
    """Return the whole of a signed report; a Problem when it is none, or was changed."""
    try:
        tree: dict[str, Any] = json.loads(data)
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(tree["signer"]["ed25519"]))
        public.verify(bytes.fromhex(tree["signature"]), _canonical(tree["report"]))
    except InvalidSignature:
        raise Problem(
            "the report is not what was signed", "ask its technician for it again", code=FAILED
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Problem(
            "this is no acceptance report", "eclor accept writes one", code=INPUT
        ) from None
    return tree


def _canonical(tree: Mapping[str, Any]) -> bytes:
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pdf(data: bytes) -> bytes:
    """Return a signed report on paper, in the language in use."""
    tree = verify(data)
    report, signer = tree["report"], tree["signer"]
    paper = sheet()
    paper.set_title(plain(paper, f"{report['gateway']} {report['at']}"))
    paper.add_page()
    _head(paper, report)
    _checks(paper, report["checks"])
    for meter in report["meters"]:
        _meter(paper, meter)
    _signature(paper, tree, signer)
    if paper.lacks:
        _text(paper, say("[U+....]: a character that this font lacks; the JSON has it."), 8)
    return bytes(paper.output())


def verdict_state(report: Mapping[str, Any]) -> str:
    """Return how a verdict is coloured: good, note or failed."""
    if not report["accepted"]:
        return "failed"
    return "note" if report["without_uplink"] else "good"


def _text(paper: Any, text: str, size: float, style: str = "", colour: Any = _INK) -> None:
    paper.set_font(FONT, style, size)
    paper.set_text_color(*colour)
    paper.multi_cell(0, size * 0.5, plain(paper, text), new_x="LMARGIN", new_y="NEXT")


def _lines(paper: Any, text: str) -> None:
    paper.multi_cell(0, 5, plain(paper, text), align="L", new_x="LMARGIN", new_y="NEXT")


def _head(paper: Any, report: Mapping[str, Any]) -> None:
    _text(paper, say("Acceptance of a gateway"), 20, "B")
    state = verdict_state(report)
    _text(paper, translated(report["verdict"]), 15, "B", _COLOURS[state])
    if report["without_uplink"]:
        told = say("The uplink was not proved: whoever signs has accepted it without.")
        _text(paper, told, 10, "", _COLOURS["note"])
    paper.ln(2)
    rows = (
        (say("gateway"), report["gateway"]),
        (say("site"), report["site"]),
        (say("board"), f"{report['board']}, {report['serial']}"),
        (say("claim"), report["claim"]),
        (say("firmware"), f"{report['firmware']}, {report['runtime']}"),
        (say("settings"), report["config"]),
        (say("date"), report["at"].replace("T", " ").replace("+00:00", " UTC")),
        (say("technician"), report["technician"]),
    )
    for name, value in rows:
        paper.set_font(FONT, "", 10)
        paper.set_text_color(*_FAINT)
        paper.cell(38, 6, plain(paper, name))
        paper.set_text_color(*_INK)
        paper.cell(0, 6, plain(paper, value or "-"), new_x="LMARGIN", new_y="NEXT")
    paper.ln(4)


def _checks(paper: Any, checks: list[dict[str, Any]]) -> None:
    _text(paper, say("What was looked at"), 13, "B")
    paper.ln(1)
    for check in checks:
        paper.set_draw_color(225, 228, 232)
        paper.line(16, paper.get_y(), 194, paper.get_y())
        top = paper.get_y() + 1.2
        paper.set_xy(16, top)
        paper.set_font(FONT, "B", 10)
        paper.set_text_color(*_COLOURS[check["state"]])
        paper.cell(24, 5, plain(paper, say(check["state"])))
        paper.set_text_color(*_INK)
        paper.cell(36, 5, plain(paper, say(check["name"])))
        paper.set_font(FONT, "", 10)
        _lines(paper, translated(check["what"]))
        for hint in check["hints"]:
            paper.set_x(76)
            paper.set_text_color(*_FAINT)
            _lines(paper, "→ " + translated(hint))
        paper.ln(1.2)
    paper.ln(4)


def _meter(paper: Any, meter: dict[str, Any]) -> None:
    if paper.get_y() > 215:
        paper.add_page()
    _text(paper, f"{meter['name']}: {meter['map']}, {meter['line']}", 13, "B")
    told = say(
        "readings {reads}, whole {whole}, silent {silent}, damaged {damaged}",
        reads=meter["reads"],
        whole=meter["whole"],
        silent=meter["silent"],
        damaged=meter["damaged"],
    )
    _text(paper, told, 9, "", _FAINT)
    shown = [row for row in meter["values"] if row[1]][:12]
    for i in range(0, len(shown), 3):
        for name, value, unit in shown[i : i + 3]:
            paper.set_font(FONT, "", 8)
            paper.set_text_color(*_FAINT)
            paper.cell(28, 5, plain(paper, name)[:18])
            paper.set_text_color(*_INK)
            paper.cell(31, 5, plain(paper, f"{value} {unit}"))
        paper.ln(5)
    _plots(paper, meter)
    paper.ln(4)


def _plots(paper: Any, meter: dict[str, Any]) -> None:
    """Draw the answer times and the first points that were read, reading by reading."""
    drawn = []
    if len(meter["reply_ms"]) > 1:
        drawn.append((say("answer after, ms"), meter["reply_ms"]))
    drawn += [(name, values) for name, values in meter["series"].items() if len(values) > 1]
    top = paper.get_y() + 5
    if top > 250:
        paper.add_page()
        top = paper.get_y() + 5
    for i, (name, values) in enumerate(drawn[:_PLOTS_PER_METER]):
        left, width, height = 16 + i * 61, 54, 24
        low, high = min(values), max(values)
        paper.set_font(FONT, "", 7)
        paper.set_text_color(*_FAINT)
        paper.text(left, top - 1.2, plain(paper, f"{name}: {low:.9g} .. {high:.9g}"))
        paper.set_draw_color(215, 219, 225)
        paper.rect(left, top, width, height)
        paper.set_draw_color(*_LINE_COLOURS[i])
        span = high - low or 1.0
        points = [
            (
                left + 1 + (width - 2) * at / (len(values) - 1),
                top + height - 2 - (height - 4) * ((value - low) / span if high > low else 0.5),
            )
            for at, value in enumerate(values)
        ]
        paper.set_line_width(0.4)
        for start, end in itertools.pairwise(points):
            paper.line(*start, *end)
        for x, y in points:
            paper.ellipse(x - 0.5, y - 0.5, 1, 1)
        paper.set_line_width(0.2)
    if drawn:
        paper.set_y(top + 26)


def _signature(paper: Any, tree: Mapping[str, Any], signer: Mapping[str, str]) -> None:
    if paper.get_y() > 225:
        paper.add_page()
    digest = sha256(_canonical(tree["report"])).hexdigest()
    _text(paper, say("Signature"), 13, "B")
    top = paper.get_y() + 1
    code = qr(f"eclor:acceptance:{digest}:{signer['ed25519']}")
    paper.image(io.BytesIO(code), x=162, y=top, w=32)
    paper.set_xy(16, top)
    rows = (
        ("SHA-256", digest),
        ("Ed25519", signer["ed25519"]),
        (say("signature"), tree["signature"]),
    )
    for name, value in rows:
        paper.set_font(FONT, "", 8)
        paper.set_text_color(*_FAINT)
        paper.cell(24, 4.5, plain(paper, name))
        paper.set_font("Courier", "", 8)
        paper.set_text_color(*_INK)
        paper.multi_cell(116, 4.5, value, new_x="LMARGIN", new_y="NEXT")
