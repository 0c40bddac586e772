"""MQTT on the collector's side: messages into a queue, PUBACK and acknowledgements out of it.

Not storage. PUBACK is sent by hand, after the commit (paho's manual_ack), so that the broker
keeps what a killed collector had not stored. When the queue is full the network thread waits,
TCP fills up, and the broker holds the rest: back-pressure instead of memory.

    intake = Intake("127.0.0.1", 1883, "collector-1")
    intake.start()
    for message, token in intake.batch(500, wait_s=0.5): ...
    intake.done([token])                    # after the commit
    intake.acknowledge([Ack("gw-ecole", 0x1a2b3c4d, 17)])
"""

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collect.messages import Message
from host_tools.collect.seals import Seals
from host_tools.collect.store import Ack

_TOPICS = [
    (f"eclor/1/+/{leaf}", qos)
    for leaf, qos in (("birth", 1), ("rec", 1), ("will", 1), ("state", 0))
]
_RECONNECT_MAX_S = 30


@dataclass(frozen=True)
class Token:
    """Which delivery a PUBACK is for; worth nothing after a reconnection."""

    mid: int
    qos: int
    session: int


def _without_delay(_: mqtt.Client, __: Any, found: Any) -> None:
    """Send at once: a PUBACK and an acknowledgement after it would wait 40 ms for each other."""
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Source(Protocol):
    """Where messages come from and acknowledgements go: MQTT, JetStream, a test.

    A token stands for one delivery; what is not given to done() comes again.
    """

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self) -> None:
        """Leave; what was not done stays where it came from."""

    def batch(self, most: int, wait_s: float) -> list[tuple[Message, Any]]:
        """Return what has come, at most `most`; wait up to wait_s for the first."""

    def done(self, tokens: Iterable[Any]) -> None:
        """Say that these deliveries are stored."""

    def acknowledge(self, acks: Iterable[Ack]) -> None:
        """Tell gateways what they may forget."""


class Intake:
    """One MQTT session that outlives the connection (clean_session off).

    keys  per gateway what it signs with, and we for it (seals.py)
    on_change  called with "up" or a sentence when the connection comes or goes, on its thread
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        keys: Mapping[str, bytes] | None = None,
        on_change: Callable[[str], None] | None = None,
        queue_size: int = 1000,
    ) -> None:
        self._address = (host, port)
        self._seals = Seals(keys)
        self._on_change = on_change or (lambda _: None)
        self._queue: queue.Queue[tuple[Message, Token]] = queue.Queue(queue_size)
        self._session = 0
        self._stopping = threading.Event()
        self.state = "not started"
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=False, manual_ack=True
        )
        self._client.reconnect_delay_set(1, _RECONNECT_MAX_S)
        self._client.on_socket_open = _without_delay
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._failed
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received

    def start(self) -> None:
        """Connect, and connect again whenever the broker is absent; returns at once."""
        self._change(f"connecting to {self._address[0]}:{self._address[1]}")
        self._client.connect_async(*self._address, keepalive=60)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker; it keeps what was not PUBACKed for the next time."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def batch(self, most: int, wait_s: float) -> list[tuple[Message, Token]]:
        """Return what has come, oldest first, at most `most`; wait up to wait_s for the first."""
        taken: list[tuple[Message, Token]] = []
        with contextlib.suppress(queue.Empty):
            taken.append(self._queue.get(timeout=wait_s))
            while len(taken) < most:
                taken.append(self._queue.get_nowait())
        return taken

    def done(self, tokens: Iterable[Token]) -> None:
        """Send PUBACK for messages that are stored."""
        for token in tokens:
            if token.session == self._session:
                self._client.ack(token.mid, token.qos)

    def acknowledge(self, acks: Iterable[Ack]) -> None:
        """Tell gateways what they may forget.

        QoS 0 and not kept: a lost one is followed by the next, and a birth asks again.
        """
        for ack in acks:
            topic = f"eclor/1/{ack.gateway}/ack"
            self._client.publish(topic, self._seals.ack_bytes(ack), qos=0)

    # -- callbacks, on paho's thread ---------------------------------------------------------

    def _change(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)

    def _connected(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._change(f"the broker refuses: {reason}")
            return
        self._session += 1
        client.subscribe(_TOPICS)

    def _subscribed(self, _: mqtt.Client, __: Any, ___: Any, reasons: Any, ____: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._change(f"the broker refuses topics: {refused[0]}" if refused else "up")

    def _failed(self, _: mqtt.Client, __: Any) -> None:
        self._change(f"no broker at {self._address[0]}:{self._address[1]}, trying again")

    def _disconnected(self, _: mqtt.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        self._session += 1
        self._change("stopped" if self._stopping.is_set() else f"connection lost: {reason}")

    def _received(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        item = (
            self._seals.opened(Message(message.topic, bytes(message.payload))),
            Token(message.mid, message.qos, self._session),
        )
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=0.5)
                return
            except queue.Full:
                continue
