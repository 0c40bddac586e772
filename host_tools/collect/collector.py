"""The collector as one thing: intake -> store -> acknowledgement, in a thread of its own.

Not the command (host_tools/commands/collect.py). The order of `_work` is what the product
promises: take, commit, PUBACK, acknowledge.

    with Collector("127.0.0.1", 1883, "sqlite:///readings.db") as collector:
        collector.wait_for(lambda progress: progress.readings >= 10, timeout_s=5)
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError

from host_tools.collect.database import open_database
from host_tools.collect.intake import Intake, Source
from host_tools.collect.store import Store

_BATCH = 500  # messages in one transaction: a commit costs about one fsync whatever its size
_IDLE_S = 0.2  # how often a waiting collector looks whether it shall stop
_RETRY_MAX_S = 10.0

log = logging.getLogger("eclor.collect")


@dataclass(frozen=True)
class Progress:
    """Totals since the start; every number is true only after its commit."""

    batches: int = 0
    records: int = 0
    readings: int = 0
    repeats: int = 0
    parked: int = 0
    quarantined: int = 0
    acks: int = 0
    last_ack_s: float | None = None  # time.monotonic() of the last acknowledgement
    broker: str = "not started"  # "up" or a sentence
    database: str = "up"  # "up" or a sentence


class Collector:
    """Collects from one broker into one database until stopped.

    host, port  the broker
    url         of the database (database.open_database)
    name        tells collectors apart; the broker keeps messages for this name
    keys        per gateway the key of its acknowledgements (intake.Intake)
    source      makes another intake than MQTT, given what to call when its state changes

    Raises Problem when the database cannot be opened; an absent broker is waited for.
    """

    def __init__(
        self,
        host: str,
        port: int,
        url: str,
        *,
        name: str = "eclor-collector",
        keys: Mapping[str, bytes] | None = None,
        source: Callable[[Callable[[str], None]], Source] | None = None,
    ) -> None:
        self.engine = open_database(url)
        self._store = Store(self.engine)
        self._intake: Source = (
            source(self._broker_changed)
            if source
            else Intake(host, port, name, keys, self._broker_changed)
        )
        self._progress = Progress()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> "Collector":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def progress(self) -> Progress:
        """The newest totals; may be called from any thread."""
        with self._changed:
            return self._progress

    def start(self) -> None:
        """Begin; returns at once."""
        self._intake.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand and leave; what was not stored stays with the broker."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._intake.stop()
        self.engine.dispose()

    def wait_for(self, condition: Callable[[Progress], bool], timeout_s: float) -> bool:
        """Wait until condition(progress) holds; False when it did not in timeout_s."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._progress), timeout_s)

    def wait_for_batch(self, timeout_s: float) -> bool:
        """Wait until one more batch is stored; False when none was in timeout_s."""
        seen = self.progress.batches
        return self.wait_for(lambda now: now.batches > seen, timeout_s)

    def _advance(self, **columns: object) -> None:
        with self._changed:
            self._progress = replace(self._progress, **columns)  # type: ignore[arg-type]
            self._changed.notify_all()

    def _broker_changed(self, state: str) -> None:
        log.info("broker: %s", state)
        self._advance(broker=state)

    def _work(self) -> None:
        while not self._stopping.is_set():
            batch = self._intake.batch(_BATCH, _IDLE_S)
            if not batch:
                continue
            outcome = None
            retry_s = 0.1
            while outcome is None and not self._stopping.is_set():
                try:
                    outcome = self._store.take([message for message, _ in batch])
                except DBAPIError as error:
                    # Disk full, server gone: nothing was stored, so nothing is acknowledged.
                    log.warning("database: %s; again in %.1f s", error.orig, retry_s)
                    self._advance(database=f"refuses: {error.orig}")
                    self._stopping.wait(retry_s)
                    retry_s = min(2 * retry_s, _RETRY_MAX_S)
            if outcome is None:
                return
            self._intake.done(token for _, token in batch)
            self._intake.acknowledge(outcome.acks)
            for gateway, reason in outcome.refused:
                log.warning("%s: quarantined: %s", gateway, reason)
            before = self._progress
            self._advance(
                batches=before.batches + 1,
                records=before.records + outcome.records,
                readings=before.readings + outcome.readings,
                repeats=before.repeats + outcome.repeats,
                parked=before.parked + outcome.parked,
                quarantined=before.quarantined + len(outcome.refused),
                acks=before.acks + len(outcome.acks),
                last_ack_s=time.monotonic() if outcome.acks else before.last_ack_s,
                database="up",
            )
