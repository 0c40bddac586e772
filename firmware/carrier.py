"""The uplink's connections: opens what agent/session.py wants open, moves bytes, closes.

Not what is said (agent/uplink.py), nor how a socket is made (net.py).
"""

import asyncio
import gc
import socket

from agent.session import CLOSE, OPEN
from firmware import net

_NO_LINK_MS = 200


async def run(app, hal, names, link):
    """Carry the bytes of the uplink: one connection after the other."""
    uplink = app.uplink
    settings = app.config["uplink"]

    def goes_on():
        uplink.step(hal.ticks_ms())
        return uplink.action != CLOSE

    while True:
        if not link.is_up:  # no attempt, so that the pauses between them do not grow
            uplink.alive_ms = hal.ticks_ms()
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
            if uplink.budget:
                uplink.budget.spend_opening()
                from firmware.counted import Counted

                sock = Counted(sock, uplink.budget.spend)
            gc.collect()  # what lives as long as the connection shall lie low, not behind garbage
            if settings["tls"]:
                app.floor.assume(hal.set_wall)
                papers = settings
                if app.certificates:
                    papers = app.certificates.choose(settings, uplink.acked)
                sock = net.secure(sock, papers)
            uplink.opened(hal.ticks_ms())
            await _session(sock, uplink, hal)
            why = "the far end closed"
        except OSError as error:
            why = str(error)
        except ValueError as error:  # so TLS says that a certificate is refused
            why = "certificate refused: %s%s" % (error, app.floor.words())
        finally:  # also when this task is started anew
            if sock:
                sock.close()
        uplink.closed(hal.ticks_ms(), why)
        app.log.info("uplink", "%s, trying again", uplink.why or why)


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
        # Bytes are looked for, not waited for: under TLS some may lie inside the library already.
        await asyncio.sleep_ms(0 if busy else 2 if uplink.in_flight else 10)


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
