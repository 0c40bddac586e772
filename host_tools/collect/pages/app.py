"""Layout of the fleet's pages (NiceGUI): which page shows what.

serve(engine, Rules(), ("127.0.0.1", 8081))
"""

import asyncio
import secrets
import time
from urllib.parse import quote

import sqlalchemy as sa
from nicegui import ui
from starlette.requests import Request

from host_tools.collect.open_data import Cell, Report, cells
from host_tools.collect.pages import data
from host_tools.collect.pages.access import Users
from host_tools.collect.pages.cells import gateway_cells, make_table, thin_text, value_text
from host_tools.collect.pages.charts import history_chart, places_chart
from host_tools.collect.pages.login import guard
from host_tools.collect.pages.words import FleetWords
from host_tools.collect.rules import Rules
from host_tools.look import frame
from host_tools.look.style import CSS
from host_tools.problems import USAGE, Problem

_DAY_MS = 86_400_000
_SPANS = {"day": 1, "week": 7, "month": 31, "year": 366}
_SILENT_MS = 3_600_000
_REFRESH_S = 10.0
_PATIENCE_S = 60.0  # of NiceGUI, which would send an empty page after 3
_OPEN_S = 300.0  # sums of whole days: asked of the database once in so long, whoever looks
_MORE_CSS = """
.menu { display:flex; gap:4px; flex-wrap:wrap; }
.menu a, .spans a { color:var(--quiet); text-decoration:none; padding:7px 12px;
  border-radius:9px; font-size:14px; }
.menu a.here, .spans a.here { color:var(--ink); background:#e6ebe8; font-weight:600; }
.spans { display:flex; gap:4px; flex-wrap:wrap; }
.tiles.four { grid-template-columns:repeat(4,1fr); }
.bad { color:var(--fault); }
.history { height:380px; width:100%; }
.where { height:300px; width:100%; }
.plain { width:100%; box-shadow:none; border:1px solid var(--rule); border-radius:14px; }
.plain th { color:var(--quiet); font-weight:550; } .plain td { font-size:14px; }
.plain .q-table__grid-item { width:100%; padding:4px 0; }
@media (max-width:640px) { .tiles.four { grid-template-columns:repeat(2,1fr); }
  .history { height:280px; } .where { height:220px; } }
"""


def serve(
    engine: sa.Engine,
    rules: Rules,
    address: tuple[str, int],
    users: Users | None = None,
    least: int = 10,
) -> None:
    """Serve the pages until Ctrl-C.

    address  where to listen; anything but loopback only with users
    least    meters in a group of the open page
    """
    if users is None and not address[0].startswith("127."):
        raise Problem(
            f"{address[0]} would show everybody the readings",
            "give --users FILE, or listen on 127.0.0.1",
            code=USAGE,
        )
    Pages(engine, rules, least).register()
    if users is not None:
        guard(users)
    frame.serve(*address, title="Éclor Edge", storage_secret=secrets.token_hex(32))


