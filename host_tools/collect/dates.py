"""Readings from before a gateway's clock was set get their date from its TIME records.

Not the gateway's side (agent/clock.py). Of several fixes of one boot the first at or after the
reading counts, because a clock that ran free until then was set by it.

    wall_ms([(20_000, 1_700_000_000_000)], 5000)        # 1_699_999_985_000
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.messages import MS_MAX, U32_MAX, whole, words
from host_tools.collect.transaction import Transaction

CLOCK_UNSET = 0


def wall_ms(fixes: Sequence[tuple[int, int]], uptime_ms: int) -> int | None:
    """Date an uptime by the first fix at or after it, else by the last before; None: no fix."""
    if not fixes:
        return None
    at = min(bisect_left(fixes, (uptime_ms, 0)), len(fixes) - 1)
    return fixes[at][1] - fixes[at][0] + uptime_ms


def known_fixes(to: Transaction, gateway_id: int, boot: int) -> list[tuple[int, int]]:
    """Return (uptime_ms, wall_ms) of every known fix of one boot, in order of uptime.

    Holds the gateway: no fix may come between this question and the readings dated by it.
    """
    to.hold(gateway_id)
    c = t.clock_fix.c
    rows = to.connection.execute(
        sa.select(c.uptime_ms, c.wall_ms)
        .where((c.gateway_id == gateway_id) & (c.boot == boot))
        .order_by(c.uptime_ms)
    )
    return [(row.uptime_ms, row.wall_ms) for row in rows]


def take_fix(to: Transaction, gateway_id: int, tree: dict[str, Any]) -> None:
    """Keep a TIME record and date the readings of its boot that were taken before it."""
    boot = whole(tree, "boot", 0, U32_MAX)
    row = {
        "gateway_id": gateway_id,
        "boot": boot,
        "uptime_ms": whole(tree, "uptime_ms", 0, MS_MAX),
        "wall_ms": whole(tree, "wall_ms", 1, MS_MAX),
        "source": words(tree, "source", ""),
    }
    to.hold(gateway_id)
    to.connection.execute(to.insert(t.clock_fix).on_conflict_do_nothing(), row)
    meters = sa.select(t.meter.c.id).where(t.meter.c.gateway_id == gateway_id)
    c = t.reading.c
    early = to.connection.execute(
        sa.select(c.id, c.uptime_ms, c.at_ms).where(
            (c.clock == CLOCK_UNSET) & (c.boot == boot) & c.meter_id.in_(meters)
        )
    ).all()
    fixes = known_fixes(to, gateway_id, boot)
    dated = [(row.id, wall_ms(fixes, row.uptime_ms), row.at_ms) for row in early]
    changed = [(number, now) for number, now, before in dated if now != before]
    if changed:
        to.connection.execute(
            t.reading.update()
            .where(c.id == sa.bindparam("of"))
            .values(at_ms=sa.bindparam("dated_ms")),
            [{"of": number, "dated_ms": now} for number, now in changed],
        )
        arrive(to, sorted({number // t.ROWS_MAX for number, _ in changed}))


def arrive(to: Transaction, record_ids: list[int]) -> None:
    """Let outputs and summaries know that these blocks' readings may be read."""
    if record_ids:
        to.connection.execute(t.arrival.insert(), [{"record_id": of} for of in record_ids])
