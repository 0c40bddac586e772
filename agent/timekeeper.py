"""When to ask which time server, and whether to believe the answers together.

Not here: packets (agent/sntp.py), the clock (agent/clock.py), the socket (firmware/net.py).
A round asks every configured server once. One server configured: its answer counts. Several:
two must agree within a second. SNTP is not authenticated, so a clock that a round has set before
is never moved by more than a day again: 40 ppm would need 68 years for that. The
refusal is counted and said; a restart asks afresh.

    keeper = Timekeeper(["192.0.2.1:123"], random)
    wait_ms = keeper.wait_ms(now_ms)            # 0: a round is due
    keeper.begin(now_ms)
    for index in range(len(keeper.servers)):
        keeper.request(index, out, now_ms)      # 48 bytes to send to keeper.servers[index]
        keeper.answered(data, length, now_ms)   # or keeper.failed("timeout")
    wall_ms = keeper.finish(clock, now_ms)      # None: not believed, keeper.why says why
"""

from micropython import const

from agent import sntp
from agent.backoff import Backoff
from agent.clock import CEILING_MS, UPTIME_ONLY
from agent.names import split_server
from drivers.ticks import ticks_add, ticks_diff

ANSWER_MS = const(2000)  # an answer later than this is too vague to use
SOURCE = "sntp"
_AGAIN_MS = const(3600000)  # a clock is trusted for six hours (agent/clock.py): six tries
_BASE_MS = const(4000)
_CAP_MS = const(900000)
_JUMP_MS = const(86400000)


class Timekeeper:
    """servers: texts of the configuration, valid; random(n): int in [0, n)."""

    def __init__(self, servers, random):
        self.servers = [split_server(text) for text in servers]
        self.why = ""  # of the last round that set nothing
        self.rounds = 0
        self.refused = 0  # answers and rounds not believed
        self._random = random
        self._backoff = Backoff(random, _BASE_MS, _CAP_MS)
        self._due = None  # None: at once
        self._nonce = b""
        self._asked = 0
        self._answers = []  # (wall ms, tick) of each believable answer of this round

    def wait_ms(self, now_ms):
        """Return how long until the next round; None: no server is configured."""
        if not self.servers:
            return None
        return 0 if self._due is None else max(0, ticks_diff(self._due, now_ms))

    def begin(self, now_ms):
        """Begin a round."""
        self.rounds += 1
        self.why = "no answer"
        self._answers.clear()

    def request(self, index, out, now_ms):
        """Write the request for one server into out[0:48]."""
        self._nonce = bytes([self._random(256) for _ in range(8)])
        self._asked = now_ms
        sntp.make_request(out, self._nonce)

    def answered(self, data, length, now_ms):
        """Take what came for the last request; tell whether it is believable on its own."""
        trip = ticks_diff(now_ms, self._asked)
        try:
            if trip > ANSWER_MS:
                raise sntp.NotBelieved("answer after %d ms" % trip)
            wall_ms = sntp.read_answer(data, length, self._nonce)
        except sntp.NotBelieved as error:
            self.refused += 1
            self.why = str(error)
            return False
        self._answers.append((wall_ms + trip // 2, now_ms))
        return True

    def failed(self, why):
        """Say that the last request has no answer."""
        self.why = why

    def finish(self, clock, now_ms):
        """End the round: return the wall time at now_ms, or None and say why."""
        wall_ms = self._judge(clock, now_ms)
        if wall_ms is None:
            self._due = ticks_add(now_ms, _BASE_MS + self._backoff.wait_ms())
            return None
        self.why = ""
        self._backoff.failures = 0
        # Spread over a quarter: a fleet that started together does not ask together.
        self._due = ticks_add(now_ms, _AGAIN_MS - self._random(_AGAIN_MS // 4))
        return wall_ms

    def _judge(self, clock, now_ms):
        answers = [wall + ticks_diff(now_ms, at) for wall, at in self._answers]
        wall_ms = sntp.agree(answers, len(self.servers))
        if wall_ms is None:
            if answers:
                self.refused += 1
                self.why = "%d answers of %d servers, no two agree" % (
                    len(answers),
                    len(self.servers),
                )
            return None
        if not clock.floor_ms <= wall_ms < CEILING_MS:
            self.refused += 1
            self.why = "%d ms is before this program was built, or after 2099" % wall_ms
            return None
        known_ms, state = clock.wall_ms_at(now_ms)
        if state != UPTIME_ONLY and clock.source == SOURCE and abs(wall_ms - known_ms) > _JUMP_MS:
            self.refused += 1
            self.why = "a jump of %d s" % ((wall_ms - known_ms) // 1000)
            return None
        return wall_ms
