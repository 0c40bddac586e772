"""The page: every provision, our answer, the test, its last result; one file of HTML.

Path("compliance.html").write_text(page(results))
"""

from html import escape
from typing import Any

from host_tools.compliance.results import BEYOND, FAILS, HOLDS, NOT_RUN, Row, assess
from host_tools.language import current, say

WORDS = {HOLDS: "holds", FAILS: "fails", NOT_RUN: "not run", BEYOND: "not by firmware"}
_CSS = """
:root { --ink:#1c2b2a; --quiet:#556664; --rule:#e2e8e5; --holds:#0f766e; --fails:#b3261e;
  --not:#8a6d1b; }
body { font:15px/1.45 system-ui,"Segoe UI",Roboto,sans-serif; color:var(--ink); background:#f4f6f4;
  margin:0 auto; padding:24px 20px 60px; max-width:1160px; }
h1 { font-size:26px; margin:0 0 4px; } h2 { font-size:19px; margin:34px 0 8px; }
p { color:var(--quiet); margin:0 0 10px; max-width:70em; }
.sum { display:flex; gap:28px; flex-wrap:wrap; margin:18px 0; }
.sum b { display:block; font-size:30px; font-weight:650; line-height:1.1; }
article { background:#fff; border:1px solid var(--rule); border-radius:12px; padding:12px 16px;
  margin:8px 0; display:grid; grid-template-columns:120px 1fr 1fr 116px; gap:4px 18px; }
article > * { min-width:0; } .number { font-weight:600; } .asks { font-weight:550; }
.beyond { color:var(--not); } .holds { color:var(--holds); } .fails { color:var(--fails); }
.not, .beyond { color:var(--not); } .status { font-weight:600; text-align:right; }
ul { grid-column:2 / -1; list-style:none; margin:2px 0 0; padding:0; columns:2; column-gap:24px;
  font:12px/1.5 ui-monospace,"DejaVu Sans Mono",monospace; color:var(--quiet); }
li { break-inside:avoid; overflow-wrap:anywhere; }
@media (max-width:760px) { article { grid-template-columns:1fr auto; }
  .asks, .how, ul { grid-column:1 / -1; columns:1; } .status { grid-row:1; grid-column:2; } }
"""


def page(results: dict[str, Any]) -> str:
    """Return the page in the language in use; the provisions themselves are in English."""
    rows = assess(results)
    counts = {status: sum(row.status == status for row in rows) for status in WORDS}
    parts = [
        f'<!doctype html><html lang="{current()}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(say('What holds'))}</title><style>{_CSS}</style>",
        f"<h1>{escape(say('What holds'))}</h1>",
        f"<p>{escape(_origin(results))}</p>",
        f"<p>{escape(say('No certificate: what the firmware and its tests can show.'))}</p>",
        '<div class="sum">',
    ]
    parts += [
        f'<div class="{status.split()[0]}"><b>{counts[status]}</b>{escape(say(word))}</div>'
        for status, word in WORDS.items()
        if counts[status] or status in (HOLDS, FAILS)
    ]
    parts.append("</div>")
    parts += _claims(results.get("claims", {}))
    standard = ""
    for row in rows:
        if row.standard != standard:
            standard = row.standard
            parts.append(f"<h2>{escape(standard)}</h2>")
        parts.append(_article(row))
    return "\n".join(parts) + "\n"


def _origin(results: dict[str, Any]) -> str:
    return say(
        "Éclor Edge {version}, tests of {date}",
        version=results.get("version", "?"),
        date=results.get("date", "?"),
    )


def _claims(claims: dict[str, dict[str, str]]) -> list[str]:
    """Return what the long proofs found last: the same rows as the README's table."""
    return [
        f'<article><div class="number">{escape(claim["date"])}</div>'
        f'<div class="asks">{escape(promise)}</div><div class="how">{escape(claim["seen"])}</div>'
        f"<ul><li>{escape(claim['command'])}</li></ul></article>"
        for promise, claim in claims.items()
    ]


def _article(row: Row) -> str:
    tests = "".join(
        f'<li class="{p.status.split()[0]}">{escape(p.name)} · {p.passed}'
        + (f", {say('failed')} {p.failed}" if p.failed else "")
        + (f", {say('skipped')} {p.skipped}" if p.skipped else "")
        + "</li>"
        for p in row.proofs
    )
    provision = row.provision
    beyond = f'<br><span class="beyond">{escape(provision.beyond)}</span>'
    return (
        f'<article><div class="number">{escape(provision.number)}</div>'
        f'<div class="asks">{escape(provision.asks)}</div>'
        f'<div class="how">{escape(provision.how)}{beyond if provision.beyond else ""}</div>'
        f'<div class="status {row.status.split()[0]}">{escape(say(WORDS[row.status]))}</div>'
        + (f"<ul>{tests}</ul>" if tests else "")
        + "</article>"
    )
