"""Layout of the fleet's pages (NiceGUI) and the way in.

serve(engine, Rules(), ("127.0.0.1", 8081))
"""

import asyncio
import html
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import sqlalchemy as sa
from fastapi import Form
from fastapi.responses import HTMLResponse, RedirectResponse
from nicegui import app, ui
from starlette.requests import Request
from starlette.responses import Response

from host_tools.collect.open_data import Report, cells
from host_tools.collect.pages import data
from host_tools.collect.pages.access import Tries, Users
from host_tools.collect.pages.words import FleetWords
from host_tools.collect.rules import Rules
from host_tools.page.style import CSS, INK, LINE_COLOURS
from host_tools.page.words import LANGUAGES, best_language
from host_tools.problems import USAGE, Problem

_DAY_MS = 86_400_000
_SPANS = {"day": 1, "week": 7, "month": 31, "year": 366}
_SILENT_MS = 3_600_000
_REFRESH_S = 10.0
_FREE = ("/login", "/open", "/_nicegui", "/favicon")
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
_LOGIN = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Éclor Edge</title><style>{css}
form {{ max-width:340px; margin:12vh auto; display:flex; flex-direction:column; gap:12px; }}
input, button {{ font:inherit; padding:10px 12px; border:1px solid #cbd5d1; border-radius:10px; }}
button {{ background:#0f766e; color:#fff; border:0; font-weight:600; }}
label {{ display:flex; flex-direction:column; gap:4px; font-size:14px; }}</style>
<main class="page"><form method="post" action="/login?lang={lang}" class="card">
<div class="h1">Éclor Edge</div><div class="bad">{message}</div>
<label>{name}<input name="name" autocomplete="username" required autofocus></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required>
</label><button>{login}</button></form></main></html>"""


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
        _guard(users)
    ui.run(
        host=address[0],
        port=address[1],
        title="Éclor Edge",
        favicon="⚡",
        reload=False,
        show=False,
        show_welcome_message=False,
        uvicorn_logging_level="warning",
        storage_secret=secrets.token_hex(32),
    )


def _language(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    return (
        asked if asked in LANGUAGES else best_language(request.headers.get("accept-language", ""))
    )


def _guard(users: Users) -> None:
    tries = Tries()

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        if request.session.get("user") or request.url.path.startswith(_FREE):
            response: Response = await call_next(request)
            return response
        return RedirectResponse(f"/login?lang={_language(request)}", 303)

    def form(request: Request, message: str = "", status: int = 200) -> HTMLResponse:
        say = FleetWords(_language(request))
        words = {key: say(key) for key in ("name", "password", "login")}
        text = say(message) if message else ""
        filled = _LOGIN.format(lang=say.language, css=CSS, message=text, **words)
        return HTMLResponse(filled, status)

    @app.get("/login")
    def ask(request: Request) -> HTMLResponse:
        return form(request)

    @app.post("/login")
    def answer(
        request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()]
    ) -> Response:
        client = request.client.host if request.client else ""
        if not tries.may(client):
            return form(request, "wait", 429)
        if not users.check(name, password):
            tries.failed(client)
            return form(request, "wrong", 403)
        request.session["user"] = name
        return RedirectResponse(f"/?lang={_language(request)}", 303)


class Pages:
    """All pages over one database."""

    def __init__(self, engine: sa.Engine, rules: Rules, least: int) -> None:
        self._engine = engine
        self._rules = rules
        self._least = least

    def register(self) -> None:
        """Make the addresses known to NiceGUI."""
        ui.page("/")(self.fleet)
        ui.page("/site")(self.site)
        ui.page("/meter")(self.meter)
        ui.page("/events")(self.events)
        ui.page("/open")(self.open)

    def _frame(self, request: Request, here: str, title: str) -> FleetWords:
        say = FleetWords(_language(request))
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
                with ui.element("nav").classes("languages"):
                    for language, name in LANGUAGES.items():
                        query = {**request.query_params, "lang": language}
                        link = "&".join(f"{k}={quote(v)}" for k, v in query.items())
                        classes = "here" if language == say.language else ""
                        ui.link(name, f"?{link}").classes(classes)
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
            table = _table(say, (*columns, "errors", "alarms"), "gateway")
            table.on(
                "rowClick",
                lambda event: ui.navigate.to(
                    f"/site?gateway={quote(event.args[1]['gateway'])}&lang={say.language}"
                ),
            )
            where = ui.element("section").classes("card")

        async def refresh() -> None:
            rows = await asyncio.to_thread(data.fleet, self._engine)
            now_ms = _now_ms()
            silent = sum(now_ms - row.seen_ms > _SILENT_MS for row in rows)
            alarms = sum(row.alarms for row in rows)
            _fill(tiles["gateways"], say.number(len(rows)))
            _fill(tiles["online"], say.number(sum(row.online for row in rows)))
            _fill(tiles["silent"], say.number(silent), silent > 0)
            _fill(tiles["open_alarms"], say.number(alarms), alarms > 0)
            table.rows = [_gateway_cells(row, say, now_ms) for row in rows]
            table.update()

        await refresh()
        await self._map(where, say)
        ui.timer(_REFRESH_S, refresh)

    async def _map(self, where: ui.element, say: FleetWords) -> None:
        """Draw gateways at their places: a plot, no tiles, so nothing comes from outside."""
        rows = await asyncio.to_thread(data.fleet, self._engine)
        placed = [(row, self._rules.place_of(row.name, "")) for row in rows]
        found = [(row, place) for row, place in placed if place is not None]
        if not found:
            where.delete()
            return
        now_ms = _now_ms()
        with where:
            ui.label(say("map")).classes("name")
            ui.echart(
                {
                    "animation": False,
                    "grid": {"left": 8, "right": 20, "top": 12, "bottom": 4, "containLabel": True},
                    "tooltip": {"confine": True, ":formatter": "item => item.data.name"},
                    "xAxis": {"type": "value", "scale": True, "name": "°E"},
                    "yAxis": {"type": "value", "scale": True, "name": "°N"},
                    "series": [
                        {
                            "type": "scatter",
                            "symbolSize": 12,
                            "data": [
                                {
                                    "value": list(place),
                                    "name": html.escape(f"{row.site} {row.name}"),
                                    "itemStyle": {
                                        "color": "#b3261e"
                                        if row.alarms or now_ms - row.seen_ms > _SILENT_MS
                                        else LINE_COLOURS[0]
                                    },
                                }
                                for row, place in found
                            ],
                        }
                    ],
                }
            ).classes("where")

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
            table = _table(say, ("meter", "point", "newest", "at"), "key")
            now_ms = _now_ms()
            table.rows = [
                {
                    "key": f"{row.gateway}/{row.meter}/{row.point}",
                    "gateway": row.gateway,
                    "meter": row.meter,
                    "point": row.point,
                    "newest": _value(row.value, row.unit, say),
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
                ui.echart(_chart(found, say.language)).classes("history")
                ui.label(say("gap_hint")).classes("hint")
                if found.thin:
                    ui.label(_thin_words(say, found.thin, found.unit)).classes("hint")
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
        table = _table(say, ("at", "what", "gateway", "meter", "point"), "key")
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
        since_ms = _now_ms() - 31 * _DAY_MS

        def ask() -> tuple[list[Any], Report]:
            report = Report()
            span = (since_ms, 1 << 53)
            return list(cells(self._engine, 86_400, "site", self._least, span, report)), report

        rows, report = await asyncio.to_thread(ask)
        with ui.element("main").classes("page"):
            ui.label(say("open_hint")).classes("hint")
            table = _table(say, ("group", "at", "point", "consumption", "meters"), "key")
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tile(title: str) -> ui.label:
    with ui.element("div").classes("card tile"):
        ui.label(title).classes("what")
        return ui.label("…").classes("value")


def _fill(label: ui.label, text: str, is_bad: bool = False) -> None:
    label.set_text(text)
    label.classes(remove="" if is_bad else "bad", add="bad" if is_bad else "")


def _table(say: FleetWords, columns: tuple[str, ...], key: str) -> ui.table:
    """Make a table: sortable, with a search, twenty-five rows a page, cards on a phone."""
    made = ui.table(
        columns=[
            {
                "name": name,
                "label": say(name),
                "field": name,
                "align": "left",
                "sortable": True,
                ":sort": "(a, b, x, y) => (x['_' + '%s'] ?? a) > (y['_' + '%s'] ?? b) ? 1 : -1"
                % (name, name),
            }
            for name in columns
        ],
        rows=[],
        row_key=key,
        pagination=25,
    ).classes("plain")
    made.props(f''':grid="window.innerWidth < 640" no-data-label="{say("none")}"''')
    made.props(''':pagination-label="(first, last, all) => `${first} … ${last} / ${all}`"''')
    made.props(f'rows-per-page-label="{say("rows")}"')
    with made.add_slot("top-right"):
        search = ui.input(placeholder=say("search")).props("dense borderless clearable")
        search.bind_value_to(made, "filter", forward=lambda text: text or "")
    return made


def _gateway_cells(row: data.GatewayRow, say: FleetWords, now_ms: int) -> dict[str, Any]:
    """Return the cells of one gateway; `_name` is what its column is sorted by."""
    clock = say(f"clock_{row.clock}") if row.clock in (0, 1, 2) else "—"
    return {
        "site": row.site,
        "gateway": row.name,
        "seen": say.ago(row.seen_ms, now_ms),
        "_seen": row.seen_ms,
        "backlog": _count(row.backlog, say),
        "_backlog": row.backlog or 0,
        "journal": _journal(row, say),
        "_journal": row.fill_permille or 0,
        "clock": clock,
        "version": row.version or "—",
        "errors": _count(row.errors, say),
        "_errors": row.errors or 0,
        "alarms": say.number(row.alarms),
        "_alarms": row.alarms,
    }


def _journal(row: data.GatewayRow, say: FleetWords) -> str:
    """Return how full a journal is, and how long it and its flash last, as far as is known."""
    if row.fill_permille is None:
        return "—"
    fill = f"{row.fill_permille / 10:.0f}"
    if row.autonomy_h is None:
        return say("fill", fill)
    if row.flash_years is None:
        return say("fill_lasts", fill, row.autonomy_h // 24)
    return say("fill_flash", fill, row.autonomy_h // 24, row.flash_years)


def _count(found: int | None, say: FleetWords) -> str:
    return "—" if found is None else say.number(found)


def _value(value: float | None, unit: str, say: FleetWords) -> str:
    if value is None:
        return "—"
    digits = 0 if abs(value) >= 1000 else 3 if abs(value) < 10 else 1
    return f"{say.number(value, digits)} {unit}".strip()


def _thin_words(say: FleetWords, thin: data.Thin, unit: str) -> str:
    words = say("in_steps", thin.resolution, unit)
    if thin.deadband is not None:
        words += " " + say("held", thin.deadband, unit, thin.silence_s)
    return words


def _chart(found: data.History, language: str) -> dict[str, Any]:
    colour = LINE_COLOURS[0]
    axis = {"axisLine": {"show": False}, "axisTick": {"show": False}}
    text = {"color": "#556664", "fontSize": 11, "hideOverlap": True}
    number = f"value => value.toLocaleString('{language}')"

    def line(samples: list[data.Sample], **options: Any) -> dict[str, Any]:
        return {
            "type": "bar" if found.is_consumption else "line",
            "data": [list(sample) for sample in samples],
            "connectNulls": False,
            "showSymbol": False,
            "lineStyle": {"width": 2, "color": colour},
            "itemStyle": {"color": colour},
            **options,
        }

    faint = {"lineStyle": {"width": 1, "color": colour, "opacity": 0.35}}
    series = [line(found.samples, name=found.unit)]
    if found.low:
        series += [line(found.low, name="min", **faint), line(found.high, name="max", **faint)]
    lonely = sum(value is not None for _, value in found.samples) < 2
    if lonely:
        series[0]["showSymbol"] = True
    scale: Callable[[bool], dict[str, Any]] = lambda is_bar: {} if is_bar else {"scale": True}  # noqa: E731
    return {
        "animation": False,
        "grid": {"left": 8, "right": 14, "top": 16, "bottom": 44, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "textStyle": {"color": INK}},
        "dataZoom": [{"type": "slider", "height": 20, "bottom": 8}, {"type": "inside"}],
        "xAxis": {"type": "time", "axisLabel": text, "splitLine": {"show": False}, **axis},
        "yAxis": {
            "type": "value",
            **scale(found.is_consumption),
            "axisLabel": {**text, ":formatter": number},
            "splitLine": {"lineStyle": {"color": "#e8ecea"}},
            **axis,
        },
        "series": series,
    }
