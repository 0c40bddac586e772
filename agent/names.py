"""Addresses of hosts: whom to ask, how long to wait, how long an answer holds.

Not here: packets (agent/dns.py) and the socket (firmware/net.py), which sends, listens and goes
on serving the buses meanwhile. (`getaddrinfo` waits inside C on every port, for seconds when the
name server is gone: it is only ever given numbers.)

An address holds for its time to live, a minute at least and a day at most. One that did not
serve gives way to the host's next one; after the last the host is looked up anew. While no
server answers, the last known address serves on (RFC 8767).

    names = Names(random, ["192.0.2.53"])
    address = names.find("broker.example", now_ms)        # None: look it up
    lookup = names.begin("broker.example")
    length = lookup.request(out)                          # for lookup.server, 0: nobody is left
    lookup.answered(data, length, now_ms)                 # True: it has ended
    address = lookup.address()                            # OSError says why there is none
    names.failed("broker.example")                        # it did not serve
"""

from micropython import const

from agent import dns
from drivers.ticks import ticks_add, ticks_diff

ROUNDS = const(2)
_WAIT_MS = const(2000)  # the first round; the second waits twice as long
_LEAST_S = const(60)
_MOST_S = const(86400)


def is_numeric(host):
    """Tell whether this is an IPv4 address."""
    parts = host.split(".")
    return len(parts) == 4 and all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


class Names:
    """The cache of one gateway; as many entries as its configuration has hosts.

    servers  texts "address" or "address:port", asked in this order; given: is_fixed, they are
             the configuration's, else those of the network that is up
    random   random(n): int in [0, n)
    """

    def __init__(self, random, servers=()):
        self.random = random
        self.servers = servers
        self.is_fixed = bool(servers)
        self._known: dict = {}  # host: [addresses, tick of their end or None, how many to try]
        self.spend = lambda count: None  # told the bytes of each datagram, time's too
        self.lookups = 0
        self.failures = 0

    def find(self, host, now_ms):
        """Return the host's address, None when it has to be looked up."""
        if is_numeric(host):
            return host
        if host == "localhost":  # RFC 6761, 6.3: never asked for
            return "127.0.0.1"
        entry = self._known.get(host)
        if entry is None or entry[1] is None or ticks_diff(entry[1], now_ms) <= 0:
            return None
        return entry[0][0]

    def begin(self, host):
        """Return a Lookup of the host."""
        self.lookups += 1
        return Lookup(self, host)

    def failed(self, host):
        """Say that the host's address did not serve: the next find() gives another one."""
        entry = self._known.get(host)
        if entry is None:
            return
        entry[0].append(entry[0].pop(0))
        entry[2] -= 1
        if entry[2] <= 0:
            entry[1] = None

    def keep(self, host, addresses, ttl_s, now_ms):
        """Take what a look-up found."""
        hold_s = min(max(ttl_s, _LEAST_S), _MOST_S)
        self._known[host] = [addresses, ticks_add(now_ms, hold_s * 1000), len(addresses)]

    def last(self, host):
        """Return the last known address, however old, or None."""
        entry = self._known.get(host)
        return entry[0][0] if entry else None


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
