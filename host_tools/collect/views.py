"""The views that people query; README.md documents their columns.

Not tables. A view is made anew whenever the layout changes, so one may grow columns, never lose
or rename one.

    SELECT at, approximate, unit FROM readings WHERE meter = 'main' AND point = 'power'
"""

from drivers.reading import KIND_NAMES, QUALITY_NAMES


def _names(column: str, names: tuple[str, ...]) -> str:
    return (
        f"CASE {column} "
        + " ".join(f"WHEN {code} THEN '{name}'" for code, name in enumerate(names))
        + " ELSE 'unknown' END"
    )


def _span(table: str) -> str:
    """Return both ends in order: the clock may have been set back between. 0, not known, stays."""
    early, late = f"{table}.from_ms", f"{table}.to_ms"
    is_turned = f"{late} > 0 AND {early} > {late}"
    return (
        f"CASE WHEN {is_turned} THEN {late} ELSE {early} END AS from_ms,"
        f" CASE WHEN {is_turned} THEN {early} ELSE {late} END AS to_ms"
    )


def views(dialect: str) -> dict[str, str]:
    """Return {name: SELECT} in the words of "sqlite" or "postgresql"."""
    at = (
        "strftime('%Y-%m-%dT%H:%M:%fZ', r.at_ms / 1000.0, 'unixepoch')"
        if dialect == "sqlite"
        else "to_timestamp(r.at_ms / 1000.0)"
    )
    real = "double precision" if dialect == "postgresql" else "REAL"
    power = (
        "power(CAST(10 AS double precision), p.exponent)"
        if dialect == "postgresql"
        else (
            "CASE WHEN p.exponent >= 0 THEN CAST('1e' || p.exponent AS REAL)"
            " ELSE 1.0 / CAST('1e' || (-p.exponent) AS REAL) END"
        )
    )
    if dialect == "sqlite":
        path = "'$[' || l.meter_index || '].points[' || l.\"column\" || '][5].{}'"
        told = f"json_extract(c.schema, {path})"
    else:
        path = "CAST(c.schema AS json) -> CAST(l.meter_index AS int) -> 'points'"
        told = f"CAST({path} -> CAST(l.\"column\" AS int) -> 5 ->> '{{}}' AS bigint)"
    start = at.replace("r.at_ms", "s.start_ms")
    scale = f" * {power}"
    return {
        "readings": f"""
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point,
                   r.at_ms, {at} AS at,
                   v.value AS integer, v.high, p.exponent, p.unit,
                   (CAST(v.value AS {real}) + v.high * 18446744073709551616.0) * {power}
                       AS approximate,
                   {_names("v.quality", QUALITY_NAMES)} AS quality,
                   {_names("p.kind", KIND_NAMES)} AS kind,
                   r.clock, r.id AS reading_id, m.id AS meter_id, p.id AS point_id
            FROM value v
            JOIN reading r ON r.id = v.reading_id
            JOIN point p ON p.id = v.point_id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id""",
        "points": f"""
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point, p.unit,
                   p.exponent, {_names("p.kind", KIND_NAMES)} AS kind, c.hash AS config,
                   {told.format("resolution")} AS resolution,
                   {told.format("deadband")} AS deadband,
                   {told.format("silence_s")} AS silence_s,
                   m.id AS meter_id, p.id AS point_id, c.id AS configuration_id
            FROM layout l
            JOIN configuration c ON c.id = l.configuration_id
            JOIN point p ON p.id = l.point_id
            JOIN meter m ON m.id = l.meter_id
            JOIN gateway g ON g.id = m.gateway_id""",
        "gaps": f"""
            SELECT g.name AS gateway, m.name AS meter, r.at_ms AS from_ms, r.at_ms AS to_ms,
                   {_names("MAX(v.quality)", QUALITY_NAMES)} AS why, 1 AS readings
            FROM reading r
            JOIN value v ON v.reading_id = r.id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id
            GROUP BY g.name, m.name, r.id, r.at_ms
            HAVING COUNT(v.value) = 0
            UNION ALL
            SELECT g.name, '', {_span("h")}, 'lost: ' || h.why, NULL
            FROM hole h JOIN gateway g ON g.id = h.gateway_id
            UNION ALL
            SELECT g.name, '', {_span("b")}, 'restart: ' || b.cause, NULL
            FROM boot b JOIN gateway g ON g.id = b.gateway_id""",
        "consumption": f"""
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point, s.step_s,
                   s.start_ms, {start} AS start,
                   s.consumption AS integer, p.exponent, p.unit,
                   CAST(s.consumption AS {real}){scale} AS approximate,
                   CAST(s.estimated AS {real}){scale} AS estimated, s.resets, s.readings
            FROM summary s
            JOIN point p ON p.id = s.point_id
            JOIN meter m ON m.id = p.meter_id
            JOIN gateway g ON g.id = m.gateway_id
            WHERE p.kind = 1""",
        "ranges": f"""
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point, s.step_s,
                   s.start_ms, {start} AS start,
                   CAST(s.minimum AS {real}){scale} AS minimum,
                   CAST(s.mean AS {real}){scale} AS mean,
                   CAST(s.maximum AS {real}){scale} AS maximum, p.unit, s.readings
            FROM summary s
            JOIN point p ON p.id = s.point_id
            JOIN meter m ON m.id = p.meter_id
            JOIN gateway g ON g.id = m.gateway_id
            WHERE p.kind <> 1""",
    }
