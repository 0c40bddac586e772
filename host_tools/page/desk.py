"""The technician's local page: boards, firmware, provisioning, meters, live lines, acceptance.

For those who prefer clicking: each button calls what the verb calls (host_tools/page/work.py). It
listens on 127.0.0.1 alone, for one person; what is typed as a secret goes to the board.

    serve(Work(Path.cwd()), 8090, ports=["bare/port"])
"""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui
from starlette.requests import Request

from host_tools import language
from host_tools.acceptance.paper import verdict_state
from host_tools.cable import ports
from host_tools.language import say, translated
from host_tools.look import frame
from host_tools.look.style import CSS
from host_tools.packing import bundle
from host_tools.page.work import Work
from host_tools.planning.site_file import read_site
from host_tools.planning.site_rules import board_names
from host_tools.problems import INPUT, Problem

_REFRESH_S = 0.4
_STATES = {"good": "var(--good)", "note": "var(--unknown)", "failed": "var(--fault)"}
_MORE_CSS = """
.steps { display:grid; grid-template-columns:repeat(2,1fr); gap:14px; }
.step { display:flex; flex-direction:column; gap:8px; min-width:0; }
.step .q-field { width:100%; }
.step > .press:last-child, .step > .buttons:last-child { margin-top:auto; }
.step .q-field__label::first-letter, .waiver .q-checkbox__label::first-letter {
  text-transform:uppercase; }
.wide { grid-column:1/-1; }
.found { border-collapse:collapse; width:100%; font-size:13.5px; }
.found td { padding:5px 8px 5px 0; border-top:1px solid var(--rule); vertical-align:top; }
.fault-text { color:var(--fault); font-weight:600; }
.steps .press.q-btn .q-icon { color:var(--good); }
.page, .found td { overflow-wrap:anywhere; }
.found td:nth-child(-n+2) { overflow-wrap:normal; }
.step .q-btn__content { min-width:0; white-space:normal; overflow-wrap:anywhere; }
.port.q-btn { width:100%; }
.port.here.q-btn { border-color:var(--good); background:#eef7f4; }
@media (max-width:640px) { .steps { grid-template-columns:minmax(0,1fr); } }
"""
STYLE = CSS + _MORE_CSS


