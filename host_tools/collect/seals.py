"""The keys shared with gateways: what a message must bear to be believed, and what we sign.

Not TLS: that ends at the broker. A broker that turned hostile could else send records in a
gateway's name, or alter one and mend its CRC; they would be stored and acknowledged, and the
gateway would forget what it had really read. So a gateway with a key puts 16 bytes of MAC behind
each record and birth (agent/README.md, topics), and without them nothing in its name is believed.

While a key is replaced (host_tools/remote/rotate.py) a gateway has two: both are believed, and the
first signs acknowledgements. Once that is the new one, the gateway changes over by it.

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
    """keys: gateway -> its key of 32 bytes, or two of them, 64 bytes; may change (key_file.py)."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self._keys: Mapping[str, bytes] = {} if keys is None else keys
        self._macs: dict[str, tuple[bytes, list[Mac]]] = {}  # with the key that they are of

    def _of(self, gateway: str) -> list[Mac]:
        """Return what checks a gateway's words; the first signs for it."""
        key = self._keys.get(gateway)
        if not key:
            return []
        found = self._macs.get(gateway)
        if found is None or found[0] != key:
            macs = [Mac(key[at : at + KEY_BYTES]) for at in range(0, len(key), KEY_BYTES)]
            found = self._macs[gateway] = (key, macs)
        return found[1]

    def opened(self, message: Message) -> Message:
        """Return the message without its MAC; one that says why where that is wrong."""
        try:
            gateway, leaf = message.address()
        except Refused:
            return message  # the store says so
        if leaf not in _SIGNED or not (macs := self._of(gateway)):
            return message
        data, context = message.payload, leaf.encode() + gateway.encode()
        if any(mac.check(context, data, 0, len(data)) for mac in macs):
            return Message(message.topic, data[:-TAG_BYTES])
        return Message(message.topic, data, "not signed by this gateway's key")

    def ack_bytes(self, ack: Ack) -> bytes:
        """Return an acknowledgement's bytes (agent/README.md), with a MAC where a key is known."""
        payload = pack(">II", ack.journal, ack.seq)
        macs = self._of(ack.gateway)
        return payload + macs[0].tag(b"ack" + ack.gateway.encode(), payload) if macs else payload
