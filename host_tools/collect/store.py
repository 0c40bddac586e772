"""One batch of messages into the database, and what may be acknowledged then.

Not the broker (intake.py) and not the threads (collector.py). The order is the product: nothing
is acknowledged that is not committed. A batch that fails leaves no trace and may be given again;
given twice, it changes nothing.

    outcome = Store(engine).take([Message("eclor/1/gw-ecole/rec", payload)])
    outcome.acks        # [Ack("gw-ecole", 0x1a2b3c4d, 17)]
"""

import time
from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from host_tools.collect.database import writing
from host_tools.collect.gateways import (
    Birth,
    born,
    declare_gone,
    read_birth,
    take_births,
    take_state,
)
from host_tools.collect.marks import advance_all
from host_tools.collect.messages import BIRTH, RECORD, STATE, WILL, Message, Refused, read_json
from host_tools.collect.records import Records
from host_tools.collect.transaction import Ack, Outcome, Transaction

__all__ = ["Ack", "Outcome", "Store"]


class Store:
    """The writing side of one database; any number of them may share it.

    engine  from database.open_database()
    now_ms  the wall clock, ms since 1970 UTC
    """

    def __init__(self, engine: sa.Engine, now_ms: Callable[[], int] | None = None) -> None:
        self.engine = engine
        self._writing = writing(engine)
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)

    def take(self, messages: Sequence[Message]) -> Outcome:
        """Store one batch, then find what may be acknowledged; return both.

        Raises sqlalchemy's DBAPIError when the database refuses: nothing is to be acknowledged
        then, and the batch is to be given again.
        """
        with self._writing.begin() as connection:
            to = Transaction(connection, self._now_ms())
            _take(to, messages)
        if to.touched:
            with self._writing.begin() as connection:
                marking = Transaction(connection, self._now_ms())
                marking.look_up({gateway for gateway, _ in to.touched})
                to.outcome.acks = advance_all(marking, to.touched)
        return to.outcome


def _take(to: Transaction, messages: Iterable[Message]) -> None:
    records: list[tuple[str, Message]] = []
    addressed: list[tuple[str, str, Message]] = []
    for message in messages:
        try:
            addressed.append((*message.address(), message))
        except Refused as refused:
            _refuse(to, message, str(refused))
    to.look_up({gateway for gateway, _, _ in addressed})
    births: dict[int, Birth] = {}
    for place, (gateway, leaf, message) in enumerate(addressed):
        try:
            if leaf == BIRTH:
                births[place] = read_birth(gateway, read_json(message.payload))
        except Refused as refused:
            _refuse(to, message, str(refused))
    take_births(to, list(births.values()))
    for place, (gateway, leaf, message) in enumerate(addressed):
        try:
            if leaf == RECORD:
                # Opened after the births: a schema may come in the same batch.
                records.append((gateway, message))
            elif leaf == STATE:
                take_state(to, gateway, read_json(message.payload))
            elif leaf == WILL:
                online = read_json(message.payload).get("online") is True
                to.update_gateway(gateway, online=online)
            elif place in births:
                if births[place].why:
                    raise Refused(births[place].why)
                born(to, births[place])
        except Refused as refused:
            _refuse(to, message, str(refused))
    sorted_out = Records(to)
    for gateway, message in records:
        try:
            sorted_out.add(gateway, message)
        except Refused as refused:
            _refuse(to, message, str(refused))
    sorted_out.store()
    declare_gone(to)
    to.seen()
    to.settle()


def _refuse(to: Transaction, message: Message, reason: str) -> None:
    match = message.topic.split("/")
    gateway = match[2][:64] if len(match) > 2 else ""
    to.quarantine(gateway, message.topic, message.payload, reason)
