"""The live page's layout, and how it stays fresh: one timer per open page, once a second.

Not the numbers (host_tools/page/view.py) and not the words (words.py).

    serve(view, 8080)
"""

import html
from typing import Any

from nicegui import ui
from starlette.requests import Request

from host_tools.look import frame
from host_tools.look.style import CSS, INK, LINE_COLOURS
from host_tools.page import picture
from host_tools.page.view import Figures, MeterView, PointView, View
from host_tools.page.words import LiveWords

_WINDOW_S = 600  # what a curve shows
_REFRESH_S = 1.0
_LOG_LINES = 12
_BUTTONS = (("cut_power", "bolt"), ("cut_network", "wifi_off"), ("garble_line", "graphic_eq"))


def serve(view: View, port: int, language: str | None = None) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C.

    language  "en" or "fr"; None: as each browser asks. `?lang=` in the address goes first.
    """

    def page(request: Request) -> None:
        LivePage(view, LiveWords(frame.language_of(request, language))).build()

    ui.page("/")(page)
    frame.serve("127.0.0.1", port, title=f"Éclor Edge: {view.site}")


def first_shown(points: tuple[PointView, ...]) -> PointView | None:
    """Return the point whose curve is shown first: the one that moves most for a person."""
    for wanted in ("power", "level", "fill", "distance"):
        for point in points:
            if wanted in point.name and point.kind == "gauge":
                return point
    gauges = [point for point in points if point.kind == "gauge"]
    return next(iter(gauges or points), None)


class Curve:
    """One meter's card: name, line, newest value, chart."""

    def __init__(self, view: View, meter: MeterView, colour: str, say: LiveWords) -> None:
        self._view = view
        self._say = say
        self._points = {point.name: point for point in meter.points}
        self._point = first_shown(meter.points)
        self.meter = meter
        self._drawn: list[tuple[float, float | None]] | None = None
        with ui.element("section").classes("card curve"):
            with ui.element("div").classes("row between"):
                ui.label(meter.name).classes("name")
                self._newest = ui.label("").classes("newest").style(f"color:{colour}")
            with ui.element("div").classes("row between"):
                about = f"{meter.map or meter.protocol} · {meter.line}"
                ui.label(f"{about} · {say('every', meter.interval_s)}").classes("hint")
                if len(self._points) > 1 and self._point:
                    ui.select(
                        list(self._points),
                        value=self._point.name,
                        on_change=lambda event: self._choose(event.value),
                    ).props("dense borderless options-dense").classes("points")
            self._chart = ui.echart(_chart(colour, say.language)).classes("chart")

    def _choose(self, name: str) -> None:
        self._point = self._points[name]
        self._drawn = None
        self.refresh()

    def refresh(self) -> bool:
        """Draw what is stored; return whether the newest reading is there and has a value."""
        if self._point is None:
            return False
        curve = self._view.curve(self.meter.name, self._point.name, _WINDOW_S)
        newest = curve[-1][1] if curve else None
        if curve != self._drawn:
            self._drawn = curve
            series = [[round(at_s * 1000), value] for at_s, value in curve]
            self._chart.options["series"][0]["data"] = series
            step = "end" if self._point.kind == "state" else False
            self._chart.options["series"][0]["step"] = step
            self._chart.options["series"][0]["name"] = f"{self._point.name} {self._point.unit}"
            self._chart.update()
            digits = max(0, -self._point.exponent)
            if newest is not None:
                text = f"{self._say.number(newest, min(digits, 3))} {self._point.unit}"
            else:
                text = "…" if curve else self._say("nothing_yet")
            self._newest.set_text(text)
        return newest is not None


def _chart(colour: str, language: str) -> dict[str, Any]:
    axis = {"axisLine": {"show": False}, "axisTick": {"show": False}}
    text = {"color": "#64748b", "fontSize": 11, "hideOverlap": True}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 28, "top": 14, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "textStyle": {"color": INK}},
        "xAxis": {
            "type": "time",
            "axisLabel": text,
            "splitLine": {"show": False},
            "splitNumber": 4,
            **axis,
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            # NiceGUI evaluates what stands behind a colon; the language is ours, not a visitor's.
            "axisLabel": {**text, ":formatter": f"value => value.toLocaleString('{language}')"},
            "splitLine": {"lineStyle": {"color": "#e8ecea"}},
            "splitNumber": 3,
            **axis,
        },
        "series": [
            {
                "type": "line",
                "data": [],
                "connectNulls": False,
                "showSymbol": False,
                "lineStyle": {"width": 2, "color": colour},
                "itemStyle": {"color": colour},
                "areaStyle": {"color": colour, "opacity": 0.08},
            }
        ],
    }


class Tile:
    """One figure: what it is, its value, one line of explanation."""

    def __init__(self, title: str, kind: str = "") -> None:
        with ui.element("div").classes(f"card tile {kind}"):
            ui.label(title).classes("what")
            self.value = ui.label("…").classes("value")
            self.hint = ui.label("").classes("hint")

    def show(self, value: str, hint: str = "") -> None:
        """Set both texts; NiceGUI sends only what changed."""
        self.value.set_text(value)
        self.hint.set_text(hint)


