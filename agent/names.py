"""Addresses of hosts, looked up as rarely as can be, because a look-up blocks everything.

Not here: the look-up itself (the transport passes it in). `getaddrinfo` waits inside C on every
port, for seconds when the name server is gone, and no bus is served meanwhile. So an address
that works is never looked up again; one that failed is looked up once, at the next attempt, which
the back-off spaces; and while the name server is silent the last known address serves on.

    names = Names(lookup)                       # lookup(host, port, kind) -> address, OSError
    address = names.find("broker.example", 1883, 1)
    names.failed("broker.example", 1883, 1)     # it did not answer: look again next time
"""


class Names:
    """One per gateway; as many entries as the configuration has hosts."""

    def __init__(self, lookup):
        self._lookup = lookup
        self._known = {}
        self._stale = set()
        self.lookups = 0
        self.failures = 0

    def find(self, host, port, kind):
        """Return the address. Raises OSError when it cannot be had and none was ever known."""
        key = (host, port, kind)
        if key in self._known and key not in self._stale:
            return self._known[key]
        self.lookups += 1
        try:
            self._known[key] = self._lookup(host, port, kind)
        except OSError:
            self.failures += 1
            if key not in self._known:
                raise
        self._stale.discard(key)
        return self._known[key]

    def failed(self, host, port, kind):
        """Say that this address did not serve: the next find() looks it up anew."""
        self._stale.add((host, port, kind))
