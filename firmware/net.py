"""Sockets for loop.py: look a name up, connect, exchange datagrams; nothing waits inside C.

Not policy: agent/names.py says whom to ask for an address. `getaddrinfo`, which waits inside C, is
given numbers only.
"""

import asyncio
import select
import socket
from errno import ECONNREFUSED, EINPROGRESS, ETIMEDOUT

import tls

from agent import forget
from agent.names import split_server
from drivers.ticks import ticks_diff

IN_PROGRESS = (EINPROGRESS, 11, 36)  # EAGAIN of the ports
_STEP_MS = 10
_PACKET_BYTES = 512  # agent/dns.py


def _address(numeric, port, kind):
    return socket.getaddrinfo(numeric, port, socket.AF_INET, kind)[0]


async def resolve(names, hal, host, goes_on):
    """Return the host's address in numbers; goes_on(): false ends the attempt. Raises OSError."""
    address = names.find(host, hal.ticks_ms())
    if address:
        return address
    if not names.is_fixed:
        names.servers = hal.name_servers()
    lookup = names.begin(host)
    forget("lookup", "dns")  # their RAM goes with this lookup
    packet = bytearray(_PACKET_BYTES)
    while goes_on():
        length = lookup.request(packet)
        if not length:
            break
        question = memoryview(packet)[:length]
        try:
            server, port = split_server(lookup.server, 53)
            there = (server, port)
            await exchange(names, hal, there, question, packet, lookup.answered, lookup.wait_ms)
        except (OSError, ValueError) as error:
            lookup.failed("%s: %s" % (lookup.server, error))
    return lookup.address()


async def connect(names, hal, host, port, goes_on):
    """Return a connected, non-blocking TCP socket; goes_on(): false ends the attempt.

    Raises OSError; then another address is tried at the next attempt.
    """
    found = _address(await resolve(names, hal, host, goes_on), port, socket.SOCK_STREAM)
    sock = socket.socket(found[0], found[1], found[2])
    try:
        await _connected(sock, found[-1], goes_on)
    except OSError:
        sock.close()
        names.failed(host)
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


async def exchange(names, hal, server, question, answer, take, wait_ms):
    """Send a datagram to a server in numbers; give what it answers to take(), until it is true.

    Raises OSError, ETIMEDOUT after wait_ms.
    """
    found = _address(server[0], server[1], socket.SOCK_DGRAM)
    sock = socket.socket(found[0], found[1], found[2])
    try:
        sock.setblocking(False)
        sock.connect(found[-1])  # so that only this server's datagrams arrive
        asked = hal.ticks_ms()
        sock.send(question)
        names.spend(len(question))
        while ticks_diff(hal.ticks_ms(), asked) < wait_ms:
            try:
                count = sock.readinto(answer)
            except OSError as error:
                if error.errno not in IN_PROGRESS:
                    raise
                count = None
            if count:
                names.spend(count)
                if take(answer, count, hal.ticks_ms()):
                    return
            await asyncio.sleep_ms(_STEP_MS)
        raise OSError(ETIMEDOUT)
    finally:
        sock.close()