class LivePage:
    """One open page."""

    def __init__(self, view: View, say: LiveWords) -> None:
        self._view = view
        self._say = say
        self._drawn: tuple[str, str] | None = None

    def build(self) -> None:
        """Lay the page out and start its timer."""
        say, view = self._say, self._view
        ui.add_css(CSS)
        ui.query("html").props(f"lang={say.language}")
        with ui.element("main").classes("page"):
            self._build_head()
            with ui.element("section").classes("card"):
                self._lying = ui.html("", sanitize=False).classes("wide-only")
                self._upright = ui.html("", sanitize=False).classes("phone-only")
            with ui.element("section").classes("verdict"):
                self._lost = Tile(say("lost"), "zero")
                self._duplicated = Tile(say("duplicated"), "zero")
                self._altered = Tile(say("altered"), "zero")
                self._declared = Tile(say("declared"))
            with ui.element("section").classes("card row between try"):
                ui.label(say("try")).classes("name")
                with ui.element("div").classes("buttons"):
                    for name, icon in _BUTTONS:
                        ui.button(
                            say(name), icon=icon, color=None, on_click=getattr(view, name)
                        ).props("unelevated no-caps").classes(f"press {name}").tooltip(
                            say(f"{name}_hint")
                        )
            with ui.element("section").classes("tiles"):
                self._stored = Tile(say("stored"))
                self._bytes = Tile(say("bytes"))
                self._ack = Tile(say("last_ack"))
                self._flight = Tile(say("in_flight"))
                self._journal = Tile(say("journal"))
                self._heap = Tile(say("heap"))
            with ui.element("div").classes("row between head"):
                ui.label(say("curves")).classes("h2")
                ui.label(say("gaps")).classes("hint")
            with ui.element("section").classes("curves"):
                self._curves = [
                    Curve(view, meter, LINE_COLOURS[index % len(LINE_COLOURS)], say)
                    for index, meter in enumerate(view.meters)
                ]
            ui.label(say("log")).classes("h2 head")
            self._log = ui.html("", sanitize=False).classes("card log")
        self.refresh()
        ui.timer(_REFRESH_S, self.refresh)

    def _build_head(self) -> None:
        say, view = self._say, self._view
        with ui.element("header").classes("row between"):
            with ui.element("div"):
                ui.label(view.site).classes("h1")
                self._about = ui.label("").classes("hint")
            frame.language_switch(say.language)

    def refresh(self) -> None:
        """Bring everything up to date."""
        say, figures = self._say, self._view.figures()
        gaps = [curve.meter.name for curve in self._curves if not curve.refresh()]
        drawn = (
            picture.lying(self._view.meters, self._view.gateway, figures, say, gaps),
            picture.upright(self._view.meters, self._view.gateway, figures, say, gaps),
        )
        if drawn != self._drawn:
            self._drawn = drawn
            self._lying.set_content(drawn[0])
            self._upright.set_content(drawn[1])
        running = f"{say('running')} {say.span(figures.running_s)}"
        self._about.set_text(" · ".join(filter(None, (figures.runtime, running))))
        self._show_verdict(figures)
        self._show_figures(figures)
        lines = self._view.log_lines(_LOG_LINES) or [say("no_log")]
        self._log.set_content("<br>".join(html.escape(line) for line in lines))

    def _show_verdict(self, figures: Figures) -> None:
        say = self._say
        for tile, name in (
            (self._lost, "lost"),
            (self._duplicated, "duplicated"),
            (self._altered, "altered"),
        ):
            found = getattr(figures, name)
            tile.show(say.number(found), say(f"{name}_hint"))
            tile.value.classes(remove="bad" if not found else "", add="bad" if found else "")
        causes = ", ".join(
            f"{say.cause(cause)} {say.number(count)}" for cause, count in figures.declared.items()
        )
        total = sum(figures.declared.values())
        self._declared.show(say.number(total), causes or say("declared_hint"))

    def _show_figures(self, figures: Figures) -> None:
        say = self._say
        self._stored.show(
            say.number(figures.stored), say("of_answered", say.number(figures.answered))
        )
        if figures.bytes_per_reading:
            hint = ""
            if figures.senml_bytes_per_reading:
                ratio = figures.senml_bytes_per_reading / figures.bytes_per_reading
                senml = say.number(figures.senml_bytes_per_reading)
                hint = say("senml", senml, say.number(ratio, 0 if ratio >= 10 else 1))
            self._bytes.show(say.number(figures.bytes_per_reading, 1), hint)
        if figures.last_ack_s is not None:
            self._ack.show(say("ago", say.number(figures.last_ack_s)))
        if figures.in_flight is not None:
            self._flight.show(say.number(figures.in_flight), say("in_flight_hint"))
        if figures.journal_permille is not None:
            self._journal.show(f"{say.number(figures.journal_permille / 10, 1)} %")
        if figures.heap_bytes is not None:
            peak = ""
            if figures.heap_peak_bytes is not None:
                peak = say("heap_peak", say.number(figures.heap_peak_bytes / 1024))
            self._heap.show(say("kilobytes", say.number(figures.heap_bytes / 1024)), peak)
