"""Choose the slot and start it. Short, and never updated over the air.

/slot holds one letter, the directory of the firmware: "a" when the file is absent or unreadable.
"""

import sys


def slot_of(root):
    """Return the directory of the active slot."""
    try:
        with open(root + "/slot") as file:
            letter = file.read(1)
    except OSError:
        letter = "a"
    return root + "/" + (letter if letter in ("a", "b") else "a")


def start(hal):
    """Put the slot first on the path and run its firmware/main. Does not return."""
    sys.path.insert(0, slot_of(hal.root))
    import firmware.main

    firmware.main.run(hal)
