"""Sockets for loop.py: connect without waiting inside C, ask a time server.

Not policy: agent/names.py says when a name is looked up, agent/timekeeper.py what is believed.
What still blocks is the look-up itself: `getaddrinfo` waits inside C. A numeric host never
waits, an address that works is never looked up again, a failed one once per back-off.
"""

import asyncio
import select
import socket
from errno import ECONNREFUSED, EINPROGRESS, ETIMEDOUT

import tls

from agent.names import Names
from agent.timekeeper import ANSWER_MS, SOURCE
from drivers.ticks import ticks_diff

IN_PROGRESS = (EINPROGRESS, 11, 36)  # EAGAIN of the ports
_STEP_MS = 10
_LONGEST_WAIT_MS = 60000


def _lookup(host, port, kind):
    return socket.getaddrinfo(host, port, socket.AF_INET, kind)[0]


def make_names():
    """Return the cache of addresses of one gateway."""
    return Names(_lookup)


async def connect(names, host, port, goes_on):
    """Return a connected, non-blocking TCP socket; goes_on(): false ends the attempt.

    Raises OSError; then the address is looked up anew at the next attempt.
    """
    found = names.find(host, port, socket.SOCK_STREAM)
    sock = socket.socket(found[0], found[1], found[2])
    try:
        await _connected(sock, found[-1], goes_on)
    except OSError:
        sock.close()
        names.failed(host, port, socket.SOCK_STREAM)
        raise
    return sock


async def _connected(sock, address, goes_on):
    sock.setblocking(False)
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno not in IN_PROGRESS:
            raise
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while goes_on():
        for entry in poll.poll(0):
            if entry[1] & (select.POLLERR | select.POLLHUP):
                raise OSError(ECONNREFUSED)
            return
        await asyncio.sleep_ms(_STEP_MS)
    raise OSError(ETIMEDOUT)


def secure(sock, settings):
    """Return the socket under TLS: certificate and host name are checked, always.

    The handshake comes with the first write, without waiting inside C; a peer that fails it gets
    no byte of ours. Raises OSError (a file is absent) or ValueError (a certificate is refused).
    """
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # stubs lack it
    context.load_verify_locations(_content(settings["ca"]))
    if settings["cert"]:
        context.load_cert_chain(_content(settings["cert"]), _content(settings["cert_key"]))
    return context.wrap_socket(
        sock, server_hostname=settings["host"], do_handshake_on_connect=False
    )


def _content(path):
    with open(path, "rb") as file:
        return file.read()


async def keep_time(app, hal, names):
    """Ask the configured time servers for ever; without any, sleep."""
    keeper = app.timekeeper
    packet = bytearray(48)
    while True:
        wait = keeper.wait_ms(hal.ticks_ms())
        if wait is None or wait > 0:
            await asyncio.sleep_ms(min(wait or _LONGEST_WAIT_MS, _LONGEST_WAIT_MS))
            continue
        keeper.begin(hal.ticks_ms())
        for index in range(len(keeper.servers)):
            try:
                await _ask(keeper, index, packet, hal, names)
            except OSError as error:
                keeper.failed("%s: %s" % (keeper.servers[index][0], error))
        now_ms = hal.ticks_ms()
        wall_ms = keeper.finish(app.clock, now_ms)
        if wall_ms is None:
            app.log.info("time", "not set: %s", keeper.why)
        else:
            app.set_wall(wall_ms, now_ms, SOURCE)
            hal.set_wall(wall_ms)


async def _ask(keeper, index, packet, hal, names):
    host, port = keeper.servers[index]
    found = names.find(host, port, socket.SOCK_DGRAM)
    sock = socket.socket(found[0], found[1], found[2])
    try:
        sock.setblocking(False)
        sock.connect(found[-1])  # so that only this server's datagrams arrive
        asked = hal.ticks_ms()
        keeper.request(index, packet, asked)
        sock.send(packet)
        while ticks_diff(hal.ticks_ms(), asked) < ANSWER_MS:
            try:
                count = sock.readinto(packet)
            except OSError as error:
                if error.errno not in IN_PROGRESS:
                    raise
                count = None
            if count:
                keeper.answered(packet, count, hal.ticks_ms())
                return
            await asyncio.sleep_ms(_STEP_MS)
        raise OSError(ETIMEDOUT)
    except OSError:
        names.failed(host, port, socket.SOCK_DGRAM)
        raise
    finally:
        sock.close()
