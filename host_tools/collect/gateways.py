"""Births, live states and journals: who a gateway is, and what it says that it no longer has.

Not records (records.py). A journal's mark moves in marks.py only.

    take_birth(transaction, "gw-ecole", tree)
"""

import json
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.marks import move
from host_tools.collect.messages import U32_MAX, Refused, read_schema, whole, words
from host_tools.collect.schemas import learn
from host_tools.collect.transaction import Transaction

_BEFORE_BIRTH = "gone before this birth"
# The gateway was told that these are stored, and they are not: the database is an older copy.
_FORGOTTEN = "acknowledged once, not in this database"


def take_birth(to: Transaction, gateway: str, birth: dict[str, Any]) -> None:
    """Store a birth; Refused, with nothing stored, when it is not of this gateway or no birth.

    Call declare_gone() once the records that came with it are stored.
    """
    if words(birth, "gateway") != gateway:
        raise Refused(f"birth of {birth['gateway']!r} on the topic of {gateway!r}")
    journal = whole(birth, "journal", 0, U32_MAX)
    first = whole(birth, "first", 0, U32_MAX)
    whole(birth, "next", first, U32_MAX)
    schema = read_schema(birth["schema"], gateway) if birth.get("schema") else None
    columns = {key: words(birth, key, "") for key in ("site", "board", "version", "runtime")}
    meet(to, gateway, journal)
    text = json.dumps(birth, ensure_ascii=False)
    to.update_gateway(gateway, online=True, birth=text, journal=journal, **columns)
    to.gone.append((gateway, journal, first, _BEFORE_BIRTH))
    if schema:
        learn(to, gateway, schema)


def take_state(to: Transaction, gateway: str, state: dict[str, Any]) -> None:
    """Store a live state; Refused when its record numbers are none.

    `records[0]` is the lowest number that the gateway still holds: what lies below and is not
    here will not come. That is how a database restored from an older copy learns what it lost
    without waiting for a birth.
    """
    held = state.get("records")
    first = None
    if held is not None:
        if not isinstance(held, list) or not held:
            raise Refused("records: a list that begins with the first number is expected")
        first = whole({"records[0]": held[0]}, "records[0]", 0, U32_MAX)
    text = json.dumps(state, ensure_ascii=False)
    to.update_gateway(gateway, online=True, state=text, state_ms=to.now_ms)
    if first:
        c = t.gateway.c
        journal = to.connection.scalar(sa.select(c.journal).where(c.name == gateway))
        if journal is not None:
            meet(to, gateway, journal, owed=False)
            to.gone.append((gateway, journal, first, _FORGOTTEN))


def meet(to: Transaction, gateway: str, journal: int, owed: bool = True) -> None:
    """Make a journal known; owed: its gateway shall hear how far it is complete.

    Refused when another gateway owns this journal: two gateways never draw the same number, so
    one of them is not what it says.
    """
    if (gateway, journal) not in to.journals:
        gateway_id = to.gateway_id(gateway)
        c = t.journal.c
        owner = to.connection.scalar(
            sa.select(t.gateway.c.name).join(t.journal).where(c.journal == journal)
        )
        if owner is None:
            to.connection.execute(
                to.insert(t.journal).on_conflict_do_nothing(),
                {"gateway_id": gateway_id, "journal": journal, "through": 0},
            )
        elif owner != gateway:
            raise Refused(f"journal {journal:08x} is of {owner!r}, not of {gateway!r}")
        to.journals.add((gateway, journal))
    if owed:
        to.touched.add((gateway, journal))


def declare(
    to: Transaction,
    gateway: str,
    journal: int,
    span: tuple[int, int],
    why: str,
    from_ms: int = 0,
    to_ms: int = 0,
) -> None:
    """Keep that the gateway no longer has the numbers of span, both ends included."""
    to.connection.execute(
        to.insert(t.hole).on_conflict_do_nothing(),
        {
            "gateway_id": to.gateway_id(gateway),
            "journal": journal,
            "first": span[0],
            "last": span[1],
            "why": why,
            "from_ms": from_ms,
            "to_ms": to_ms,
            "received_ms": to.now_ms,
        },
    )


def declare_gone(to: Transaction) -> None:
    """Declare what is neither here nor, by their births and states, with the gateways."""
    # In one order, so that two collectors never wait for each other crosswise.
    for gateway, journal, first, why in sorted(to.gone):
        _declare_below(to, gateway, journal, first, why)


def _declare_below(to: Transaction, gateway: str, journal: int, first: int, why: str) -> None:
    gateway_id = to.gateway_id(gateway)
    c = t.journal.c
    query = sa.select(c.through).where((c.gateway_id == gateway_id) & (c.journal == journal))
    if first <= (to.connection.scalar(query) or 0) + 1:
        return
    to.hold(gateway_id)
    through = move(to, gateway_id, journal)
    if first > through + 1:
        declare(to, gateway, journal, (through + 1, first - 1), why)
        to.touched.add((gateway, journal))
