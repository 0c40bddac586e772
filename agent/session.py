"""One connection after the other, whatever is spoken over it: when to open, when to give up.

Not here: what is spoken (agent/uplink.py for MQTT), sockets, TLS and names (firmware/ obeys
`action`), which records go (agent/flight.py).

    step       waits for                     ends with
    offline    the back-off                  action OPEN
    connecting opened() or closed()          30 s
    greeting   the first answer of the peer  30 s
    online     acknowledgements              silence, nonsense, closed()
    closing    closed()
"""

from micropython import const

from agent import mac
from agent.backoff import Backoff
from agent.flight import Flight
from drivers.ticks import ticks_add, ticks_diff

NOTHING = const(0)
OPEN = const(1)
CLOSE = const(2)

OFFLINE = const(0)
CONNECTING = const(1)
GREETING = const(2)
SUBSCRIBING = const(3)
ONLINE = const(4)
CLOSING = const(5)
_NAMES = ("offline", "connecting", "greeting", "subscribing", "online", "closing")

RECORD_MAX = const(4016)  # agent/README.md, the record
_CONNECT_MS = const(30000)  # TCP, TLS and the first answers must be through by then
_PROGRESS_MS = const(120000)  # one that talks, and settles nothing of what it owes: likewise
_ANSWER_MS = const(20000)  # a peer that owes an answer and says nothing this long is gone
_ACK_BYTES = const(8)
_STATE_WAIT_MS = const(1000)  # longest sleep of the transport while online
_COUNTERS = (
    "sessions",
    "published",
    "repeated",
    "pubacks",
    "acks",
    "acks_refused",
    "refused",
    "malformed",
    "half_open",
    "states_dropped",
    "bytes_out",
    "bytes_in",
)


