"""Births, live states and journals: who a gateway is, and what it says that it no longer has.

Not records (records.py). A journal's mark moves in marks.py only.

    births = [read_birth("gw-ecole", tree)]
    take_births(transaction, births)
    born(transaction, births[0])
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.marks import move
from host_tools.collect.messages import U32_MAX, Refused, Schema, read_schema, whole, words
from host_tools.collect.schemas import learn
from host_tools.collect.transaction import Transaction

_BEFORE_BIRTH = "gone before this birth"
# The gateway was told that these are stored, and they are not: the database is an older copy.
_FORGOTTEN = "acknowledged once, not in this database"


@dataclass
class Birth:
    """What a gateway said of itself when it connected, checked."""

    gateway: str
    journal: int
    first: int
    columns: dict[str, object]
    schema: Schema | None
    why: str = ""  # why it is refused


def read_birth(gateway: str, tree: dict[str, Any]) -> Birth:
    """Return a birth; Refused when it is not of this gateway or no birth."""
    if words(tree, "gateway") != gateway:
        raise Refused(f"birth of {tree['gateway']!r} on the topic of {gateway!r}")
    journal = whole(tree, "journal", 0, U32_MAX)
    first = whole(tree, "first", 0, U32_MAX)
    whole(tree, "next", first, U32_MAX)
    schema = read_schema(tree["schema"], gateway) if tree.get("schema") else None
    columns: dict[str, object] = {
        key: words(tree, key, "") for key in ("site", "board", "version", "runtime")
    }
    columns |= {"birth": json.dumps(tree, ensure_ascii=False), "journal": journal}
    return Birth(gateway, journal, first, columns, schema)


def take_births(to: Transaction, births: Sequence[Birth]) -> None:
    """Store births by a few statements whatever their number; refused: their `why` says so.

    What they say of their gateways is set by born(), in its turn. Call declare_gone() once the
    records that came with them are stored.
    """
    to.make_gateways(birth.gateway for birth in births)
    owners = _meet(to, {(birth.gateway, birth.journal) for birth in births})
    for birth in births:
        owner = owners.get((birth.gateway, birth.journal), birth.gateway)
        if owner != birth.gateway:
            birth.why = _not_its_own(birth.journal, owner, birth.gateway)
            continue
        to.touched.add((birth.gateway, birth.journal))
        to.gone.append((birth.gateway, birth.journal, birth.first, _BEFORE_BIRTH))
    schemas = [
        (birth, (birth.gateway, birth.schema))
        for birth in births
        if birth.schema and not birth.why
    ]
    for (birth, _), why in zip(schemas, learn(to, [schema for _, schema in schemas]), strict=True):
        birth.why = why


def born(to: Transaction, birth: Birth) -> None:
    """Set what a stored birth says of its gateway."""
    to.born[birth.gateway] = birth.journal
    to.update_gateway(birth.gateway, online=True, **birth.columns)


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
        journal = to.born.get(gateway)
        if journal is not None:
            meet(to, gateway, journal, owed=False)
            to.gone.append((gateway, journal, first, _FORGOTTEN))


def meet(to: Transaction, gateway: str, journal: int, owed: bool = True) -> None:
    """Make a journal known; owed: its gateway shall hear how far it is complete.

    Refused when another gateway owns this journal: two gateways never draw the same number, so
    one of them is not what it says.
    """
    owner = _meet(to, {(gateway, journal)}).get((gateway, journal), gateway)
    if owner != gateway:
        raise Refused(_not_its_own(journal, owner, gateway))
    if owed:
        to.touched.add((gateway, journal))


def _not_its_own(journal: int, owner: str, gateway: str) -> str:
    return f"journal {journal:08x} is of {owner!r}, not of {gateway!r}"


def _meet(to: Transaction, pairs: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Make the journals of (gateway, journal) known; return the owners of those of others."""
    strange = sorted(pairs - to.journals)
    if not strange:
        return {}
    to.make_gateways(gateway for gateway, _ in strange)
    c = t.journal.c
    owners: dict[int, str] = {
        row.journal: row.name
        for row in to.connection.execute(
            sa.select(c.journal, t.gateway.c.name)
            .join_from(t.journal, t.gateway)
            .where(c.journal.in_({journal for _, journal in strange}))
        )
    }
    rows = []
    for gateway, journal in strange:
        if owners.setdefault(journal, gateway) == gateway:
            row = {"gateway_id": to.gateway_id(gateway), "journal": journal, "through": 0}
            rows.append(row)
            to.journals.add((gateway, journal))
    if rows:
        to.connection.execute(to.insert(t.journal).on_conflict_do_nothing(), rows)
    return {(g, j): owners[j] for g, j in strange if owners[j] != g}


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
    asked = [(of, journal, first, why) for of, journal, first, why in to.gone if first > 1]
    c = t.journal.c
    reached: dict[tuple[int, int], int] = {}
    if asked:
        ids = {to.gateway_id(gateway) for gateway, *_ in asked}
        for row in to.connection.execute(
            sa.select(c.gateway_id, c.journal, c.through).where(
                c.gateway_id.in_(ids) & c.journal.in_({journal for _, journal, *_ in asked})
            )
        ):
            reached[row.gateway_id, row.journal] = row.through
    # In one order, so that two collectors never wait for each other crosswise.
    for gateway, journal, first, why in sorted(asked):
        gateway_id = to.gateway_id(gateway)
        if first <= reached.get((gateway_id, journal), 0) + 1:
            continue
        to.hold(gateway_id)
        through = move(to, gateway_id, journal)
        if first > through + 1:
            declare(to, gateway, journal, (through + 1, first - 1), why)
            to.touched.add((gateway, journal))
