"""The composition root: board + config + hal -> App. Dropped when the App is built.

Nothing here may be held by what lives on: a function that is, holds the whole module. So what the
App keeps to call later, is in main.py.

    app, hal = build(platform, "a", state)
"""

import gc
import sys

from agent import forget
from agent import log as log_
from agent.app import App
from agent.clock import Clock
from agent.journal import Journal
from agent.last_words import LastWords
from agent.log import Log
from agent.store import Files
from firmware import hal as hal_
from firmware.main import draws, pairs_of, upgrades

VERSION = "0.1.0"
_WAIT_S = 3600
_SAY_S = 10
_LOG_LINES = 16


def build(platform, slot, state):
    """Return (App, Hal); None when there is no gateway to run: all was said.

    platform, slot, state: as firmware/main.start() has them.
    """
    log = Log(_LOG_LINES, sink=print)
    root = platform.root
    config, version, pairs = _chosen(platform, slot, state, log)
    if config is None:
        return None
    board = __import__("boards." + config["board"], None, None, ("BOARD",)).BOARD
    if board["led"] is not None:
        _leave_led(root, str(board["led"]))
    forget("settings", "slots")  # 13 KB, before what stays is put in their place
    gc.collect()
    log.level = log_.LEVELS[config["log"]["level"]]
    hal = hal_.make(platform, board)
    clock = Clock(boot=hal.random(1 << 32))
    if not clock.remembered_ms:
        clock.remembered_ms = image_day_ms(sys.version)
    now_ms = hal.ticks_ms()
    clock.tick(now_ms)
    small = board["flash"]["small"]
    files = Files(root + "/state", small=small, remount=hal.remount)
    sleep = None
    if config["power"]["sleep"]:
        from agent.sleep import Sleep

        sleep = Sleep(config["power"], files, hal.cause, hal.drift_ppm, hal.longest_sleep_ms)
        sleep.wake(clock, hal.start_ms)
    ground, size = _journal_ground(hal, board["flash"], config["journal"]["size_kb"] * 1024, log)
    journal = Journal(ground, draws(hal), size)
    identity = {
        "gateway": config["gateway"],
        "site": config["site"],
        "board": config["board"],
        "version": version,
        "slot": slot,
        "runtime": hal.runtime,
        "boot": clock.boot,
    }
    try:
        stall = (board["fifo"], board["flash"]["erase_ms"])
        app = App(config, journal, clock, identity, hal.random, log, hal.heap, files, stall)
    except ValueError as error:
        log.error("config", "%s", error)
        if pairs and pairs[1].is_on_trial:
            pairs[1].roll_back(str(error))
            platform.reset()
        return None
    _load_rest(app, hal, config, files)
    app.make_upgrade = upgrades(app, root, slot, state, files)
    if pairs:
        from agent.upgrade import Upgrade

        key = bytes.fromhex(config["uplink"]["key"])
        app.upgrade = Upgrade(app, pairs[0], key, files, pairs[1])
        forget("settings", "slots", "upgrade")
    app.sleep = sleep  # type: ignore[assignment]
    wall_ms = hal.wall_ms()
    if app.floor.trusts(wall_ms):
        clock.set_wall(wall_ms, now_ms, "board")
    app.start(now_ms, hal.cause)
    words = LastWords(log, files, getattr(hal, "memory", None))
    words.tell(app.note_event)
    app.words = words  # type: ignore[assignment]
    return app, hal


def image_day_ms(version):
    """Return the day that a runtime says it was built on, in ms since 1970; 0: it says none.

    Of a firmware that is frozen in it is the day of the build, which a bundle is given.
    version: sys.version, such as "3.4.0; MicroPython v1.28.0 on 2026-11-28"
    """
    from drivers.civil import days

    try:
        year, month, day = [int(part) for part in version.split(" on ")[-1].split("-")]
    except ValueError:
        return 0
    return days(year, month, day) * 86400000


def _chosen(platform, slot, state, log):
    """Return (config, version, pairs): None for a config: there is none to run, all was said.

    pairs: (Slots, Settings) where there is news of them, else None.
    """
    slots, settings = pairs_of(platform.root, slot, state)
    config = _configured(settings, log)
    if config is None and (not slot or state[1] != slot):
        _wait(platform, log, settings.why)  # else boot.py counts it: the firmware may be to blame
    has_news = _has_news(slots) or _has_news(settings)
    return config, slots.version() or VERSION, (slots, settings) if has_news else None


def _has_news(pair):
    """Tell whether there is something to say, to try or to fetch."""
    return bool(pair.state[5] or pair.is_on_trial or pair.state[3] or pair.is_newer)


def _configured(settings, log):
    """Return the configuration to run, None when there is none; a bad one on trial is left."""
    for _ in range(2):
        tree = settings.choose()
        if tree is None:
            return None
        config, problems = _validated(tree)
        for problem in problems:
            log.error("config", "%s", problem)
        if not problems:
            return config
        settings.why = problems[0]
        if not settings.is_on_trial:
            return None
        settings.roll_back(problems[0])
    return None


def _wait(platform, log, why):
    """Say for an hour what is missing, then start anew. The network is not touched."""
    for second in range(_WAIT_S):
        if second % _SAY_S == 0:
            log.error("main", "not provisioned: %s. It keeps off the network: eclor deploy", why)
        if getattr(platform, "shine", None):  # a boot.py of old has none
            platform.shine(1 - second % 2)  # agent/lamp.py
        platform.sleep_s()
    platform.reset()


def _load_rest(app, hal, config, files):
    """Give the App what only some gateways need: time servers, a supply to watch, a count."""
    app.uplink.on_offer = app.orders.offered
    if config["clock"]["ntp"]:
        from agent.timekeeper import Timekeeper

        app.timekeeper = Timekeeper(config["clock"]["ntp"], hal.random)
    low_mv = config["power"]["low_mv"]
    read_mv = getattr(hal, "supply_mv", None)
    if low_mv and read_mv:
        from agent.supply import Supply

        app.supply = Supply(read_mv, low_mv)
    if hal.cause == "brownout":
        from agent.supply import count_brownouts

        app.brownouts = count_brownouts(files)


def _leave_led(root, led):
    """Leave the LED's pin where boot.py finds it. Imported here: nobody else holds it."""
    from agent.slots import leave_led

    leave_led(root, led)


def _validated(tree):
    """Return (config, problems); the rules, 14 KB of RAM, are needed once and dropped."""
    from agent.config import validate

    found = validate(tree)
    forget("config")
    return found


def _journal_ground(hal, flash, size, log):
    """Return the journal's ground and what it may fill there: the board's file says which."""
    if "journal" in [region[0] for region in flash["regions"]]:
        from agent.ring import Ring

        try:
            ring = Ring(hal.open_journal(), flash["program"])
            return ring, min(size, ring.room * ring.segment_size)
        except OSError as error:
            log.error("main", "the image has no journal region (%s): it is in files", error)
    root = hal.root + "/journal"
    return Files(root, flash["segment"], flash["small"], hal.remount, flash["program"]), size
