"""Offer a bundle to gateways over MQTT, and give each the bytes that it asks for.

Not here: which gateways and when (rollout.py). The gateway decides alone: it checks the
signature, asks, hashes, tries and confirms (agent/update.py); this side only answers.

    with BundleServer("127.0.0.1", 1883, data, {"gw-ecole": key}) as server:
        server.offer("gw-ecole", counter)
        server.heard["gw-ecole"].answer
"""

import json
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt

from agent.commands import seal
from agent.mac import TAG_BYTES, Mac
from host_tools.packing.bundle import OFFER_BYTES
from host_tools.problems import NETWORK, Problem
from host_tools.trust.permissions import ANSWERS

CHUNK_BYTES = 2048
VALID_S = 86_400
_MEET_S = 15.0  # for the broker to take us
_TOPIC = "eclor/1/%s/%s"
_REFUSALS = {
    "old": "it has had a later order: is this computer's clock right?",
    "expired": "the order is more than a day old: is this computer's clock right?",
    "clock_unset": "its clock is not set yet: try again in a minute",
    "foreign": "the order was for another gateway",
    "malformed": "it does not understand the order: is its firmware older than this computer's?",
}


@dataclass
class Heard:
    """What a gateway has said since the server began."""

    answer: dict[str, Any] | None = None  # to the offer
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)  # the first to each id
    state: dict[str, Any] = field(default_factory=dict)
    birth: dict[str, Any] = field(default_factory=dict)
    births: int = 0
    states_at_birth: int = 0
    states: int = 0
    wants: int = 0
    sent_bytes: int = 0


def refusal(why: str) -> str:
    """Return why an order was refused as a sentence: gateways have a word for some reasons."""
    return _REFUSALS.get(why, why)


def chunk(key: bytes, gateway: str, bundle: bytes, at: int, count: int) -> bytes:
    """Return the message that carries bundle[at:at + count], with its MAC."""
    body = b"\x01" + bundle[52:56] + at.to_bytes(4, "big") + bundle[at : at + count]
    return body + Mac(key).tag(b"chunk" + gateway.encode(), body)


class BundleServer:
    """One bundle, any number of gateways.

    keys     each gateway's own, of 32 bytes
    context  of broker_at.py; None: without TLS
    """

    def __init__(
        self,
        host: str,
        port: int,
        bundle: bytes,
        keys: Mapping[str, bytes],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.heard = {gateway: Heard() for gateway in keys}
        self._bundle = bundle
        self._keys = keys
        self._address = (host, port)
        self._came = threading.Condition()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if context:
            self._client.tls_set_context(context)
        self._refused = ""  # why, in the broker's words
        self._has_met = False
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def __enter__(self) -> "BundleServer":
        """Connect; a Problem when the broker cannot be reached, or refuses us."""
        try:
            self._client.connect(*self._address)
        except OSError as error:
            raise Problem(
                f"the broker: {error}",
                "is it running? does it want TLS (--tls), or none?",
                code=NETWORK,
            ) from None
        self._client.loop_start()
        if not self.wait(lambda: self._has_met or self._refused, _MEET_S) or self._refused:
            self.__exit__(None, None, None)
            raise Problem(
                f"the broker: {self._refused or 'it takes no MQTT here'}",
                "may OFFICE order there? eclor ca permissions; does it want TLS: --tls?",
                code=NETWORK,
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def command(
        self, gateway: str, counter: int, do: str, args: dict[str, Any], *, retain: bool = False
    ) -> None:
        """Send a signed command; retain: the broker keeps it for a gateway that is away."""
        tree = {
            "gateway": gateway,
            "id": f"{do}-{counter}",
            "counter": counter,
            "until_ms": round((time.time() + VALID_S) * 1000),
            "do": do,
            "args": args,
        }
        payload = seal(self._keys[gateway], tree)
        self._client.publish(_TOPIC % (gateway, "cmd"), payload, qos=1, retain=retain)

    def offer(self, gateway: str, counter: int) -> None:
        """Offer the bundle; counter: above that of every command this gateway has had.

        It waits at the broker for a gateway that sleeps, until that has answered.
        """
        offer = self._bundle[:OFFER_BYTES].hex()
        self.command(gateway, counter, "update", {"offer": offer}, retain=True)

    def wait(self, ready: Any, seconds: float) -> bool:
        """Wait until ready() is true; tell whether it became so in time."""
        with self._came:
            return bool(self._came.wait_for(ready, seconds))

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        for gateway in self._keys:
            for leaf in ANSWERS:
                client.subscribe(_TOPIC % (gateway, leaf), 1)
        with self._came:  # only now: whoever orders at once is to hear the answer
            self._refused = str(reason) if reason.is_failure else ""
            self._has_met |= not reason.is_failure
            self._came.notify_all()

    def _on_disconnect(self, *_of_paho: Any) -> None:
        with self._came:
            if not self._has_met and not self._refused:
                self._refused = "it hung up"
            self._came.notify_all()

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        _, _, gateway, leaf = message.topic.split("/")
        payload = message.payload
        if gateway not in self.heard:
            return
        if leaf == "birth":
            mac = Mac(self._keys[gateway])
            if not mac.check(b"birth" + gateway.encode(), payload, 0, len(payload)):
                return  # somebody else's words
            payload = payload[:-TAG_BYTES]
        try:
            tree = json.loads(payload)
        except ValueError:
            return
        if not isinstance(tree, dict):
            return
        heard = self.heard[gateway]
        with self._came:
            if leaf == "state":
                heard.state = tree
                heard.states += 1
            elif leaf == "birth":
                heard.birth = tree
                heard.births += 1
                heard.states_at_birth = heard.states
            elif "want" in tree:
                self._give(gateway, heard, tree)
            else:
                name = str(tree.get("id", ""))
                # An order can come twice, when its gateway takes leave: "old" says the second.
                first = heard.answers.setdefault(name, tree)
                if name.startswith("update-"):
                    heard.answer = first
                    client.publish(_TOPIC % (gateway, "cmd"), b"", qos=1, retain=True)
            self._came.notify_all()

    def _give(self, gateway: str, heard: Heard, want: dict[str, Any]) -> None:
        at, count = want.get("at"), want.get("bytes")
        if want["want"] != self._bundle[52:56].hex():
            return
        if type(at) is not int or type(count) is not int or not 0 <= at <= len(self._bundle):
            return
        heard.wants += 1
        end = min(at + max(0, count), len(self._bundle), at + 65_536)
        while at < end:
            size = min(CHUNK_BYTES, end - at)
            payload = chunk(self._keys[gateway], gateway, self._bundle, at, size)
            self._client.publish(_TOPIC % (gateway, "cmd"), payload, qos=1)
            heard.sent_bytes += size
            at += size
