"""The mark of each journal: how far everything is stored or declared, so may be forgotten.

Not the arithmetic (contiguity.py). A mark moves in a transaction of its own, after the one that
stored the records: so it sees what every collector has committed, and no collector waits for
another while it stores.

    acks = advance_all(transaction, {("gw-ecole", 0x1a2b3c4d)})
"""

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.contiguity import advance
from host_tools.collect.transaction import Ack, Transaction

_WINDOW = 500  # numbers beyond each mark that are looked at together with the other journals'
_STEP = 10_000  # and then, where a mark went through all of these, of that journal alone

Key = tuple[int, int]  # gateway's row, journal


def advance_all(to: Transaction, journals: Iterable[tuple[str, int]]) -> list[Ack]:
    """Move the mark of each (gateway, journal); return what their gateways may be told.

    A few statements whatever the number of gateways: a fleet's batch is of as many gateways as
    messages.
    """
    names = {(to.gateway_id(gateway), journal): gateway for gateway, journal in journals}
    return [
        Ack(names[key], key[1], through)
        for key, through in sorted(_move_all(to, list(names)).items())
        if through
    ]


def move(to: Transaction, gateway_id: int, journal: int) -> int:
    """Move one mark over what is dealt with; return it. Holds it until the commit."""
    return _move_all(to, [(gateway_id, journal)]).get((gateway_id, journal), 0)


def _move_all(to: Transaction, keys: list[Key]) -> dict[Key, int]:
    c, h, r = t.journal.c, t.hole.c, t.record.c
    here = sa.tuple_(c.gateway_id, c.journal).in_(keys)
    before = {
        (row.gateway_id, row.journal): row.through
        for row in to.connection.execute(
            # In order, so that two collectors never wait for each other crosswise.
            sa.select(c.gateway_id, c.journal, c.through)
            .where(here)
            .order_by(c.gateway_id, c.journal)
            .with_for_update()
        )
    }
    holes: defaultdict[Key, list[tuple[int, int]]] = defaultdict(list)
    for hole in to.connection.execute(
        sa.select(h.gateway_id, h.journal, h.first, h.last)
        .join_from(t.journal, t.hole, (h.gateway_id == c.gateway_id) & (h.journal == c.journal))
        .where(here & (h.last > c.through))
    ):
        holes[hole.gateway_id, hole.journal].append((hole.first, hole.last))
    seqs: defaultdict[Key, list[int]] = defaultdict(list)
    beyond = (r.seq > c.through) & (r.seq <= c.through + _WINDOW)
    for record in to.connection.execute(
        sa.select(r.gateway_id, r.journal, r.seq)
        .join_from(t.journal, t.record, (r.gateway_id == c.gateway_id) & (r.journal == c.journal))
        .where(here & beyond)
    ):
        seqs[record.gateway_id, record.journal].append(record.seq)
    after = {}
    for key, through in before.items():
        after[key] = advance(through, seqs[key], holes[key])
        if after[key] >= through + _WINDOW:
            after[key] = _go_on(to, key, after[key], holes[key])
    moved = [
        {"of": key[0], "in": key[1], "to": through, "at": to.now_ms}
        for key, through in after.items()
        if through != before[key]
    ]
    if moved:
        to.connection.execute(
            t.journal.update()
            .where((c.gateway_id == sa.bindparam("of")) & (c.journal == sa.bindparam("in")))
            .values(through=sa.bindparam("to"), acked_ms=sa.bindparam("at")),
            moved,
        )
    return after


def _go_on(to: Transaction, key: Key, through: int, holes: list[tuple[int, int]]) -> int:
    """Return how far one journal is complete, which is complete through `through` at least."""
    r = t.record.c
    while True:
        seqs = to.connection.scalars(
            sa.select(r.seq)
            .where((r.gateway_id == key[0]) & (r.journal == key[1]) & (r.seq > through))
            .order_by(r.seq)
            .limit(_STEP)
        ).all()
        reached = advance(through, seqs, holes)
        if reached == through:
            return through
        through = reached
