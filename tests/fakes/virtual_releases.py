"""Releases of a firmware that says by one word what it does, really signed; and boot.py to run it.

    releases = Releases()
    bundle = releases.make("crash")           # its counter is above all before
    power_on(board, run)                      # firmware/boot.py starts whatever it chooses

A release holds no code: its only file is the word, and whoever runs it behaves so. Everything
else is real: bundle, signature, slots, boot.py's choice and its counting. Portable.
"""

import os
import sys
from hashlib import sha256

from tests.fakes.bundles import make_bundle
from tests.vectors.virtual_release import EXPONENT, PRIMES

# Imported by name: the types of the host know nothing of a board's modules.
firmware = __import__("firmware")
boot = __import__("firmware.boot", None, None, ("boot",))
WELL = "well"
BAD = ("crash", "dies", "hangs", "deaf", "blind", "hog")
_SIGNED = 576
_DB = 351
_STARTS_MAX = 50  # in a row, none of which lives
_made: dict = {}  # (counter, behaves): bundle; the same in every year of a process


class Releases:
    """What was released so far; the first one runs from the start."""

    def __init__(self):
        self.count = 0

    def make(self, behaves):
        """Return the next release, whose only file says how it behaves."""
        self.count += 1
        key = (self.count, behaves)
        if key not in _made:
            files = ((b"behaves", behaves.encode() + b"\n"), (b"same", b"firmware" * 90))
            bundle = make_bundle(files, self.count, version=b"%d.0" % self.count)
            _made[key] = bundle[:_SIGNED] + sign(bundle[:_SIGNED]) + bundle[_SIGNED + 384 :]
        return _made[key]


def sign(data):
    """Return the signature that agent/signature.py checks: RSASSA-PSS (RFC 8017, 9.1.1)."""
    salt = sha256(b"salt" + data).digest()
    digest = sha256(bytes(8) + sha256(data).digest() + salt).digest()
    block = bytearray(bytes(_DB - 33) + b"\x01" + salt)
    for at in range(_DB):
        if at % 32 == 0:
            mask = sha256(digest + (at // 32).to_bytes(4, "big")).digest()
        block[at] ^= mask[at % 32]
    block[0] &= 0x7F
    number = int.from_bytes(bytes(block) + digest + b"\xbc", "big")
    found, modulus = 0, 1  # Garner's way: one prime more at a time
    for prime in PRIMES:
        power = pow(number % prime, _inverse(EXPONENT, prime - 1), prime)
        found += modulus * ((power - found) * _inverse(modulus, prime) % prime)
        modulus *= prime
    return found.to_bytes(384, "big")


def public_key():
    """Return the modulus as a gateway keeps it."""
    modulus = 1
    for prime in PRIMES:
        modulus *= prime
    return modulus.to_bytes(384, "big")


def _inverse(number, modulus):
    """Return the number whose product with number leaves 1, by Euclid."""
    before, here = modulus, number % modulus
    old, new = 0, 1
    while here:
        times = before // here
        before, here = here, before - times * here
        old, new = new, old - times * new
    return old % modulus


def behaviour(root, slot):
    """Return how the release in a slot behaves, as boot.py's own reader finds it."""
    file = boot.Slot(root + "/" + slot).open("/behaves", "rb")
    try:
        return file.readline().decode().strip()
    finally:
        file.close()


class Lives(BaseException):
    """The firmware runs: main.start() of a real board returns no more."""


class Restarts(BaseException):
    """The board resets itself."""


class Stranded(BaseException):
    """boot.py found nothing that it can run, on a gateway alone: safe mode, or no end."""


class Board:
    """A folder as the flash of a board, and what a board does while boot.py runs."""

    rest = None

    def __init__(self, root):
        self.root = root
        make_folder(root)

    def put(self, name, data):
        """Write a file."""
        with open(self.root + "/" + name, "wb") as file:
            file.write(data)

    def close(self):
        """Remove the folder."""
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)

    def arm(self):
        """Watch nothing: who hangs says so."""

    def reset(self):
        """End this start."""
        raise Restarts

    def reset_in(self, minutes):
        """Never: nobody asks for maintenance here."""

    def shine(self, on):
        """Show nothing."""

    def sleep_s(self):
        """Only safe mode waits: with one whole firmware that runs well nobody comes here."""
        raise Stranded


class _Gc:
    threshold = staticmethod(lambda size: None)


class _Vfs:
    @staticmethod
    def mount(what, where):
        """The release holds no code to import."""


class _Main:
    def __init__(self, run):
        self.start = run


def power_on(board, run):
    """Let boot.py start firmware after firmware until one lives.

    run(board, slot, state) raises Lives for that, or what ends the start.
    """
    modules: dict = {"firmware.main": _Main(run), "vfs": _Vfs}
    kept = {name: sys.modules.get(name) for name in modules}
    kept_main = getattr(firmware, "main", None)
    path = list(sys.path)
    sys.modules.update(modules)
    theirs = {"gc": boot.gc, "sys": boot.sys}
    for name, value in (("gc", _Gc), ("sys", _Sys), ("print", _say_nothing)):
        setattr(boot, name, value)
    setattr(firmware, "main", modules["firmware.main"])  # noqa: B010 - not one that types know
    try:
        for _ in range(_STARTS_MAX):
            try:
                boot.start(board)
            except Lives:
                return
            except Restarts:
                pass
        raise Stranded  # starts for ever
    finally:
        del boot.print
        for name, value in theirs.items():
            setattr(boot, name, value)
        sys.path[:] = path
        if kept_main is None:
            del firmware.main
        else:
            setattr(firmware, "main", kept_main)  # noqa: B010 - likewise
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _say_nothing(*texts):
    pass


class _Sys:
    path: list = []
    platform = "virtual"

    @staticmethod
    def print_exception(error):
        """A crash that was wanted."""


def make_folder(path):
    """Make a folder, and those above it, where they are absent."""
    at = 0
    while at >= 0:
        at = path.find("/", at + 1)
        part = path if at < 0 else path[:at]
        try:
            os.mkdir(part)
        except OSError:
            pass  # it is there
