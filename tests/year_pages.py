"""`make pages N=1000`: a year of ten-minute readings of N gateways, kept by rule, and its pages.

    python -m tests.year_pages [N] [--days 365] [--database URL]

Fills a database (fakes/year_of_readings.py; one that is given and filled is taken as it is), then
measures what a deployment asks of it: the questions behind each page, a turn of the alarms, a day
of readings forgotten by rule, an hour of new readings stored and summarised, and each page in a
headless Chromium until it paints first and until what was asked for stands there. The pages'
pictures are in build/pages/.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

import host_tools  # noqa: F401  (the stand-in for `micropython`)
from agent.record import BLOCK
from host_tools.collect import tables as t
from host_tools.collect.alarms import watch
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.collect.open_data import Report, cells
from host_tools.collect.pages import data
from host_tools.collect.retention import forget
from host_tools.collect.rules import Keep, read_rules
from host_tools.collect.store import Store
from host_tools.collect.summaries import summarise
from host_tools.processes.broker import free_port
from tests import browser
from tests.closing import close
from tests.fakes import fleet_of_gateways, year_of_readings
from tests.fakes.gateway_messages import block, wire

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "host_tools" / "collect" / "deploy" / "rules.yaml"
_DAY_MS = 86_400_000
_TURNS = 5  # each question, of another gateway each time
_READY_S = 120
_HOUR = 6  # readings of ten minutes
_SIZE = "on the disk"

Row = tuple[str, str]  # what, figure


def fill(url: str, gateways: int, days: int, tell: Callable[[str], None]) -> sa.Engine:
    """Return the filled database; one with readings is taken as it is."""
    engine = open_database(url)
    with engine.connect() as connection:
        has_any = connection.scalar(sa.select(t.reading.c.id).limit(1)) is not None
    if not has_any:
        engine.dispose()
        engine = fleet_of_gateways.fill(url, gateways, 0, days)
        year_of_readings.clone(engine, days, tell)
    return engine


def _counts(engine: sa.Engine) -> Iterator[Row]:
    for table in (t.gateway, t.record, t.reading, t.value, t.summary):
        with engine.connect() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(table))
        yield f"rows of {table.name}", f"{count:,}"
    size = 0
    if engine.dialect.name == "sqlite":
        size = Path(str(engine.url.database)).stat().st_size
    else:
        with engine.connect() as connection:
            size = connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0
    yield _SIZE, f"{size / 1e9:.1f} GB"


def _timed(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def _upkeep(engine: sa.Engine, now_ms: int) -> Iterator[Row]:
    """What the keeper does beside the intake, and the intake itself."""
    alarms = read_rules(RULES).alarms
    yield (
        "a turn of the alarms of deploy/rules.yaml",
        f"{_timed(lambda: watch(engine, alarms, now_ms)):,.0f} ms",
    )
    with engine.connect() as connection:
        oldest = connection.scalar(
            sa.select(sa.func.min(t.reading.c.at_ms)).where(t.reading.c.meter_id == 1)
        )
    assert oldest is not None
    days = (now_ms - oldest) // _DAY_MS - 1
    gone: dict[str, int] = {}
    keep = [Keep("*", days, 0)]
    spent = _timed(lambda: gone.update(forget(engine, keep, now_ms)))
    yield f"a day forgotten by rule, {gone['readings']:,} readings", f"{spent / 1000:,.1f} s"
    yield (
        "the same rule an hour later, nothing to forget",
        f"{_timed(lambda: forget(engine, keep, now_ms)):,.0f} ms",
    )
    for words, spent, count in _an_hour(engine, now_ms):
        yield words, f"{count / (spent / 1000):,.0f} readings/s"


def _an_hour(engine: sa.Engine, now_ms: int) -> list[tuple[str, float, int]]:
    """Store and summarise a block of each of many gateways; return words, ms, readings."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(t.gateway.c.name, t.journal.c.journal, sa.func.max(t.record.c.seq))
            .join_from(t.gateway, t.journal)
            .join(t.record, t.record.c.gateway_id == t.gateway.c.id)
            .where(t.gateway.c.id % 3 == 0)
            .group_by(t.gateway.c.id, t.gateway.c.name, t.journal.c.journal)
        ).all()
    messages = []
    for name, journal, seq in rows[:300]:
        read = [
            (now_ms - (_HOUR - i) * 600_000, [4000 + i, 10**9 + i], bytes(2)) for i in range(_HOUR)
        ]
        payload = wire(BLOCK, seq + 1, block(read), journal)
        messages.append(Message(f"eclor/1/{name}/rec", payload))
    count = len(messages) * _HOUR
    store = Store(engine)
    stored = _timed(lambda: store.take(messages))
    return [
        ("an hour of readings stored", stored, count),
        ("the same summarised", _timed(lambda: summarise(engine)), count),
    ]