def serve(work: Work, port: int, *, also: Sequence[str] = (), site: Path | None = None) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C; also: ports that no USB chip tells of."""

    def page(request: Request) -> None:
        language.use(frame.language_of(request))  # one person, one computer
        DeskPage(work, list(also), site).build()

    ui.page("/")(page)
    frame.serve("127.0.0.1", port, title="Éclor Edge")


class DeskPage:
    """One open page."""

    def __init__(self, work: Work, also: list[str], site: Path | None) -> None:
        self._work = work
        self._also = also
        self._port = also[0] if also else ""
        self._site = str(site or "site.yaml")
        self._drawn = ""

    def build(self) -> None:
        """Lay the page out and start its timer."""
        ui.add_css(STYLE)
        ui.query("html").props(f"lang={language.current()}")
        with ui.element("main").classes("page"):
            with ui.element("header").classes("row between"):
                with ui.element("div"):
                    ui.label("Éclor Edge").classes("h1")
                    ui.label(say("from a bare board to an accepted gateway")).classes("hint")
                frame.language_switch(language.current())
            self._build_progress()
            with ui.element("section").classes("steps"):
                self._build_boards()
                self._build_site()
                self._build_firmware()
                self._build_gateway()
                self._build_meters()
                with self._card("What it says"):
                    self._log = ui.html("", sanitize=False).classes("log")
                self._build_acceptance()
        self.refresh()
        ui.timer(_REFRESH_S, self.refresh)

    # --- the cards

    def _card(self, title: str) -> Any:
        card = ui.element("section").classes("card step")
        with card:
            ui.label(say(title)).classes("name")
        return card

    def _press(self, words: str, icon: str, act: Callable[[], object], name: str) -> None:
        def pressed() -> None:
            try:
                if act() is False:
                    ui.notify(say("one thing after the other: something runs"))
            except Problem as problem:
                self._work.problem = problem
            self.refresh()

        button = ui.button(say(words), icon=icon, color=None, on_click=pressed)
        button.props("unelevated no-caps").classes(f"press {name}")

    def _build_progress(self) -> None:
        with ui.element("section").classes("card step progress"):
            with ui.element("div").classes("row between"):
                self._doing = ui.label("").classes("name")
                self._stop = (
                    ui.button(say("Stop"), color=None, on_click=self._work.stop.set)
                    .props("unelevated no-caps dense")
                    .classes("stop")
                )
            self._bar = ui.linear_progress(0.0, show_value=False).props("rounded instant-feedback")
            self._wrong = ui.label("").classes("fault-text")
            self._remedy = ui.label("").classes("hint")
            self._downloads = ui.element("div").classes("row")

    def _build_boards(self) -> None:
        with self._card("1  The board"):
            self._boards = ui.element("div").classes("step")
            self._press("Look again", "refresh", self._list_boards, "look")
        self._list_boards()

    def _list_boards(self) -> None:
        found = [(device.port, translated(device.what)) for device in ports.devices()]
        found += [(port, say("given by name")) for port in self._also]
        if found and self._port not in [port for port, _ in found]:
            self._port = found[0][0]
        self._boards.clear()
        with self._boards:
            if not found:
                ui.label(say("no board and no adapter is plugged in")).classes("hint")
            for port, what in found:
                button = ui.button(
                    f"{port}  {what}", color=None, on_click=lambda p=port: self._choose(p)
                ).props("unelevated no-caps")
                button.classes("press port" + (" here" if port == self._port else ""))

    def _choose(self, port: str) -> None:
        self._port = port
        self._list_boards()

    def _build_site(self) -> None:
        with self._card("2  The site"):
            self._file = ui.input(say("site file"), value=self._site)
            self._gateway = ui.select([], label=say("gateway"))
            self._checked = ui.label("").classes("hint")
            self._press("Check", "fact_check", self._check, "check")
        if Path(self._site).exists():
            self._check()

    def _check(self) -> None:
        site = read_site(Path(self._file.value))
        names = [gateway.name for gateway in site.gateways]
        self._gateway.set_options(names, value=names[0] if names else None)
        wrong = sum(finding.is_wrong for finding in site.findings)
        self._checked.set_text(
            say("{file}: to mend: {count}", file=site.path, count=wrong)
            if wrong
            else say("{file}: good, gateways: {count}", file=site.path, count=len(names))
        )

    def _build_firmware(self) -> None:
        with self._card("3  The firmware"):
            self._board = ui.select(board_names(), value="host", label=say("board"))
            self._bundle = ui.input(say("bundle; empty: this checkout"))
            with ui.element("div").classes("buttons"):
                self._press("Flash MicroPython", "bolt", self._flash, "flash")
                self._press("Deploy", "memory", self._deploy, "deploy")

    def _flash(self) -> bool:
        return self._work.flash(self._port, str(self._board.value))

    def _deploy(self) -> bool:
        from host_tools.packing.image import VERSION, files_for

        if self._bundle.value:
            try:
                data = Path(self._bundle.value).read_bytes()
            except OSError as error:
                what = f"{self._bundle.value}: {error.strerror}"
                raise Problem(what, "make one: eclor bundle", code=INPUT) from None
        else:
            data = bundle.pack(files_for([self._board.value]), VERSION, 1, [self._board.value])
        return self._work.deploy(self._port, data)

    def _build_gateway(self) -> None:
        with self._card("4  The gateway"):
            self._wifi = _secret("WiFi key")
            self._password = _secret("password of the broker")
            self._phrase = _secret("Passphrase")
            self._press("Provision", "key", self._provision, "provision")

    def _provision(self) -> bool:
        from host_tools.cable.provision import plan_for

        site, name = Path(self._file.value), self._gateway.value or ""
        wanted = plan_for(read_site(site), name).wanted
        secrets = {path: self._wifi.value for path in wanted if path.startswith("network.")}
        if self._password.value:
            secrets["uplink.password"] = self._password.value
        started = self._work.provision(self._port, site, name, secrets, self._phrase.value)
        for field in (self._wifi, self._password):
            field.set_value("")
        return started

    def _build_meters(self) -> None:
        with self._card("5  The meters"):
            self._units = ui.input(say("addresses"), value="1-20")
            with ui.element("div").classes("buttons"):
                self._press("Scan", "search", self._scan, "scan")
                self._press("Listen", "hearing", lambda: self._work.watch(self._port), "listen")
                self._press("Live values", "show_chart", self._values, "values")
            self._hits = ui.html("", sanitize=False)
            self._live = ui.html("", sanitize=False).classes("live")

    def _scan(self) -> bool:
        from host_tools.desk.scan import units_of

        return self._work.scan(self._port, str(self._board.value), units_of(self._units.value))

    def _values(self) -> bool:
        site, name = Path(self._file.value), self._gateway.value or ""
        return self._work.values(site, name, self._phrase.value)

    def _build_acceptance(self) -> None:
        with self._card("6  The acceptance").classes("wide"):
            self._technician = ui.input(say("technician"))
            self._waiver = ui.checkbox(say("accept it without its uplink")).classes("waiver")
            self._press("Accept", "verified", self._accept, "accept")
            self._report = ui.html("", sanitize=False)

    def _accept(self) -> bool:
        return self._work.accept(
            self._port,
            Path(self._file.value),
            self._gateway.value or "",
            self._technician.value,
            self._phrase.value,
            without_uplink=bool(self._waiver.value),
        )

    # --- what changes

    def refresh(self) -> None:
        """Bring everything up to date."""
        work = self._work
        doing = say(work.name) if work.name else say("nothing runs")
        if work.words:
            doing = say("{job}: {state}", job=doing, state=say(work.words))
        self._doing.set_text(doing)
        self._stop.set_visibility(work.is_busy and work.name in ("scan", "watch", "values"))
        self._bar.set_value(work.share)
        problem = work.problem
        self._wrong.set_text(translated(problem.what) if problem else "")
        self._remedy.set_text(translated(problem.remedy) if problem else "")
        lines = work.lines[-14:] or ["…"]
        self._log.set_content("<br>".join(html.escape(line) for line in lines))
        self._hits.set_content(_table((hit["line"], hit["unit"], _maps(hit)) for hit in work.hits))
        self._live.set_content(
            _table(
                (row.meter, name, value)
                for row in work.picture.rows()
                for name, value in row.values.items()
            )
        )
        drawn = f"{work.files}{work.is_busy}"
        if drawn != self._drawn:
            self._drawn = drawn
            self._downloads.clear()
            with self._downloads:
                for file in [] if work.is_busy else work.files:
                    ui.button(
                        file.name, icon="download", color=None, on_click=_download(file)
                    ).props("unelevated no-caps").classes("press download")
            self._report.set_content(self._report_rows())

    def _report_rows(self) -> str:
        report = self._work.report
        if report is None:
            return ""
        verdict = html.escape(translated(report.verdict))
        colour = _STATES[verdict_state(report.as_dict())]
        rows = [
            (
                f'<b style="color:{_STATES.get(check.state, "var(--quiet)")}">'
                f"{html.escape(say(check.state))}</b>",
                html.escape(say(check.name)),
                html.escape(translated(check.what))
                + "".join(f"<br>→ {html.escape(translated(hint))}" for hint in check.hints),
            )
            for check in report.checks
        ]
        body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
        return (
            f'<p class="verdict-text" style="color:{colour};font-weight:650">{verdict}</p>'
            f'<table class="found">{body}</table>'
        )


def _secret(words: str) -> Any:
    return ui.input(say(words), password=True).props("autocomplete=off")


def _download(file: Path) -> Callable[[], None]:
    return lambda: ui.download(file)


def _maps(hit: dict[str, Any]) -> str:
    return ", ".join(fit["map"] for fit in hit["maps"][:3]) or say("no map fits")


def _table(rows: Any) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<table class="found">{body}</table>' if body else ""
