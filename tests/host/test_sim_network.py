"""The simulated network parts gateway and broker silently or by reset, and mends."""

import asyncio
import contextlib

import pytest

from host_tools.sim.network import Network


async def _echo(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _connected():
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    network = Network(server.sockets[0].getsockname()[1])
    await network.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
    try:
        yield network, reader, writer
    finally:
        writer.transport.abort()
        await network.close()
        server.close()


async def _said(reader, writer, data):
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


def test_bytes_flow_both_ways():
    async def run():
        async with _connected() as (_, reader, writer):
            assert await _said(reader, writer, b"hello") == b"hello"

    asyncio.run(run())


def test_a_silent_cut_holds_what_was_sent_and_delivers_it_afterwards():
    async def run():
        async with _connected() as (network, reader, writer):
            await _said(reader, writer, b"a")
            network.cut("silent")
            assert not network.up
            writer.write(b"held")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readexactly(1), 0.1)
            network.restore()
            assert await asyncio.wait_for(reader.readexactly(4), 5) == b"held"

    asyncio.run(run())


def test_a_reset_ends_connections_and_refuses_new_ones_until_mended():
    async def run():
        async with _connected() as (network, reader, writer):
            await _said(reader, writer, b"a")
            network.cut("reset")
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(1), 5) == b""
            again, back = await asyncio.open_connection("127.0.0.1", network.port)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(again.read(1), 5) == b""
            back.transport.abort()
            network.restore()
            again, back = await asyncio.open_connection("127.0.0.1", network.port)
            assert await _said(again, back, b"b") == b"b"
            back.transport.abort()

    asyncio.run(run())


def test_an_absent_broker_ends_the_connection():
    async def run():
        network = Network(1)  # nobody listens on port 1
        await network.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(1), 5) == b""
        writer.transport.abort()
        await network.close()

    asyncio.run(run())
