"""How long to wait before the next attempt: full jitter.

    wait = random(0, min(cap, base * 2 ** failures))

Not here: the attempts. After a broker restart a fleet that waits fixed times comes back in
waves; full jitter spreads it evenly (Brooker, "Exponential Backoff And Jitter", AWS
Architecture Blog, 2015). Failures are forgotten only after a session that was stable, so that a
broker which accepts and drops is not hammered.
"""

from micropython import const

BASE_MS = const(1000)
CAP_MS = const(300000)
STABLE_MS = const(60000)


class Backoff:
    """Counts failures in a row. random(n) returns 0 .. n - 1."""

    def __init__(self, random, base_ms=BASE_MS, cap_ms=CAP_MS, stable_ms=STABLE_MS):
        self._random = random
        self._base_ms = base_ms
        self._cap_ms = cap_ms
        self._stable_ms = stable_ms
        self.failures = 0

    def ended(self, lasted_ms):
        """Say that a session ended after lasted_ms: a stable one forgets earlier failures."""
        if lasted_ms >= self._stable_ms:
            self.failures = 0

    def wait_ms(self, hopeless=False):
        """Count one failure; return how long to wait. `hopeless`: only a person can help."""
        limit = self._cap_ms
        if not hopeless and self.failures < 20:
            limit = min(limit, self._base_ms << self.failures)
        self.failures += 1
        return self._random(limit + 1)
