"""What a collector does beside storing, turn by turn: summaries, alarms, outputs, forgetting.

Not the intake (collector.py): a turn that fails is logged and tried again, and nothing waits for
it. Of several collectors on one PostgreSQL database one at a time takes the turn.

    keeper = Keeper(engine, rules, outputs)
    keeper.turn(now_ms)                 # or start() and stop() for a thread of its own
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx
import sqlalchemy as sa

from host_tools.collect.alarms import watch
from host_tools.collect.delivery import deliver
from host_tools.collect.retention import forget
from host_tools.collect.rules import Rules
from host_tools.collect.summaries import summarise

_EVERY_S = 30.0
_FORGET_MS = 3_600_000
_TURN_LOCK = 63117  # of PostgreSQL's advisory locks; the layout has 63116

log = logging.getLogger("eclor.keeper")

Output = Callable[[], int]  # follows the arrivals once; returns how many readings it gave


class Keeper:
    """One collector's turns.

    outputs  called each turn; each keeps its own cursor, so a failing one only falls behind
    """

    def __init__(
        self,
        engine: sa.Engine,
        rules: Rules,
        outputs: Sequence[Output] = (),
        every_s: float = _EVERY_S,
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._outputs = tuple(outputs)
        self._every_s = every_s
        self._forgot_ms = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def __enter__(self) -> "Keeper":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Take turns until stop()."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the turn at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def turn(self, now_ms: int) -> bool:
        """Do everything once; False when another collector has the turn."""
        with self._mine() as is_mine:
            if not is_mine:
                return False
            summarise(self._engine)
            watch(self._engine, self._rules.alarms, now_ms)
            for failure in deliver(self._engine, self._rules.tell, now_ms):
                log.warning("not told: %s", failure)
            for output in self._outputs:
                try:
                    output()
                except (httpx.HTTPError, OSError) as error:
                    log.warning("output: %s", error)
            if now_ms - self._forgot_ms >= _FORGET_MS:
                self._forgot_ms = now_ms
                gone = forget(self._engine, self._rules.keep, now_ms)
                if any(gone.values()):
                    log.info("forgotten by rule: %s", gone)
            return True

    @contextmanager
    def _mine(self) -> Iterator[bool]:
        if self._engine.dialect.name != "postgresql":
            yield True
            return
        with self._engine.connect() as connection:
            number = {"number": _TURN_LOCK}
            taken = connection.scalar(sa.text("SELECT pg_try_advisory_lock(:number)"), number)
            connection.commit()
            try:
                yield bool(taken)
            finally:
                if taken:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:number)"), number)
                    connection.commit()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.turn(time.time_ns() // 1_000_000)
            except sa.exc.DBAPIError as error:
                log.warning("database: %s; again in %.0f s", error.orig, self._every_s)
