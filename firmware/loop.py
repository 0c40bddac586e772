"""The asyncio file: a task per port, one for the uplink, one for time, one for housekeeping.

It moves bytes and nothing else: what they mean is decided in agent/. A task that fails is
recorded, counted and started again; the others go on. One that stands still is started anew;
when that does not help, a port rests for a growing time, and for the rest the watchdog is fed no
more (agent/watch.py, agent/health.py).
"""

import asyncio
import gc

from agent.health import BOARD, INTERFACE, Health, has_room
from agent.names import Names
from agent.watch import Watch
from drivers.ticks import ticks_add
from firmware import carrier
from firmware.link import Link

_REOPEN_MS = 2000
_FEED_MS = 500
_WATCHDOG_MS = 8000
_LATE_MS = 5000  # a restart that is due and does not happen
_ROOM_BYTES = 12288  # a TLS handshake's largest piece


def run(app, hal):
    """Run for ever."""
    asyncio.run(_main(app, hal))


async def _main(app, hal):
    names = Names(hal.random, app.config["network"]["dns"])
    if app.uplink.budget:
        names.spend = app.uplink.budget.spend_datagram
    link = Link(app, hal)
    rows: list = []  # name, function, arguments; those of the watched parts first
    for i, bus in enumerate(app.buses):
        port = app.config["ports"][i]
        rows.append((port["name"], _port, (bus, port, names, hal)))
    rows.append(("uplink", carrier.run, (app, hal, names, link)))
    rows.append(("app", _house, (app, hal, link)))
    rows.append(("net", link.keep, ()))
    if app.timekeeper and (not app.sleep or app.sleep.uplinks):
        from firmware import timekeeping

        rows.append(("time", timekeeping.keep_time, (app, hal, names)))
    watch = Watch(app.buses + [app.uplink, app], hal.ticks_ms(), len(app.buses))
    app.health = Health(app.journal, app.config["uplink"]["dead_h"], _has_room)
    feed = hal.start_watchdog(_WATCHDOG_MS)
    tasks = [asyncio.create_task(_forever(app, hal, watch, i, rows)) for i in range(len(rows))]

    def renew(index, rest_ms=0):
        """Start a task anew, after a rest."""
        tasks[index].cancel()
        tasks[index] = asyncio.create_task(_forever(app, hal, watch, index, rows, rest_ms))

    while True:
        now_ms = hal.ticks_ms()
        try:
            app.clock.tick(now_ms)  # also when the App's own task cannot
            _look(app, hal, watch, rows, renew, feed)
        except MemoryError:
            gc.collect()
            app.health.starved()
        if app.orders.is_restart_due(ticks_add(now_ms, -_LATE_MS)):
            _end(app, hal)  # the App's task should have done it: it is what is ill
        await asyncio.sleep_ms(_FEED_MS)


