"""What boot.py runs: build the gateway (build.py), drop what built it, let it live (loop.py)."""

import gc
import sys


def start(platform, slot, state):
    """Build the gateway of the configuration in force and run it. Returns when it cannot be built.

    platform: what boot.py runs on, with its root. slot: where this firmware is, "" when it is
    frozen into the image. state: boot.py's, as read_state() returns it.
    """
    built = _built(platform, slot, state)
    if built is None:
        return
    if getattr(platform, "rest", None):  # a boot.py of old has none
        platform.rest()
    gc.collect()
    # boot.py's is for loading, and dear for what runs. What is kept lies behind so much garbage at
    # most: with a quarter the longest free stretch was now and then 9 KB shorter.
    gc.threshold(gc.mem_free() // 8)
    live(built[0], built[1])


def live(app, hal):
    """Run for ever. Loaded only now: its code fills what building has left free."""
    from firmware import loop

    loop.run(app, hal)


def _built(platform, slot, state):
    """Return what build.py does, and drop it, 3 KB.

    A function of its own: the frame of start() never ends, and what was once in a frame lives on
    in it, whether or not anything still names it.
    """
    from firmware.build import build

    sys.modules.pop("firmware.build", None)
    if hasattr(sys.modules["firmware"], "build"):
        del sys.modules["firmware"].build
    return build(platform, slot, state)


def draws(hal):
    """Return a function that draws 32 random bits."""
    return lambda: hal.random(1 << 32)


def pairs_of(root, slot, state):
    """Return the firmware's Slots and the Settings. Imported here: nobody else holds them."""
    from agent.settings import Settings
    from agent.slots import Slots

    return Slots(root, slot, state), Settings(root)


def _upgrade(app, root, slot, state, files):
    """Make what changes firmware and configuration: 13 KB that a gateway at rest saves."""
    from agent.upgrade import Upgrade

    slots, settings = pairs_of(root, slot, state)
    settings.look()
    settings.running = settings.state[0]
    return Upgrade(app, slots, bytes.fromhex(app.config["uplink"]["key"]), files, settings)


def upgrades(app, root, slot, state, files):
    """Return a function that makes what changes firmware and configuration."""
    return lambda: _upgrade(app, root, slot, state, files)
