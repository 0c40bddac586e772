"""The one stand-in for MicroPython's `micropython` module, so that device code runs on CPython.

`const` is the identity, `native` does nothing, and the heap lock is a no-op: allocation is only
ever judged on MicroPython. There is no `viper`: such code addresses memory, so its module has a
plain twin, which is taken where importing it fails.
"""


def const(value):
    """Return value; on the device the compiler folds it."""
    return value


def native(function):
    """Return function unchanged."""
    return function


def heap_lock():
    """Do nothing."""


def heap_unlock():
    """Do nothing; zero locks are left."""
    return 0
