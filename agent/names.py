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

from drivers.ticks import ticks_add, ticks_diff

_LEAST_S = const(60)
_MOST_S = const(86400)


def is_numeric(host):
    """Tell whether this is an IPv4 address."""
    parts = host.split(".")
    return len(parts) == 4 and all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


def split_server(text, default=123):
    """Return (host, port) of "host" or "host:port". Raises ValueError."""
    host, _, port = text.partition(":")
    number = int(port) if port else default
    if not host or not 1 <= number <= 65535:
        raise ValueError("%s is not host or host:port" % text)
    return host, number


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
        from agent.lookup import Lookup  # RAM that nobody needs between two lookups

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
