"""DNS packets: ask for the IPv4 addresses of a name, read what a server answers (RFC 1035).

Not here: the socket (firmware/net.py), whom to ask and for how long an answer holds
(agent/names.py). Nothing is cached, nothing is followed to another server.

    length = make_query(out, "broker.example", 0x1234)
    addresses, ttl_s = read_answer(data, length, "broker.example", 0x1234)

     0 1   2 3   4 5     6 7     8 9     10 11   12 ..
    | id  |flags|QDCOUNT|ANCOUNT|NSCOUNT|ARCOUNT| name, type, class | records ...     (4.1.1)
"""

from struct import pack_into

from micropython import const

PACKET_BYTES = const(512)  # 2.3.4: the most that UDP carries
NAME_MAX = const(253)
_HEAD = const(12)
_A = const(1)
_CNAME = const(5)
_IN = const(1)
_ALIASES_MAX = const(8)
_FAILURES = ("", "format error", "server failure", "no such name", "not implemented", "refused")


class Foreign(Exception):
    """The packet is no answer to this question: go on listening."""


class NoAddress(Exception):
    """The server answers that it has none, and why: ask another one."""


def make_query(out, name, number):
    """Write the question for name into out, recursion desired; return its length.

    number: 0 .. 65535, random. Raises ValueError when the name is none.
    """
    pack_into(">HHHHHH", out, 0, number, 0x0100, 1, 0, 0, 0)
    at = _HEAD
    for label in _labels(name):
        out[at] = len(label)
        out[at + 1 : at + 1 + len(label)] = label
        at += 1 + len(label)
    out[at] = 0
    pack_into(">HH", out, at + 1, _A, _IN)
    return at + 5


def _labels(name):
    name = name.encode()
    if name.endswith(b"."):
        name = name[:-1]
    labels = name.split(b".")
    if len(name) > NAME_MAX or [n for n in labels if not 1 <= len(n) <= 63]:
        raise ValueError("%s is no host name" % name.decode())
    return labels


def read_answer(data, length, name, number):
    """Return (addresses as texts, ttl_s). Raises Foreign or NoAddress."""
    try:
        return _read(data, length, name, number)
    except (IndexError, ValueError):  # a pointer or a record past the end
        raise Foreign("damaged")


def _read(data, length, name, number):
    if length < _HEAD:
        raise Foreign("%d bytes" % length)
    data = bytes(memoryview(data)[:length])
    flags = _two(data, 2)
    if _two(data, 0) != number or flags >> 11 != 0x10 or _two(data, 4) != 1:
        raise Foreign("not the answer")
    wanted = b".".join(_labels(name)).lower()
    asked, at = _name(data, _HEAD)
    if asked != wanted or _two(data, at) != _A or _two(data, at + 2) != _IN:
        raise Foreign("another question")
    failure = flags & 15
    if failure:
        known = failure < len(_FAILURES)
        raise NoAddress(_FAILURES[failure] if known else "code %d" % failure)
    return _addresses(data, at + 4, _two(data, 6), wanted)


def _two(data, at):
    return data[at] << 8 | data[at + 1]


def _addresses(data, at, answers, wanted):
    """Collect the addresses of wanted, through its aliases, whatever their order."""
    records = []
    for _ in range(answers):
        owner, at = _name(data, at)
        kind = _two(data, at)
        ttl_s = _two(data, at + 4) << 16 | _two(data, at + 6)
        size = _two(data, at + 8)
        if at + 10 + size > len(data):
            raise ValueError("record of %d" % size)
        at += 10
        if _two(data, at - 8) == _IN and kind in (_A, _CNAME):
            records.append((owner, kind, ttl_s, at, size))
        at += size
    ttl_least = 0x7FFFFFFF
    for _ in range(_ALIASES_MAX):
        addresses = []
        alias = None
        for owner, kind, ttl_s, start, size in records:
            if owner != wanted:
                continue
            ttl_least = min(ttl_least, ttl_s)
            if kind == _CNAME:
                alias = _name(data, start)[0]
            elif size == 4:
                addresses.append("%d.%d.%d.%d" % tuple(data[start : start + 4]))
        if addresses:
            return addresses, ttl_least
        if alias is None:
            break
        wanted = alias
    raise NoAddress("no IPv4 address")


def _name(data, at):
    """Return (name in lower case, index after it); pointers lead backwards only (4.1.4)."""
    labels = []
    after = None
    size = 0
    before = at
    while True:
        count = data[at]
        if count >= 0xC0:
            target = (count & 0x3F) << 8 | data[at + 1]
            if after is None:
                after = at + 2
            if target >= before:
                raise ValueError("pointer forwards")
            at = before = target
            continue
        at += 1
        if not count:
            break
        size += count + 1
        if count > 63 or size > NAME_MAX + 1 or at + count > len(data):
            raise ValueError("label of %d" % count)
        labels.append(data[at : at + count].lower())
        at += count
    return b".".join(labels), at if after is None else after
