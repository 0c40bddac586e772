"""The mark of each journal: how far everything is stored or declared, so may be forgotten.

Not the arithmetic (contiguity.py). A mark moves in a transaction of its own, after the one that
stored the records: so it sees what every collector has committed, and no collector waits for
another while it stores.

    acks = advance_all(transaction, {("gw-ecole", 0x1a2b3c4d)})
"""

from collections.abc import Iterable

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.contiguity import advance
from host_tools.collect.transaction import Ack, Transaction

_STEP = 10_000  # numbers looked at together when a journal advances


def advance_all(to: Transaction, journals: Iterable[tuple[str, int]]) -> list[Ack]:
    """Move the mark of each (gateway, journal); return what their gateways may be told.

    In order of their names, so that two collectors never wait for each other crosswise.
    """
    acks = []
    for gateway, journal in sorted(journals):
        through = move(to, to.gateway_id(gateway), journal)
        if through:
            acks.append(Ack(gateway, journal, through))
    return acks


def move(to: Transaction, gateway_id: int, journal: int) -> int:
    """Move one mark over what is dealt with; return it. Holds it until the commit."""
    c, h, r = t.journal.c, t.hole.c, t.record.c
    key = (c.gateway_id == gateway_id) & (c.journal == journal)
    before = to.connection.scalar(sa.select(c.through).where(key).with_for_update()) or 0
    holes = [
        (row.first, row.last)
        for row in to.connection.execute(
            sa.select(h.first, h.last).where(
                (h.gateway_id == gateway_id) & (h.journal == journal) & (h.last > before)
            )
        )
    ]
    through = before
    while True:
        seqs = to.connection.scalars(
            sa.select(r.seq)
            .where((r.gateway_id == gateway_id) & (r.journal == journal) & (r.seq > through))
            .order_by(r.seq)
            .limit(_STEP)
        ).all()
        reached = advance(through, seqs, holes)
        if reached == through:
            break
        through = reached
    if through != before:
        to.connection.execute(
            t.journal.update().where(key), {"through": through, "acked_ms": to.now_ms}
        )
    return through