class Pages:
    """All pages over one database."""

    def __init__(self, engine: sa.Engine, rules: Rules, least: int) -> None:
        self._engine = engine
        self._rules = rules
        self._least = least
        self._opening = asyncio.Lock()
        self._opened: tuple[float, tuple[list[Cell], Report] | None] = (0.0, None)

    def register(self) -> None:
        """Make the addresses known to NiceGUI."""
        for path, page in (
            ("/", self.fleet),
            ("/site", self.site),
            ("/meter", self.meter),
            ("/events", self.events),
            ("/open", self.open),
        ):
            ui.page(path, response_timeout=_PATIENCE_S)(page)

    def _frame(self, request: Request, here: str, title: str) -> FleetWords:
        say = FleetWords(frame.language_of(request))
        ui.add_css(CSS + _MORE_CSS)
        ui.page_title(f"{title or say(here)} · Éclor Edge")
        ui.query("html").props(f"lang={say.language}")
        with ui.element("header").classes("page").style("padding-bottom:0"):
            with ui.element("div").classes("row between"):
                with ui.element("nav").classes("menu"):
                    for key, path in (
                        ("fleet", "/"),
                        ("events", "/events"),
                        ("open_data", "/open"),
                    ):
                        classes = "here" if key == here else ""
                        ui.link(say(key), f"{path}?lang={say.language}").classes(classes)
                frame.language_switch(say.language, request.query_params)
            ui.label(title or say(here)).classes("h1")
        return say

    # -- fleet -------------------------------------------------------------------------------

    async def fleet(self, request: Request) -> None:
        """Every gateway: a few figures, a map where places are given, a table."""
        say = self._frame(request, "fleet", "")
        with ui.element("main").classes("page"):
            with ui.element("section").classes("tiles four"):
                tiles = {
                    key: _tile(say(key)) for key in ("gateways", "online", "silent", "open_alarms")
                }
            columns = ("site", "gateway", "seen", "backlog", "journal", "clock", "version")
            table = make_table(say, (*columns, "errors", "alarms"), "gateway")
            table.on(
                "rowClick",
                lambda event: ui.navigate.to(
                    f"/site?gateway={quote(event.args[1]['gateway'])}&lang={say.language}"
                ),
            )
            where = ui.element("section").classes("card")

        async def refresh() -> list[data.GatewayRow]:
            rows = await asyncio.to_thread(data.fleet, self._engine)
            now_ms = _now_ms()
            silent = sum(now_ms - row.seen_ms > _SILENT_MS for row in rows)
            alarms = sum(row.alarms for row in rows)
            _fill(tiles["gateways"], say.number(len(rows)))
            _fill(tiles["online"], say.number(sum(row.online for row in rows)))
            _fill(tiles["silent"], say.number(silent), silent > 0)
            _fill(tiles["open_alarms"], say.number(alarms), alarms > 0)
            table.rows = [gateway_cells(row, say, now_ms) for row in rows]
            table.update()
            return rows

        self._map(where, say, await refresh())
        ui.timer(_REFRESH_S, refresh)

    def _map(self, where: ui.element, say: FleetWords, rows: list[data.GatewayRow]) -> None:
        """Draw the gateways whose places are known."""
        placed = [(row, self._rules.place_of(row.name, "")) for row in rows]
        found = [(row, place) for row, place in placed if place is not None]
        if not found:
            where.delete()
            return
        now_ms = _now_ms()
        with where:
            ui.label(say("map")).classes("name")
            chart = places_chart(
                found, lambda row: row.alarms > 0 or now_ms - row.seen_ms > _SILENT_MS
            )
            ui.echart(chart).classes("where")

    # -- one site or gateway -----------------------------------------------------------------

    async def site(self, request: Request) -> None:
        """The meters of a site or of a gateway with their newest values, and what happened."""
        site = request.query_params.get("site")
        gateway = request.query_params.get("gateway")
        say = self._frame(request, "site", gateway or site or "")
        rows = await asyncio.to_thread(data.points, self._engine, site, gateway)
        with ui.element("main").classes("page"):
            if not rows:
                ui.label(say("none")).classes("card")
            table = make_table(say, ("meter", "point", "newest", "at"), "key")
            now_ms = _now_ms()
            table.rows = [
                {
                    "key": f"{row.gateway}/{row.meter}/{row.point}",
                    "gateway": row.gateway,
                    "meter": row.meter,
                    "point": row.point,
                    "newest": value_text(row.value, row.unit, say),
                    "at": say.ago(row.at_ms, now_ms) if row.at_ms is not None else "—",
                }
                for row in rows
            ]
            table.on(
                "rowClick",
                lambda event: ui.navigate.to(
                    "/meter?"
                    + "&".join(
                        f"{key}={quote(event.args[1][key])}"
                        for key in ("gateway", "meter", "point")
                    )
                    + f"&lang={say.language}"
                ),
            )
            ui.label(say("events")).classes("h2 head")
            await self._notes(say, gateway)

    # -- one meter ---------------------------------------------------------------------------

    async def meter(self, request: Request) -> None:
        """One point's history: day, week, month or year; gaps are gaps."""
        query = request.query_params
        gateway, meter, point = (query.get(key, "") for key in ("gateway", "meter", "point"))
        span = query.get("span", "day")
        days = _SPANS.get(span, 1)
        say = self._frame(request, "meter", f"{meter} · {point}")
        until_ms = _now_ms()
        if query.get("until", "").isdecimal():
            until_ms = min(int(query["until"]), 1 << 53)
        found = await asyncio.to_thread(
            data.history, self._engine, gateway, meter, point, until_ms - days * _DAY_MS, until_ms
        )
        with ui.element("main").classes("page"):
            if found is None:
                ui.label(say("not_known")).classes("card")
                return
            with ui.element("section").classes("card"):
                with ui.element("div").classes("row between"):
                    kind = say("consumption") + " " if found.is_consumption else ""
                    ui.label(f"{kind}{found.unit} {say(f'per_{found.step_s}')}").classes("name")
                    with ui.element("nav").classes("spans"):
                        for key in _SPANS:
                            link = "&".join(
                                f"{k}={quote(v)}"
                                for k, v in {**query, "span": key, "lang": say.language}.items()
                            )
                            ui.link(say(key), f"?{link}").classes("here" if key == span else "")
                ui.echart(history_chart(found, say.language)).classes("history")
                ui.label(say("gap_hint")).classes("hint")
                if found.thin:
                    ui.label(thin_text(say, found.thin, found.unit)).classes("hint")
            link = f"/site?gateway={quote(gateway)}&lang={say.language}"
            ui.link(f"← {gateway}", link).classes("hint")

    # -- events ------------------------------------------------------------------------------

    async def events(self, request: Request) -> None:
        """What happened in the whole fleet, newest first."""
        say = self._frame(request, "events", "")
        with ui.element("main").classes("page"):
            await self._notes(say, None)

    async def _notes(self, say: FleetWords, gateway: str | None) -> None:
        notes = await asyncio.to_thread(data.notes, self._engine, gateway)
        table = make_table(say, ("at", "what", "gateway", "meter", "point"), "key")
        table.columns[-1]["label"] = ""
        table.rows = [
            {
                "key": index,
                "at": say.when(note.at_ms),
                "what": say(note.kind),
                "gateway": note.gateway,
                "meter": note.meter,
                "point": note.text[:200],
            }
            for index, note in enumerate(notes)
        ]
        table.update()

    # -- open data ---------------------------------------------------------------------------

    async def open(self, request: Request) -> None:
        """Sums of groups per day: for everybody, without a login."""
        say = self._frame(request, "open_data", "")
        rows, report = await self._open_cells()
        with ui.element("main").classes("page"):
            ui.label(say("open_hint")).classes("hint")
            table = make_table(say, ("group", "at", "point", "consumption", "meters"), "key")
            table.rows = [
                {
                    "key": index,
                    "group": group,
                    "at": say.when(start_ms)[:10],
                    "point": point,
                    "consumption": f"{say.number(float(total), 1)} {unit}",
                    "meters": say.number(meters),
                }
                for index, (group, point, unit, start_ms, total, _, meters) in enumerate(
                    reversed(rows)
                )
            ]
            held = sum(report.held_back.values())
            if held:
                ui.label(say("held_back", say.number(held))).classes("hint")

    async def _open_cells(self) -> tuple[list[Cell], Report]:
        """Return what may be published of the last 31 days; everybody may ask for it."""

        def ask() -> tuple[list[Cell], Report]:
            report = Report()
            span = (_now_ms() - 31 * _DAY_MS, 1 << 53)
            return list(cells(self._engine, 86_400, "site", self._least, span, report)), report

        async with self._opening:
            asked_s, found = self._opened
            if found is None or time.monotonic() - asked_s >= _OPEN_S:
                found = await asyncio.to_thread(ask)
                self._opened = (time.monotonic(), found)
            return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tile(title: str) -> ui.label:
    with ui.element("div").classes("card tile"):
        ui.label(title).classes("what")
        return ui.label("…").classes("value")


def _fill(label: ui.label, text: str, is_bad: bool = False) -> None:
    label.set_text(text)
    label.classes(remove="" if is_bad else "bad", add="bad" if is_bad else "")
