"""Influx line protocol: InfluxDB 2 and 3, VictoriaMetrics, Telegraf, QuestDB.

    meter,gateway=gw-ecole,meter=main,site=ecole energy_Wh=10010,power_W=5.0 1700000000000

Field names carry their unit, because a series cannot. Fields are floats, as every receiver takes
them; the exact value stays in the database. A null has no field: a gap looks like a gap.

Source: InfluxData, "Line protocol" (v2), with its escapes.

    Influx("http://127.0.0.1:8086/api/v2/write?org=o&bucket=b", token="...").send(readings)
"""

from collections.abc import Iterable, Sequence

import httpx

from host_tools.collect.outputs import Reading

_TIMEOUT_S = 30.0


class Influx:
    """One receiver. url: its write address; `precision=ms` is added."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = httpx.URL(url).copy_merge_params({"precision": "ms"})
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token:
            self._headers["Authorization"] = f"Token {token}"

    def send(self, readings: Sequence[Reading]) -> None:
        """Write readings; httpx.HTTPError when the receiver did not take them all."""
        body = lines(readings)
        if body:
            httpx.post(
                self._url, content=body.encode(), headers=self._headers, timeout=_TIMEOUT_S
            ).raise_for_status()


def lines(readings: Iterable[Reading]) -> str:
    """Return line protocol, one line per reading that has a value."""
    written = []
    for reading in readings:
        fields = ",".join(
            f"{_escaped(value.point + ('_' + value.unit if value.unit else ''))}={value.number}"
            for value in reading.values
            if value.number is not None
        )
        if fields:
            names = (
                ("gateway", reading.gateway),
                ("meter", reading.meter),
                ("site", reading.site),
            )
            tags = "".join(f",{name}={_escaped(text)}" for name, text in names if text)
            written.append(f"meter{tags} {fields} {reading.at_ms}\n")
    return "".join(written)


def _escaped(text: str) -> str:
    """Escape a tag or field name: comma, equals sign, space; no line ends, no last backslash."""
    for found, by in (("\n", " "), ("\r", " "), (",", "\\,"), ("=", "\\="), (" ", "\\ ")):
        text = text.replace(found, by)
    return text.rstrip("\\")
