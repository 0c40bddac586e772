"""The asyncio file: a task per port, one for the uplink, one for time, one for housekeeping.

It moves bytes and nothing else: what they mean is decided in agent/. A task that fails is
recorded, counted and started again; the others go on.
"""

import asyncio
import socket

from agent.names import Names
from agent.session import CLOSE, OPEN
from firmware import net
from firmware.link import Link

_REOPEN_MS = 2000
_NO_LINK_MS = 200


def run(app, hal):
    """Run for ever."""
    asyncio.run(_main(app, hal))


async def _main(app, hal):
    tasks = []
    for i, bus in enumerate(app.buses):
        port = app.config["ports"][i]
        tasks.append(asyncio.create_task(_forever(app, port["name"], _port, bus, port, app, hal)))
    names = Names(hal.random, app.config["network"]["dns"])
    link = Link(app, hal)
    tasks.append(asyncio.create_task(_forever(app, "net", link.keep)))
    tasks.append(asyncio.create_task(_forever(app, "uplink", _uplink, app, hal, names, link)))
    tasks.append(asyncio.create_task(_forever(app, "time", net.keep_time, app, hal, names)))
    tasks.append(asyncio.create_task(_forever(app, "app", _house, app, hal)))
    for task in tasks:
        await task


async def _forever(app, name, task, *args):
    while True:
        try:
            await task(*args)
        except Exception as error:
            app.log.error("loop", "%s: %s: %s", name, type(error).__name__, error)
        await asyncio.sleep_ms(_REOPEN_MS)


async def _port(bus, port, app, hal):
    """Carry the bytes of one port until it fails."""
    is_uart = port["kind"] == "uart"
    try:
        uart = hal.open_uart(port["uart"]) if is_uart else hal.open_pins(port["pins"])
    except OSError as error:
        bus.failed("%s cannot be opened: %s" % (port["name"], error), hal.ticks_ms())
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
            await asyncio.sleep_ms(min(max(wait_us // 1000, 1), 2 if is_uart else 20))
    except OSError as error:
        bus.failed("port failed: %s" % error, hal.ticks_ms())


async def _uplink(app, hal, names, link):
    """Carry the bytes of the uplink: one connection after the other."""
    uplink = app.uplink
    settings = app.config["uplink"]

    def goes_on():
        uplink.step(hal.ticks_ms())
        return uplink.action != CLOSE

    while True:
        if not link.is_up:  # no attempt, so that the pauses between them do not grow
            await asyncio.sleep_ms(_NO_LINK_MS)
            continue
        wait_ms = uplink.step(hal.ticks_ms())
        if uplink.action != OPEN:
            await asyncio.sleep_ms(min(max(wait_ms or 10, 10), 500))
            continue
        sock = None
        try:
            sock = await net.connect(names, hal, settings["host"], settings["port"], goes_on)
            _no_delay(sock)
            if settings["tls"]:
                sock = net.secure(sock, settings)
            uplink.opened(hal.ticks_ms())
            await _session(sock, uplink, hal)
            why = "closed"
        except OSError as error:
            why = str(error)
        except ValueError as error:  # so TLS says that a certificate is refused
            why = "certificate refused: %s" % error
        if sock:
            sock.close()
        uplink.closed(hal.ticks_ms(), why)
        app.log.info("uplink", "%s", uplink.why or why)


def _no_delay(sock):
    """Switch Nagle off where the port can: two writes would cost 44 ms each."""
    try:
        sock.setsockopt(getattr(socket, "IPPROTO_TCP", 6), 1, 1)
    except (OSError, AttributeError):
        pass


async def _session(sock, uplink, hal):
    buffer = bytearray(512)
    while True:
        busy = False
        uplink.step(hal.ticks_ms())
        if uplink.action == CLOSE:
            return
        length = uplink.output()
        while length:
            busy = True
            if not await _write(sock, memoryview(uplink.out)[:length], uplink, hal):
                return
            uplink.sent(hal.ticks_ms())
            length = uplink.output()
        try:
            count = sock.readinto(buffer)
        except OSError as error:
            if error.errno not in net.IN_PROGRESS:
                raise
            count = None
        if count == 0:
            return
        if count:
            busy = True
            uplink.received(buffer, 0, count, hal.ticks_ms())
        await asyncio.sleep_ms(0 if busy else 10)


async def _write(sock, data, uplink, hal):
    """Write all of data; false when the session ended first: a peer may take nothing for ever."""
    at = 0
    while at < len(data):
        try:
            count = sock.write(data[at:])
        except OSError as error:
            if error.errno not in net.IN_PROGRESS:
                raise
            count = None
        if count:
            at += count
        else:
            uplink.step(hal.ticks_ms())
            if uplink.action == CLOSE:
                return False
            await asyncio.sleep_ms(5)
    return True


async def _house(app, hal):
    led = getattr(hal, "led", None)  # led(on): boards without one have no such function
    app.orders.has_led = led is not None
    while True:
        now_ms = hal.ticks_ms()
        wait = app.step(now_ms)
        shines = app.orders.step(now_ms)
        if led:
            led(shines)
        if app.orders.is_restart_due(now_ms):
            app.save(now_ms)
            app.journal.sync()
            hal.reset()
        await asyncio.sleep_ms(min(max(wait, 5), 50))
