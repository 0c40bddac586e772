"""A new firmware: offer, check, fetch, verify, trial. Loaded when one is offered, not before.

Not here: whether it stays (agent/trial.py), which slot runs (firmware/boot.py), what a bundle is
(agent/BUNDLE.md), how bytes travel. The offer is the bundle's first 960 bytes, in a command:

    {"do": "update", "args": {"offer": "<1920 hex digits>"}}

Its signature is checked before a byte is fetched. Then the gateway says, as a command's result,
what it wants, and gets it in pieces on the topic of commands; each carries a MAC of the
gateway's key, so a broker can neither make a piece nor wear the flash out with wrong ones:

    {"want": "1f0a2b3c", "at": 960, "bytes": 8192}       # id: the first 4 bytes of the body's hash
    0       1       5          9                 9 + n   25 + n
    | 0x01  | id    | at, u32  | n bytes, <= 2048 | MAC  |      context "chunk" + gateway

Bytes are appended in order, so the length of the unfinished slot says where to go on, after a
power cut as well. A file that the running firmware has too is copied from there. In the end all
is read back and hashed; only then /slot names it, and the gateway starts on trial.

    updater = Updater(slots, keys, board, mac, say)
    updater.offer(offer)               # raises CannotDo
    updater.step(now_ms)               # a little work at a time; say() publishes what it wants
    updater.is_ready                   # the next start is the trial
"""

import json
from hashlib import sha256
from struct import unpack_from

from micropython import const

from agent.mac import TAG_BYTES
from agent.orders import CannotDo
from agent.signature import KEY_BYTES, is_signed
from agent.slots import MAGIC
from drivers.ticks import ticks_add, ticks_diff

OFFER_BYTES = const(960)
CHUNK = const(1)  # first byte of a piece; a command begins with "{"
_HEAD = const(192)
_SIGNED = const(576)
_CHUNK_HEAD = const(9)
_WANT_BYTES = const(8192)
_AGAIN_MS = const(10000)
_AGAIN_MAX_MS = const(600000)
_WORK_BYTES = const(2048)  # copied or hashed in one step
_LISTING_MAX = const(65536)
_CONTENT_MAX = const(4194304)
_IDLE, _LISTING, _CONTENT, _VERIFY, _HEARING, _READY = range(6)
_PHASES = ("idle", "listing", "content", "verify", "hearing", "ready")


