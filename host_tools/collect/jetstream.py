"""A durable JetStream pull consumer as the collector's source: the way to several collectors.

Not MQTT (intake.py), though gateways speak MQTT to the same nats-server: it carries topic
`eclor/1/x/rec` as subject `eclor.1.x.rec`, which the stream keeps. Collectors with one `name`
share the work: each message goes to one of them, and to another when it is not done in time.

The stream keeps messages for days after they were taken. A database restored from an older copy
therefore need not lose anything: `since` gives everything again from then on.

Where the brokers ask for one, the password of user `collector` is in ECLOR_NATS_PASSWORD.

    source = JetStream(["nats://127.0.0.1:4222"], "collectors", on_change)
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import nats
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from host_tools.collect.messages import Message
from host_tools.collect.seals import Seals
from host_tools.collect.store import Ack
from host_tools.trust.permissions import COLLECTOR

STREAM = "ECLOR"
_SUBJECTS = ["eclor.1.*.rec", "eclor.1.*.birth", "eclor.1.*.will"]
_STATES = "eclor.1.*.state"
_KEEP_DAYS = 7
_ACK_WAIT_S = 30.0  # a killed collector's messages go to another after this
_PENDING_MAX = 5000  # given to all collectors of one name together and not done
_STATES_MAX = 1000
_T = TypeVar("_T")


class JetStream:
    """One collector's share of the stream; an asyncio loop in a thread of its own.

    servers    addresses of the cluster's nodes
    name       of the durable consumer; collectors with the same name share its messages
    replicas   copies of the stream when it is made: 1, or 3 in a cluster
    since      begin again with what came at or after this time
    """

    def __init__(
        self,
        servers: Sequence[str],
        name: str,
        on_change: Callable[[str], None],
        keys: Mapping[str, bytes] | None = None,
        replicas: int = 1,
        since: datetime | None = None,
    ) -> None:
        self._servers = list(servers)
        self._name = name
        self._on_change = on_change
        self._seals = Seals(keys)
        self._replicas = replicas
        self._since = since
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._stopping = threading.Event()
        self._client: Any = None
        self._subscription: Any = None
        self._states: list[Message] = []

    def start(self) -> None:
        """Connect, and connect again whenever the cluster is absent; returns at once."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop)

    def stop(self) -> None:
        """Leave; what was not done goes to another collector, or waits."""
        self._stopping.set()
        if self._client is not None:
            with contextlib.suppress(NATSError, TimeoutError):
                self._await(self._client.close(), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def batch(self, most: int, wait_s: float) -> list[tuple[Message, Any]]:
        """Return what has come, at most `most`; wait up to wait_s for the first."""
        if self._subscription is None:
            self._stopping.wait(wait_s)
            return []
        states, self._states = self._states, []
        taken: list[tuple[Message, Any]] = [(state, None) for state in states]
        with contextlib.suppress(NATSError, TimeoutError):
            for message in self._await(self._subscription.fetch(most, timeout=wait_s), wait_s + 5):
                topic = message.subject.replace(".", "/")
                found = self._seals.opened(Message(topic, bytes(message.data)))
                taken.append((found, message))
        return taken

    def done(self, tokens: Iterable[Msg | None]) -> None:
        """Say that these are stored; a lost word is followed by a repeat, which is harmless."""

        async def say() -> None:
            for token in tokens:
                if token is not None:
                    await token.ack()

        with contextlib.suppress(NATSError, TimeoutError):
            self._await(say(), 10)

    def acknowledge(self, acks: Iterable[Ack]) -> None:
        """Tell gateways what they may forget; a lost word is said again at the next birth."""

        async def say() -> None:
            for ack in acks:
                subject = f"eclor.1.{ack.gateway}.ack"
                await self._client.publish(subject, self._seals.ack_bytes(ack))

        with contextlib.suppress(NATSError, TimeoutError):
            self._await(say(), 10)

    def _await(self, work: Coroutine[Any, Any, _T], timeout_s: float) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    # -- in the loop -------------------------------------------------------------------------

    async def _connect(self) -> None:
        async def lost() -> None:
            self._on_change("stopped" if self._stopping.is_set() else "connection lost")

        async def back() -> None:
            self._on_change("up")

        async def failed(error: Exception) -> None:
            if self._client is None or not self._client.is_connected:
                self._on_change(f"no broker at {', '.join(self._servers)}: {error}")

        password = os.environ.get("ECLOR_NATS_PASSWORD")
        login = {"user": COLLECTOR, "password": password} if password else {}
        while not self._stopping.is_set():
            try:
                self._client = await nats.connect(
                    servers=self._servers,
                    name=self._name,
                    **login,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    disconnected_cb=lost,
                    reconnected_cb=back,
                    error_cb=failed,
                )
                self._subscription = await self._subscribe()
            except (NATSError, OSError, TimeoutError) as error:
                self._on_change(f"no broker at {', '.join(self._servers)}: {error}")
                if self._client is not None:
                    await self._client.close()
                await asyncio.sleep(0.5)
                continue
            self._on_change("up")
            return

    async def _subscribe(self) -> Any:
        stream = self._client.jetstream(timeout=10)
        try:
            await stream.stream_info(STREAM)
        except NotFoundError:
            await stream.add_stream(
                StreamConfig(
                    name=STREAM,
                    subjects=_SUBJECTS,
                    retention=RetentionPolicy.LIMITS,
                    max_age=timedelta(days=_KEEP_DAYS).total_seconds(),
                    num_replicas=self._replicas,
                )
            )
        settings = ConsumerConfig(
            durable_name=self._name,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_deliver=-1,
            max_ack_pending=_PENDING_MAX,
        )
        if self._since is not None:
            with contextlib.suppress(NotFoundError):
                await stream.delete_consumer(STREAM, self._name)
            settings.deliver_policy = DeliverPolicy.BY_START_TIME
            settings.opt_start_time = self._since.astimezone(UTC)
            self._since = None
        try:
            await stream.consumer_info(STREAM, self._name)
        except NotFoundError:
            await stream.add_consumer(STREAM, settings)

        async def state(message: Msg) -> None:
            # Live values: the newest count, and losing one loses nothing.
            self._states.append(Message(message.subject.replace(".", "/"), bytes(message.data)))
            del self._states[:-_STATES_MAX]

        await self._client.subscribe(_STATES, queue=self._name, cb=state)
        return await stream.pull_subscribe_bind(self._name, STREAM)
