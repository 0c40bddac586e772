"""Tables of the pages, and what stands in their cells.

table = make_table(say, ("gateway", "seen"), "gateway")
table.rows = [gateway_cells(row, say, now_ms) for row in data.fleet(engine)]
"""

from typing import Any

from nicegui import ui

from host_tools.collect.pages import data
from host_tools.collect.pages.words import FleetWords


def make_table(say: FleetWords, columns: tuple[str, ...], key: str) -> ui.table:
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


def gateway_cells(row: data.GatewayRow, say: FleetWords, now_ms: int) -> dict[str, Any]:
    """Return the cells of one gateway; `_name` is what its column is sorted by."""
    clock = say(f"clock_{row.clock}") if row.clock in (0, 1, 2) else "—"
    return {
        "site": row.site,
        "gateway": row.name,
        "seen": say.ago(row.seen_ms, now_ms),
        "_seen": row.seen_ms,
        "backlog": _count(row.backlog, say),
        "_backlog": row.backlog or 0,
        "journal": journal_text(row, say),
        "_journal": row.fill_permille or 0,
        "clock": clock,
        "version": row.version or "—",
        "errors": _count(row.errors, say),
        "_errors": row.errors or 0,
        "alarms": say.number(row.alarms),
        "_alarms": row.alarms,
    }


def journal_text(row: data.GatewayRow, say: FleetWords) -> str:
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


def value_text(value: float | None, unit: str, say: FleetWords) -> str:
    """Return a value with its unit, in as many digits as help."""
    if value is None:
        return "—"
    digits = 0 if abs(value) >= 1000 else 3 if abs(value) < 10 else 1
    return f"{say.number(value, digits)} {unit}".strip()


def thin_text(say: FleetWords, thin: data.Thin, unit: str) -> str:
    """Return what a gateway does to a point's values."""
    words = say("in_steps", thin.resolution, unit)
    if thin.deadband is not None:
        words += " " + say("held", thin.deadband, unit, thin.silence_s)
    return words
