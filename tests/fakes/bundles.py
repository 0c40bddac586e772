"""Two small firmwares as bundles, unsigned: signatures are in tests/vectors/release.py."""

from hashlib import sha256
from struct import pack

from tests.fakes.nor_flash import Noise

KEY = bytes(range(32))


def make_bundle(files, counter=2, boards=b"host", version=b"2.0"):
    """Return an unsigned bundle; signatures are for tests/host, where keys can be made."""
    names = hashes = content = b""
    for path, data in files:
        names += path + b" %d %d\n" % (len(data), len(content))
        hashes += sha256(data).digest()
        content += data
    listing = names + hashes
    head = b"eclor\x00\x00\x01" + pack(">III", counter, len(listing), len(content))
    head += sha256(listing).digest() + sha256(listing + content).digest()
    head += pack(">I", len(names)) + version + bytes(24 - len(version))
    head += boards + bytes(80 - len(boards))
    return head + bytes(768) + listing + content


NOISE = Noise(3)
SAME = NOISE.take(5000)
OLD = make_bundle(((b"agent/a.mpy", SAME), (b"agent/b.mpy", b"old" * 700)), 1)
NEW_FILES = ((b"agent/a.mpy", SAME), (b"agent/b.mpy", b"new" * 3000), (b"z.mpy", b""))
NEW = make_bundle(NEW_FILES)
