"""What to do with readings (README.md)."""

import sys


def forget(*names):
    """Drop modules of ours that were needed once: their RAM is free when nobody holds them."""
    for name in names:
        sys.modules.pop("agent." + name, None)
        package = sys.modules["agent"]
        if hasattr(package, name):
            delattr(package, name)