class Session:
    """What every uplink shares; see agent/uplink.Uplink for the arguments.

    A protocol derives from it, has `out`, and overrides what stands under "a protocol says".
    """

    def __init__(self, settings, journal, identity, random):
        self._settings = settings
        self._journal = journal
        self._client = identity["gateway"].encode()
        self._backoff = Backoff(random)
        window = settings.get("window", 8)
        ahead = settings.get("ahead", 8 * window)
        by_puback = settings.get("acknowledge", "application") == "puback"
        self._flight = Flight(journal, window, ahead, by_puback)
        key = bytes.fromhex(settings.get("key", ""))
        self.mac = mac.Mac(key) if key else None  # whoever checks: agent/keys.Keys in an App
        self._results = []
        self._want = self._state = None
        self.out = bytearray(0)
        self._long = b""  # what the next writes carry, before anything else
        self._long_at = 0
        self.budget = None  # agent/budget.Budget where bytes are counted, by the transport
        self.birth = lambda: b"{}"
        self.on_command = lambda payload: None
        self.on_offer = lambda offer: None  # of a firmware, where one is fetched and not sent
        self.action = NOTHING
        self.why = ""
        self.last_ack_ms = None
        self.counters = dict.fromkeys(_COUNTERS, 0)
        self._asked_at = None  # since when the peer owes an answer, None: it owes nothing
        self._owed_at = None  # since when it has settled nothing of what it owes
        self._settled = 0
        self._step = OFFLINE
        self._until = None  # None: at once
        self._hopeless = False
        self._has_left = False

    @property
    def state(self):
        """The step of the session as text, with the reason of the last end when offline."""
        if self._step == OFFLINE and self.why:
            return "offline: " + self.why
        return _NAMES[self._step]

    @property
    def is_gone(self):
        """Tell whether there is no connection, nor one that is being made."""
        return self._step == OFFLINE

    @property
    def in_flight(self):
        """How many records wait for their PUBACK."""
        return self._flight.waiting

    @property
    def owes_results(self):
        """Tell whether a command's result is not with the peer yet."""
        return bool(self._results)

    @property
    def acked(self):
        """The last seq that the collector has stored."""
        return self._journal.acked

    # -- what the transport says ---------------------------------------------------------------

    def step(self, now_ms):
        """Decide; return the ms until the next call at the latest."""
        self._now = self.alive_ms = now_ms
        if self._step == OFFLINE:
            wait = 0 if self._until is None else ticks_diff(self._until, now_ms)
            if wait > 0:
                return wait
            if self._has_left or self._is_spent() or not self._wants():
                self._until = None
                return _STATE_WAIT_MS
            self._step = CONNECTING
            self.action = OPEN
            self._until = ticks_add(now_ms, _CONNECT_MS)
            return _CONNECT_MS
        if self._step == CLOSING:
            return _STATE_WAIT_MS
        if self._step != ONLINE:
            wait = ticks_diff(self._until, now_ms)
            if wait <= 0:
                self._close("no answer within %d s while %s" % (_CONNECT_MS // 1000, self.state))
                return 0
            return wait
        return self._watch(now_ms)

    def opened(self, now_ms):
        """The transport is connected (TCP, and TLS when asked for)."""
        if self._step != CONNECTING:
            return
        self.action = NOTHING
        self._step = GREETING
        self._forget_session(now_ms)
        self._greet()
        self._until = ticks_add(now_ms, _CONNECT_MS)

    def closed(self, now_ms, why):
        """The transport is closed, or could not open; why: text for the health record."""
        if self._step == OFFLINE:
            return
        if self._step != CLOSING:
            self.why = why
        if self._step >= GREETING:
            self._backoff.ended(ticks_diff(now_ms, self._since))
        self._step = OFFLINE
        self.action = NOTHING
        self._until = ticks_add(now_ms, self._backoff.wait_ms(self._hopeless))
        self._hopeless = False
        self._forget_session(now_ms)

    def received(self, data, start, end, now_ms):
        """Take bytes of the peer; one that breaks the protocol is closed."""
        if self._step < GREETING or self._step == CLOSING:
            return
        self._now = now_ms
        self._heard = now_ms
        self.counters["bytes_in"] += end - start
        self._take(data, start, end)
        if self._step != CLOSING:
            # Whatever came proves that the peer lives; what it still owes is awaited anew.
            self._asked_at = now_ms if self._owes() else None
            if self._asked_at is None or self._settled != self.counters["pubacks"]:
                self._owed_at = None
            self._settled = self.counters["pubacks"]

    def leave(self, seconds):
        """Take leave of the peer, for so many seconds: no connection is opened any more."""
        self._has_left = True
        if self._step == ONLINE:
            self._say_goodbye(seconds)

    def stay(self):
        """Take back the leave: the gateway does not sleep after all."""
        self._has_left = False

    def publish_state(self, payload):
        """Send live values once; a newer one replaces one that has not left yet."""
        if self._step != ONLINE or self._state is not None:
            self.counters["states_dropped"] += 1
        self._state = payload if self._step == ONLINE else None

    def publish_result(self, payload):
        """Send the result of a command, in order, until the peer has it: the newest eight."""
        self._results.append(payload)
        del self._results[1:-7]  # the first one may be on its way

    def publish_want(self, payload):
        """Say once what an update wants; a newer one replaces one that has not left yet."""
        self._want = payload

    # -- what goes out -------------------------------------------------------------------------

    def output(self):
        """Write the next packet into out; return its length, 0 when there is nothing to send."""
        length = self._more() if self._long else self._next_output()
        self.counters["bytes_out"] += length
        self.counters["published"] = self._flight.published
        self.counters["repeated"] = self._flight.repeated
        return length

    def sent(self, now_ms):
        """The bytes of the last output() are with the transport."""
        self._last_sent = now_ms

    # -- a protocol says -----------------------------------------------------------------------

    def _wants(self):
        """Tell whether a connection is wanted at all."""
        return True

    def _greet(self):
        """The transport is connected: what goes first?"""

    def _next_output(self):
        """Write the next packet into out; return its length."""
        return 0

    def _take(self, data, start, end):
        """Take bytes of the peer; end with _broke() what is no sense."""

    def _owes(self):
        """Tell whether the peer owes an answer."""
        return False

    def _look_after(self, now_ms):
        """On line, about once a second."""

    def _say_goodbye(self, seconds):
        """The gateway will sleep for so long: end the session."""
        self._close("it sleeps")

    def _forget(self):
        """The connection is gone, and half a packet with it."""

    # -- for the protocol ----------------------------------------------------------------------

    def _more(self):
        """Write the next part of what is too long for one write."""
        count = min(len(self.out), len(self._long) - self._long_at)
        self.out[:count] = self._long[self._long_at : self._long_at + count]
        self._long_at += count
        if self._long_at == len(self._long):
            self._long = b""
            self._long_at = 0
        return count

    def _go_online(self):
        self._step = ONLINE
        self.why = ""
        self._since = self._now
        self._last_sent = self._now
        self.counters["sessions"] += 1

    def _refused(self, why, hopeless):
        """The peer will not have us; hopeless: only a person can change that."""
        self.counters["refused"] += 1
        self._hopeless = hopeless
        self._close("refused: " + why)

    def _broke(self, what):
        """The peer does not speak as agreed."""
        self.counters["malformed"] += 1
        self._close("broker: %s" % what)

    def _close(self, why):
        self.why = why
        self._step = CLOSING
        self.action = CLOSE

    def _on_ack(self, data, start, end):
        """Take `ack`: journal id and seq, 4 bytes each, then 16 bytes of MAC when keyed."""
        taken = end - start == _ACK_BYTES + (mac.TAG_BYTES if self.mac else 0)
        if taken and self.mac:
            taken = self.mac.check(b"ack" + self._client, data, start, end)
        if taken:
            numbers = bytes(memoryview(data)[start : start + _ACK_BYTES])
            journal_id = int.from_bytes(numbers[:4], "big")
            seq = int.from_bytes(numbers[4:], "big")
            taken = self._flight.on_stored(journal_id, seq, self._now)
        if not taken:
            self.counters["acks_refused"] += 1
            return
        self.counters["acks"] += 1
        self.last_ack_ms = self._now

    # -- watching ------------------------------------------------------------------------------

    def _watch(self, now_ms):
        """Look after a session on line: silence, stalled acknowledgements."""
        if self._asked_at is not None and ticks_diff(now_ms, self._asked_at) >= _ANSWER_MS:
            self.counters["half_open"] += 1
            self._close("no answer for %d s" % (_ANSWER_MS // 1000))
            return 0
        if self._asked_at is not None and self._owed_at is None:
            self._owed_at = now_ms
        if self._owed_at is not None and ticks_diff(now_ms, self._owed_at) >= _PROGRESS_MS:
            self._close("no progress for %d s" % (_PROGRESS_MS // 1000))
            return 0
        if self._is_spent():
            self._close(self.why)
            return 0
        self._look_after(now_ms)
        self._flight.watch(now_ms)
        return _STATE_WAIT_MS

    def _is_spent(self):
        if not self.budget or not self.budget.is_spent:
            return False
        self.why = "the bytes of this day are spent"
        return True

    def _forget_session(self, now_ms):
        self._now = self._heard = self._since = self._last_sent = now_ms
        self._flight.reset(now_ms)
        self._asked_at = self._owed_at = None
        self._state = None
        self._long = b""
        self._long_at = 0
        self._forget()
