"""What ECharts is to draw: a point's history with its gaps, and the gateways at their places.

ui.echart(history_chart(data.history(...), "fr"))
ui.echart(places_chart([(row, (2.35, 48.86))], lambda row: row.alarms > 0))
"""

import html
from collections.abc import Callable, Sequence
from typing import Any

from host_tools.collect.pages import data
from host_tools.look.style import INK, LINE_COLOURS

_BAD = "#b3261e"
# ECharts knows months in English only: an hour, a day with its month, a month, a year.
_WHEN = """value => {
  const at = new Date(value), say = how => at.toLocaleDateString('%s', how);
  if (at.getHours() || at.getMinutes())
    return at.toLocaleTimeString('%s', {hour: '2-digit', minute: '2-digit'});
  if (at.getDate() > 1) return say({day: 'numeric', month: 'short'});
  return at.getMonth() ? say({month: 'short'}) : say({year: 'numeric'});
}"""


def history_chart(found: data.History, language: str) -> dict[str, Any]:
    """Return the chart of one point: a line for a gauge, bars for what a counter consumed."""
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
        "xAxis": {
            "type": "time",
            "axisLabel": {**text, ":formatter": _WHEN % (language, language)},
            "splitLine": {"show": False},
            **axis,
        },
        "yAxis": {
            "type": "value",
            **scale(found.is_consumption),
            "axisLabel": {**text, ":formatter": number},
            "splitLine": {"lineStyle": {"color": "#e8ecea"}},
            **axis,
        },
        "series": series,
    }


def places_chart(
    found: Sequence[tuple[data.GatewayRow, tuple[float, float]]],
    is_bad: Callable[[data.GatewayRow], bool],
) -> dict[str, Any]:
    """Return a plot of (gateway, (longitude, latitude)), without tiles from outside."""
    return {
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
                        "itemStyle": {"color": _BAD if is_bad(row) else LINE_COLOURS[0]},
                    }
                    for row, place in found
                ],
            }
        ],
    }