def _questions(engine: sa.Engine, now_ms: int) -> Iterator[Row]:
    with engine.connect() as connection:
        names = list(connection.scalars(sa.select(t.gateway.c.name).order_by(t.gateway.c.name)))
    few = [names[len(names) * (2 * turn + 1) // (2 * _TURNS)] for turn in range(_TURNS)]

    def history(name: str, point: str, days: int) -> object:
        since_ms = now_ms - days * _DAY_MS
        return data.history(engine, name, "main", point, since_ms, now_ms)

    asked: list[tuple[str, Callable[[str], object]]] = [
        ("fleet", lambda name: data.fleet(engine)),
        ("one gateway's points", lambda name: data.points(engine, gateway=name)),
        ("one gateway's events", lambda name: data.notes(engine, name)),
        ("events of all", lambda name: data.notes(engine)),
    ]
    for words, days in (("day", 1), ("week", 7), ("month", 31), ("year", 366)):
        asked.append((f"history of a {words}", partial(history, point="power", days=days)))
    asked.append(("consumption of a year", lambda name: history(name, "energy_import", 366)))
    for words, ask in asked:
        found = [_timed(partial(ask, name)) for name in few]
        yield (
            f"question: {words}",
            f"{statistics.median(found):,.0f} ms, slowest {max(found):,.0f}",
        )
    span = (now_ms - 31 * _DAY_MS, 1 << 53)
    spent = _timed(lambda: list(cells(engine, 86_400, "site", 10, span, Report())))
    yield "question: open data, once in five minutes", f"{spent:,.0f} ms"


def _served(url: str) -> AbstractContextManager[str]:
    port = free_port()
    words = ["pages", "--database", url, "--listen", f"127.0.0.1:{port}", "--rules", str(RULES)]
    return browser.served(["-m", "host_tools", *words], port, ready_s=_READY_S)


_METER = "meter?lang=en&gateway={}&meter=main&point={}&span={}"
_PAGES = (
    ("fleet", lambda name: "?lang=en", ".plain >> text=gw-"),
    ("one gateway", lambda name: f"site?lang=en&gateway={name}", ".plain >> text=power"),
    ("a day of power", lambda name: _METER.format(name, "power", "day"), "canvas"),
    ("a month of power", lambda name: _METER.format(name, "power", "month"), "canvas"),
    ("a year of power", lambda name: _METER.format(name, "power", "year"), "canvas"),
    ("a year of consumption", lambda name: _METER.format(name, "energy_import", "year"), "canvas"),
    ("events", lambda name: "events?lang=en", ".plain >> text=gw-"),
    ("open data", lambda name: "open?lang=en", ".plain"),
)
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
_SERVER = "(e => e.responseStart - e.requestStart)(performance.getEntriesByType('navigation')[0])"


def _in_a_browser(url: str, pictures: Path) -> Iterator[Row]:
    with open_database(url).connect() as connection:
        names = list(connection.scalars(sa.select(t.gateway.c.name).order_by(t.gateway.c.name)))
    few = [names[len(names) * (turn + 1) // 4] for turn in range(3)]
    pictures.mkdir(parents=True, exist_ok=True)
    with _served(url) as address, browser.opened() as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address + "events?lang=en")  # the scripts are in the browser's cache from here
        page.wait_for_selector(".plain", timeout=_READY_S * 1000)
        for words, path, wait in _PAGES:
            painted, ready, server = [], [], []
            for name in few:
                begun = time.perf_counter()
                page.goto(address + path(name))
                page.wait_for_selector(wait, timeout=_READY_S * 1000)
                ready.append((time.perf_counter() - begun) * 1000)
                painted.append(page.evaluate(_PAINT))
                server.append(page.evaluate(_SERVER))
            page.screenshot(path=str(pictures / f"{words.replace(' ', '-')}.png"))
            middle = [statistics.median(found) for found in (server, painted, ready)]
            yield (
                f"page: {words}",
                "server {:,.0f}, first paint {:,.0f}, ready {:,.0f} ms".format(*middle),
            )


def main() -> int:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateways", nargs="?", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument(
        "--database", help="an empty or a filled one; else SQLite, gone afterwards"
    )
    options = parser.parse_args()
    console = Console()
    table = Table("what", "figure")
    told: dict[str, str] = {}

    def add(rows: Iterator[Row]) -> None:
        for what, figure in rows:
            console.print(f"{what}: {figure}")
            table.add_row(what, figure)
            told[what] = figure

    with tempfile.TemporaryDirectory(prefix="eclor-year-", dir=os.environ.get("TMPDIR")) as folder:
        url = options.database or f"sqlite:///{folder}/year.db"
        begun = time.monotonic()
        engine = fill(
            url, options.gateways, options.days, lambda words: console.print(words, end="\r")
        )
        add(iter([("filled in", f"{time.monotonic() - begun:,.0f} s")]))
        add(_counts(engine))
        with engine.connect() as connection:
            newest = connection.scalar(
                sa.select(sa.func.max(t.reading.c.at_ms)).where(t.reading.c.meter_id == 2)
            )
        now_ms = int(newest or 0) + 600_000
        add(_questions(engine, now_ms))
        add(_upkeep(engine, now_ms))
        engine.dispose()
        if browser.CHROMIUM.exists():
            add(_in_a_browser(url, ROOT / "build" / "pages"))
        else:
            console.print("chromium is not installed: no page was looked at")
    console.print(table)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "pages.json").write_text(json.dumps(told, indent=1))
    rows, gateways, size = (told[what] for what in ("rows of reading", "rows of gateway", _SIZE))
    close("pages", f"pages: {rows} readings of {gateways} gateways in {size}; {_slowest(told)}")
    return 0


def _slowest(told: dict[str, str]) -> str:
    ready = {
        what: float(figure.split("ready ")[1].split()[0].replace(",", ""))
        for what, figure in told.items()
        if "ready " in figure
    }
    if not ready:
        return "no page was looked at"
    what = max(ready, key=lambda each: ready[each])
    return f"slowest {what}, ready after {ready[what]:,.0f} ms"


if __name__ == "__main__":
    raise SystemExit(main())