def _look(app, hal, watch, rows, renew, feed):
    """Let watch and health find what is ill; do what they say; feed the watchdog."""
    uplink = len(app.buses)  # the row of the uplink's task; the interface's is two further on
    stuck = watch.step(hal.ticks_ms())
    if stuck is not None:
        name = rows[stuck][0]
        if watch.rest_ms:
            _note_rest(app, watch, rows, stuck, "stands still", watch.rest_ms)
        else:
            app.log.error("loop", "%s stands still: started anew", name)
            app.note_event("cure", "task: %s stands still" % name)
            app.health.failed(app.clock.uptime_ms // 1000, stuck < uplink)
        if stuck == uplink:
            app.uplink.closed(hal.ticks_ms(), "it stood still")
        renew(stuck, watch.rest_ms)
    if watch.may_feed:
        if feed:
            feed()
        app.health.resting = [rows[i][0] for i in range(uplink) if watch.is_resting(i)]
        cure, why = app.health.step(app.clock.uptime_ms // 1000)
        if cure == BOARD:
            app.orders.restart(hal.ticks_ms())
        elif cure:
            app.uplink.closed(hal.ticks_ms(), why)
            renew(uplink)
            if cure == INTERFACE:
                renew(uplink + 2)
        if cure:
            app.log.error("health", "%s: the %s is started anew", why, cure)
            app.note_event("cure", "%s: %s" % (cure, why))
        app.words.step(app.clock.uptime_ms // 1000)
    elif not watch.is_told:
        watch.is_told = True
        app.words.keep("a part stands still: the watchdog will bite")


def _note_rest(app, watch, rows, index, what, rest_ms):
    """Say that a port rests."""
    name = rows[index][0]
    app.health.counts["port"] += 1
    app.log.error("loop", "%s %s: it rests for %d s", name, what, rest_ms // 1000)
    app.note_event("cure", "port: %s %s, it rests for %d s" % (name, what, rest_ms // 1000))


def _end(app, hal):
    """Keep what can be kept, and restart."""
    try:
        app.words.keep("restart")
        app.journal.sync()
    except (MemoryError, OSError):
        pass  # a restart is what helps
    hal.reset()


def _has_room():
    return has_room(_ROOM_BYTES)


async def _forever(app, hal, watch, index, rows, rest_ms=0):
    """Run a task, and again when it ends; a port that keeps failing rests in between."""
    name, task, args = rows[index]
    is_port = index < len(app.buses)
    while True:
        while rest_ms > 0:  # who waits for the port is told at once that there is none
            args[0].failed("it rests", hal.ticks_ms())
            await asyncio.sleep_ms(min(rest_ms, _REOPEN_MS))
            rest_ms -= _REOPEN_MS
        try:
            await task(*args)
        except MemoryError:
            gc.collect()
            app.health.starved()
        except Exception as error:
            why = "%s: %s" % (type(error).__name__, error)
            app.log.error("loop", "%s: %s", name, why)
            app.health.failed(app.clock.uptime_ms // 1000, is_port)
            if is_port:
                rest_ms = watch.failed(index, hal.ticks_ms())
                if rest_ms:
                    _note_rest(app, watch, rows, index, why, rest_ms)
        await asyncio.sleep_ms(_REOPEN_MS)


_PACE_MS = {"uart": 2, "tcp": 5, "pins": 20}  # how often a port is looked at, at the least


async def _open(port, names, hal):
    """Return the wire of a port; raises OSError."""
    kind = port["kind"]
    if kind == "tcp":
        from firmware.tcp_port import open_wire  # most gateways have none

        return await open_wire(names, hal, port)
    return hal.open_uart(port["uart"]) if kind == "uart" else hal.open_pins(port["pins"])


async def _port(bus, port, names, hal):
    """Carry the bytes of one port until it fails."""
    what = port["host" if port["kind"] == "tcp" else port["kind"]]
    pace_ms = _PACE_MS[port["kind"]]
    try:
        uart = await _open(port, names, hal)
    except OSError as error:
        bus.failed("%s cannot be opened: %s" % (what, error), hal.ticks_ms())
        bus.up = False
        await asyncio.sleep_ms(_REOPEN_MS)
        return
    line = bus.line
    uart.configure(line)
    bus.opened(hal.ticks_ms())
    try:
        while True:
            # Bytes before time: what arrived while another task ran is no silence.
            count = uart.readinto(bus.rx)
            if count:
                bus.received(count, hal.ticks_ms(), hal.ticks_us())
                continue
            wait_us = bus.step(hal.ticks_ms(), hal.ticks_us())
            if bus.line != line:
                line = bus.line
                uart.configure(line)
            if bus.send_count:
                uart.write(bus.tx, bus.send_count)
                left_us = uart.sending()
                while left_us:
                    await asyncio.sleep_ms(max(left_us // 1000, 1))
                    left_us = uart.sending()
                bus.sent(hal.ticks_ms(), hal.ticks_us())
                continue
            # Inputs are stamped by interrupts, so looking at them may take its time.
            # A sleep of 1 ms may take 2, and the silence of a fast line is 1.75 to 2.0 ms: such a
            # wait only lets the other tasks in.
            wait_ms = wait_us // 1000 if wait_us >= 2500 else 0
            await asyncio.sleep_ms(min(wait_ms, pace_ms))
    except OSError as error:
        bus.failed("port failed: %s" % error, hal.ticks_ms())
    finally:
        if port["kind"] == "tcp":
            uart.close()


async def _house(app, hal, link):
    led = getattr(hal, "led", None)  # led(on): boards without one have no such function
    app.orders.has_led = led is not None
    if led:
        from agent.lamp import Lamp

        lamp = Lamp(app, link)
    while True:
        now_ms = hal.ticks_ms()
        wait = app.step(now_ms)
        if led:
            led(lamp.step(now_ms))
        if app.orders.is_restart_due(now_ms):
            app.words.keep("restart")
            app.save(now_ms)
            app.journal.sync()
            hal.reset()
        sleep_ms = app.sleep.step(app, now_ms) if app.sleep else 0
        if sleep_ms:
            link.switch_off()
            hal.sleep(sleep_ms)
        await asyncio.sleep_ms(min(max(wait, 5), 50))
