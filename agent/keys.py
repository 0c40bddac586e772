"""The key of acknowledgements, commands and pieces of firmware, and the next one on trial.

Not here: the MAC itself (mac.py) and where the first key comes from: the configuration's
`uplink.key`, which a technician brings by cable. The next key never travels: both ends derive it
from the present one and a number that the command carries, so that a broker which reads every
byte cannot. Who has stolen the present key and hears that number has the next one too: then only
a cable helps.

    {"do": "key", "args": {"nonce": "<64 hex digits, random>"}}    # {"trial": "3f0c9a1b"}
    {"do": "key", "args": {"drop": true}}                          # {"trial": ""}

On trial both keys are good. Whatever comes authentic under the next one first decides: that one
stays, the other is never taken again. So a collector that does not switch, or switches late,
locks nobody out.

    keys = Keys("gw-ecole", key, ground, note)
    keys.check(b"ackgw-ecole", data, start, end)
"""

import hashlib
import json

from agent.mac import KEY_BYTES, Mac
from agent.orders import CannotDo

SLOT = "key"


def following(key, gateway, nonce):
    """Return the 32 bytes of the next key. key: 32 bytes; nonce: 32 bytes, random, not secret."""
    return Mac(key).whole(b"key" + gateway.encode() + b"\x00", nonce)


def name_of(key):
    """Return 8 hex digits that tell keys apart and give none away."""
    return "".join(["%02x" % b for b in hashlib.sha256(b"name\x00" + key).digest()[:4]])


class Keys:
    """Checks as agent/mac.Mac does. Raises ValueError for a key that is not of 32 bytes.

    ground: agent/store.Files or None: then the key stays for ever. note(what, why): an event
    """

    def __init__(self, gateway, key, ground, note):
        self._gateway = gateway
        self._first = name_of(key)  # another one provisioned makes what was derived void
        self._ground = ground
        self._note = note
        self._use(key, b"")
        if ground is not None:
            self._load()

    @property
    def trial(self):
        """The name of the key on trial, "" when there is none."""
        return name_of(self._next) if self._next else ""

    def check(self, context, data, start, end):
        """Tell whether data[start:end] ends with its tag, under either key."""
        if self._mac.check(context, data, start, end):
            return True
        if not self._next or not self._next_mac.check(context, data, start, end):
            return False
        try:
            self._keep(self._next, b"")
        except OSError:
            return True  # both stay good until it can be kept
        self._note("key_changed", name_of(self._key))
        return True

    def tag(self, context, message):
        """Return the 16 bytes of MAC that say a message is ours; under the present key."""
        return self._mac.tag(context, message)

    def order(self, args):
        """Do the command `key`. Raises CannotDo."""
        if self._ground is None:
            raise CannotDo("this gateway has no place for a key")
        following_key = b""
        if args.get("drop") is not True:
            try:
                nonce = bytes.fromhex(args.get("nonce"))
            except (TypeError, ValueError):
                nonce = b""
            if len(nonce) != KEY_BYTES:
                raise CannotDo("nonce: is not 64 hexadecimal digits")
            if self._next:
                raise CannotDo("a trial is under way: drop it first")
            following_key = following(self._key, self._gateway, nonce)
        try:
            self._keep(self._key, following_key)
        except OSError as error:
            raise CannotDo("it cannot be kept: %s" % error)
        return {"trial": self.trial}

    def _use(self, key, following_key):
        self._key = key
        self._next = following_key
        self._mac = Mac(key)
        self._next_mac = Mac(following_key) if following_key else None

    def _keep(self, key, following_key):
        """Make the choice durable, then use it. Raises OSError, and nothing has changed."""
        data = json.dumps([self._first, _hex(key), _hex(following_key)]).encode()
        self._ground.begin(SLOT)
        self._ground.put(data, 0, len(data))
        self._ground.commit()
        self._use(key, following_key)

    def _load(self):
        data = bytearray(192)
        try:
            self._ground.open()
            length = self._ground.load(SLOT, data)
            if length:
                first, key, following_key = json.loads(bytes(data[:length]))
                if first == self._first:
                    self._use(bytes.fromhex(key), bytes.fromhex(following_key))
        except (OSError, ValueError, TypeError, AttributeError):
            pass  # the configuration's key serves: a collector that has it is heard again


def _hex(data):
    return "".join(["%02x" % b for b in data])