class Updater:
    """One gateway's update. A slot whose trial failed is removed (agent/trial.py), so whatever a
    restart finds in the target, and is newer than what runs, has not been tried yet.

    slots: agent/slots.Slots. keys: up to two moduli, one after the other, as bytes.
    board: this board's name. mac: agent/mac.Mac of the gateway; context: b"chunk" + its name.
    say(payload): publishes. meters(): how many answer now, None: too soon to tell; then it waits:
    a trial that begins without knowing that accepts a firmware that hears none.
    """

    def __init__(self, slots, keys, board, mac, context, say, meters):
        self._slots = slots
        self._keys = [keys[i : i + KEY_BYTES] for i in range(0, len(keys), KEY_BYTES)]
        self._board = board
        self._mac = mac
        self._context = context
        self._say = say
        self._meters = meters
        self.why = ""  # of the last failure
        self.refused = 0  # pieces that were not believed
        self.fetched = self.copied = 0  # bytes
        self._phase = _IDLE
        self._forget()

    @property
    def is_ready(self):
        """Tell whether the next start is the trial of a verified firmware."""
        return self._phase == _READY

    @property
    def id(self):
        """Return the four bytes that name what is fetched."""
        return self._hash[:4]

    @property
    def is_idle(self):
        """Tell whether there is nothing to do."""
        return self._phase == _IDLE

    @property
    def is_busy(self):
        """Tell whether the next step copies or hashes, rather than waits for bytes."""
        return self._phase == _VERIFY or (self._phase == _CONTENT and self._from is not None)

    def report(self):
        """Return what `state` says of it."""
        return {
            "version": self.version,
            "phase": _PHASES[self._phase],
            "at": self._at,
            "of": self._size,
            "fetched": self.fetched,
            "copied": self.copied,
            "refused": self.refused,
            "why": self.why,
        }

    # --- the offer

    def offer(self, offer):
        """Check an offer and begin to fetch what it names. Raises CannotDo with the reason."""
        if self._slots.is_on_trial:
            raise CannotDo("the running firmware is on trial")
        if self._phase == _READY:
            raise CannotDo("version %s starts now" % self.version)
        self.check(offer)
        target = self._slots.target
        try:
            held = self._slots.size(target)
            if held < OFFER_BYTES or self._slots.read(target, 0, OFFER_BYTES) != offer:
                room = self._slots.free() + held
                size = OFFER_BYTES + sum(unpack_from(">II", offer, 12))
                if room < size:
                    raise CannotDo("no room: %d bytes, %d are free" % (size, room))
                self._slots.remove(target)
                self._slots.append(target, offer)
        except OSError as error:
            raise CannotDo("the slot cannot be written: %s" % error)
        self._begin(offer)
        return {"version": self.version, "slot": target, "at": self._at, "of": self._size}

    def check(self, offer):
        """Raise CannotDo unless this is an offer for this board, signed, and newer."""
        if len(offer) != OFFER_BYTES or offer[:8] != MAGIC:
            raise CannotDo("this is no offer of format 1")
        if not self._keys:
            raise CannotDo("no release key is provisioned")
        if not self.signer(offer):
            raise CannotDo("the signature is not of a release key")
        if self._board.encode() not in bytes(offer[112:192]).rstrip(b"\0").split(b","):
            raise CannotDo("it is not for the board %s" % self._board)
        try:
            str(offer[88:112], "utf-8")
        except ValueError:
            raise CannotDo("its version is no text")
        counter, listing, content = unpack_from(">III", offer, 8)
        names = unpack_from(">I", offer, 84)[0]
        if not names <= listing <= _LISTING_MAX or (listing - names) % 32:
            raise CannotDo("a listing of %d bytes with %d of names" % (listing, names))
        if content > _CONTENT_MAX:
            raise CannotDo("%d bytes of content" % content)
        running = self._slots.running
        if running:
            present = self._slots.counter(running)
        else:  # what is frozen in has no counter: it is not older than what lies in the slots
            present = max(self._slots.counter("a"), self._slots.counter("b")) - 1
        if counter <= present:
            raise CannotDo("its counter %d is not above %d" % (counter, present))

    def signer(self, offer):
        """Return the number of the key that signed an offer, from 1; 0 for none."""
        for i, key in enumerate(self._keys):
            if is_signed(key, offer[:_SIGNED], offer[_SIGNED:]):
                return i + 1
        return 0

    def resume(self):
        """Go on where a power cut or a restart ended a fetch; tell whether there was one."""
        try:
            offer = self._slots.read(self._slots.target, 0, OFFER_BYTES)
            self.check(offer)
        except (OSError, CannotDo):
            return False
        self._begin(offer)
        return True

    def _begin(self, offer):
        self._forget()
        self._listing, content = unpack_from(">II", offer, 12)
        self._names = unpack_from(">I", offer, 84)[0]
        self._size = OFFER_BYTES + self._listing + content
        self._listing_hash = offer[20:52]
        self._hash = offer[52:84]
        self.version = bytes(offer[88:112]).rstrip(b"\0").decode()
        self._at = self._slots.size(self._slots.target)
        self._phase = _LISTING
        self.why = ""

    def _forget(self):
        self.version = ""
        self._at = self._size = self._listing = self._names = 0
        self._hash = self._listing_hash = b""
        self._row = 0  # of the listing, the file that is being brought
        self._lines = None
        self._row_end = 0
        self._from = None  # where the running slot has this file; None: it has not
        self._old = b""  # the hashes of the running slot's files
        self._digest = None
        self._asked_to = 0
        self._again_at = None
        self._again_ms = _AGAIN_MS

    # --- the work

    def step(self, now_ms):
        """Do a little work: ask for bytes, copy, or hash. What fails ends the update, with why."""
        try:
            if self._phase == _LISTING:
                self._fetch_listing(now_ms)
            elif self._phase == _CONTENT:
                self._bring(now_ms)
            elif self._phase == _VERIFY:
                self._verify()
            elif self._phase == _HEARING:
                self._note_trial()
        except (OSError, ValueError) as error:
            self._fail(str(error))

    def take(self, data, now_ms):
        """Take a piece as it came; what is not authentic or not wanted now is only counted."""
        end = len(data)
        body = memoryview(data)[_CHUNK_HEAD : max(_CHUNK_HEAD, end - TAG_BYTES)]
        if (
            not len(body)
            or unpack_from(">I", data, 5)[0] != self._at
            or data[1:5] != self._hash[:4]
            or self._at + len(body) > self._asked_to
            or not self._mac.check(self._context, data, 0, end)
        ):
            self.refused += 1
            return
        try:
            self._slots.append(self._slots.target, body)
        except OSError as error:
            self._fail(str(error))
            return
        self._at += len(body)
        self.fetched += len(body)
        self._again_ms = _AGAIN_MS
        self._again_at = ticks_add(now_ms, _AGAIN_MS)

    def _fetch_listing(self, now_ms):
        end = OFFER_BYTES + self._listing
        if self._at < end:
            self._ask(end, now_ms)
            return
        digest = sha256()
        at = OFFER_BYTES
        while at < end:
            piece = self._slots.read(self._slots.target, at, min(_WORK_BYTES, end - at))
            digest.update(piece)
            at += len(piece)
        if digest.digest() != self._listing_hash:
            raise ValueError("the listing is not the one that was signed")
        if self._slots.running:
            head = self._slots.read(self._slots.running, 0, _HEAD)
            listing = unpack_from(">I", head, 12)[0]
            names = unpack_from(">I", head, 84)[0]
            self._old = self._slots.read(self._slots.running, OFFER_BYTES + names, listing - names)
        self._lines = self._slots.lines(self._slots.target, OFFER_BYTES, 0)
        self._row = -1
        self._row_end = end
        self._phase = _CONTENT

    def _bring(self, now_ms):
        """Bring the content to the end of the file it is in: by copy, else by fetch."""
        while self._at >= self._row_end:
            if 32 * (self._row + 1) >= self._listing - self._names:
                if self._row_end != self._size:
                    raise ValueError("the listing ends before the content")
                self._lines = None
                self._old = b""
                self._digest = sha256()
                self._verified = OFFER_BYTES
                self._phase = _VERIFY
                return
            self._next_row()
        if self._from is None:
            self._ask(self._row_end, now_ms)
            return
        left = self._row_end - self._at
        at = self._from + self._row_size - left
        piece = self._slots.read(self._slots.running, at, min(left, _WORK_BYTES))
        if not piece:
            raise ValueError("the running slot ends early")
        self._slots.append(self._slots.target, piece)
        self._at += len(piece)
        self.copied += len(piece)

    def _next_row(self):
        """Go to the next file of the listing; the lines must add up to the content."""
        self._row += 1
        _, size, at = next(self._lines).split(b" ")
        start = OFFER_BYTES + self._listing + int(at)
        self._row_size = int(size)
        if start != self._row_end or self._row_size < 0 or start + int(size) > self._size:
            raise ValueError("the listing does not add up at file %d" % self._row)
        self._row_end = start + self._row_size
        self._from = self._find() if self._at < self._row_end else None

    def _find(self):
        """Return where the running slot has the file of this row; None when it has not."""
        digest = self._slots.read(
            self._slots.target, OFFER_BYTES + self._names + 32 * self._row, 32
        )
        at = self._old.find(digest)
        if at < 0 or at % 32:
            return None
        running = self._slots.running
        head = self._slots.read(running, 0, _HEAD)
        _, size, start = next(self._slots.lines(running, OFFER_BYTES, at // 32)).split(b" ")
        if int(size) != self._row_size:
            return None
        return OFFER_BYTES + unpack_from(">I", head, 12)[0] + int(start)

    def _ask(self, end, now_ms):
        """Ask for the next bytes up to end, unless they are on their way."""
        if self._at < self._asked_to and ticks_diff(self._again_at, now_ms) > 0:
            return
        if self._at < self._asked_to:  # nothing came: ask less and less often
            self._again_ms = min(2 * self._again_ms, _AGAIN_MAX_MS)
        self._asked_to = min(end, self._at + _WANT_BYTES)
        self._again_at = ticks_add(now_ms, self._again_ms)
        name = "".join(["%02x" % b for b in self._hash[:4]])
        want = {"want": name, "at": self._at, "bytes": self._asked_to - self._at}
        self._say(json.dumps(want).encode())

    def _verify(self):
        """Hash what is read back."""
        if self._verified < self._size:
            piece = self._slots.read(self._slots.target, self._verified, _WORK_BYTES)
            if not piece:
                raise ValueError("the slot ends early")
            self._digest.update(piece)
            self._verified += len(piece)
            return
        if self._verified != self._size or self._digest.digest() != self._hash:
            raise ValueError("what was read back is not what was signed")
        self._phase = _HEARING
        self._note_trial()

    def _note_trial(self):
        """Make it the trial of the next start, once it is known how many meters answer."""
        count = self._meters()
        if count is None:
            return
        note = "meters %d" % count
        self._slots.write([self._slots.own, self._slots.target, self._slots.TRIES, 0, 0, note])
        self._phase = _READY

    def _fail(self, why):
        self.why = why
        self._phase = _IDLE
        self._slots.remove(self._slots.target)
        self._forget()
