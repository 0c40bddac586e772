"""The keys shared with gateways: what a message must bear to be believed, and what we sign.

Not TLS: that ends at the broker. A broker that turned hostile could else send records in a
gateway's name, or alter one and mend its CRC; they would be stored and acknowledged, and the
gateway would forget what it had really read. So a gateway with a key puts 16 bytes of MAC behind
each record and birth (agent/README.md, topics), and without them nothing in its name is believed.

While a key is replaced (agent/keys.py) a gateway has two, the new one first: both are believed,
acknowledgements are signed by the new one, and that makes the gateway change over.

    seals = Seals({"gw-ecole": new_key + key})
    message = seals.opened(Message("eclor/1/gw-ecole/rec", payload))    # Refused by address()
    seals.ack_bytes(Ack("gw-ecole", 0x1a2b3c4d, 17))
"""

from collections.abc import Mapping
from struct import pack

from agent.mac import KEY_BYTES, TAG_BYTES, Mac
from host_tools.collect.messages import BIRTH, RECORD, Message, Refused
from host_tools.collect.transaction import Ack

_SIGNED = (RECORD, BIRTH)


class Seals:
    """keys: gateway -> its key of 32 bytes, or the new one and the one before, 64 bytes."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self._macs = {
            name: [Mac(key[at : at + KEY_BYTES]) for at in range(0, len(key), KEY_BYTES)]
            for name, key in (keys or {}).items()
        }

    def opened(self, message: Message) -> Message:
        """Return the message without its MAC; one that says why where that is wrong."""
        try:
            gateway, leaf = message.address()
        except Refused:
            return message  # the store says so
        macs = self._macs.get(gateway)
        if not macs or leaf not in _SIGNED:
            return message
        data, context = message.payload, leaf.encode() + gateway.encode()
        if any(mac.check(context, data, 0, len(data)) for mac in macs):
            return Message(message.topic, data[:-TAG_BYTES])
        return Message(message.topic, data, "not signed by this gateway's key")

    def ack_bytes(self, ack: Ack) -> bytes:
        """Return an acknowledgement's bytes (agent/README.md), with a MAC where a key is known."""
        payload = pack(">II", ack.journal, ack.seq)
        macs = self._macs.get(ack.gateway)
        return payload + macs[0].tag(b"ack" + ack.gateway.encode(), payload) if macs else payload
