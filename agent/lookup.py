"""One question to the name servers: loaded while it is under way.

Not here: the cache (names.py), packets (dns.py), sockets (firmware/net.py).

    lookup = names.begin(host)
    length = lookup.request(out)        # to lookup.server; 0: nobody is left to ask
    lookup.answered(packet, length, now_ms)
    lookup.address()
"""

from micropython import const

from agent import dns

ROUNDS = const(2)
_WAIT_MS = const(2000)  # the first round; the second waits twice as long


class Lookup:
    """One question, put to each server in turn, twice."""

    def __init__(self, names, host):
        self._names = names
        self._host = host
        self._turn = 0
        self._number = 0
        self._found = None
        self.server = ""
        self.wait_ms = 0
        self.why = "" if names.servers else "no name server is known"

    def request(self, out):
        """Write the next question for `server`; wait for its answer for wait_ms."""
        servers = self._names.servers
        if self._turn >= ROUNDS * len(servers):
            return 0
        self.server = servers[self._turn % len(servers)]
        self.wait_ms = _WAIT_MS << self._turn // len(servers)
        self._turn += 1
        self._number = self._names.random(65536)
        try:
            return dns.make_query(out, self._host, self._number)
        except ValueError as error:
            self.why = str(error)
            return 0

    def answered(self, data, length, now_ms):
        """Take a packet; tell whether it ends the wait, with addresses or with a no."""
        try:
            addresses, ttl_s = dns.read_answer(data, length, self._host, self._number)
        except dns.Foreign:
            return False
        except dns.NoAddress as error:
            self.why = str(error)
            return True
        self._names.keep(self._host, addresses, ttl_s, now_ms)
        self._found = addresses[0]
        self._turn = 255 * ROUNDS
        return True

    def failed(self, why):
        """Say that the server did not answer."""
        self.why = why

    def address(self):
        """Return the address: found now, or the last known. Raises OSError when there is none."""
        if self._found:
            return self._found
        self._names.failures += 1
        known = self._names.last(self._host)
        if known is None:
            raise OSError("no address of %s: %s" % (self._host, self.why))
        return known
