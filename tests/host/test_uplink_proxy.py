"""The fault proxy itself: each fault does what its name says, to the byte."""

import contextlib
import socket
import threading
import time

import pytest

from tests.fakes.tcp_fault_proxy import TCPFaultProxy


@pytest.fixture
def echo():
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(peer):
        with contextlib.suppress(OSError):
            while data := peer.recv(4096):
                peer.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()
    listener.close()


def _read(peer, count):
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < count and (part := peer.recv(count - len(data))):
            data += part
    return data


def _connect(proxy, timeout_s=3.0):
    return socket.create_connection(proxy.address, timeout=timeout_s)


def test_bytes_pass_both_ways(echo):
    with TCPFaultProxy(echo) as proxy, _connect(proxy) as peer:
        peer.sendall(b"hello")
        assert _read(peer, 5) == b"hello"
        assert proxy.passed == {"up": 5, "down": 5}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_cut_comes_after_exactly_that_byte(echo, count):
    with TCPFaultProxy(echo) as proxy, _connect(proxy) as peer:
        proxy.cut_after("up", count)
        with contextlib.suppress(OSError):
            peer.sendall(b"hello")
            _read(peer, 5)
        assert proxy.passed["up"] == count


def test_a_cut_network_resets_and_comes_back(echo):
    with TCPFaultProxy(echo) as proxy:
        peer = _connect(proxy)
        peer.sendall(b"x")
        assert _read(peer, 1) == b"x"
        proxy.cut()
        assert _read(peer, 1) == b""
        with contextlib.suppress(OSError), _connect(proxy) as refused:
            assert _read(refused, 1) == b""
        proxy.mend()
        with _connect(proxy) as again:
            again.sendall(b"y")
            assert _read(again, 1) == b"y"


def test_a_black_hole_closes_nothing(echo):
    with TCPFaultProxy(echo) as proxy, _connect(proxy, 0.3) as peer:
        proxy.black_hole("down")
        peer.sendall(b"x")
        with pytest.raises(TimeoutError):
            peer.recv(1)
        proxy.mend()
        peer.sendall(b"y")
        assert _read(peer, 1) == b"y"


def test_a_bit_is_flipped_where_asked(echo):
    with TCPFaultProxy(echo) as proxy, _connect(proxy) as peer:
        proxy.flip("up", 15)
        peer.sendall(b"\x00\x00\x00")
        assert _read(peer, 3) == b"\x00\x01\x00"


def test_a_delay_delays_and_keeps_order(echo):
    with TCPFaultProxy(echo) as proxy, _connect(proxy) as peer:
        proxy.delay_s = 0.05
        begun = time.monotonic()
        peer.sendall(b"a")
        peer.sendall(b"b")
        assert _read(peer, 2) == b"ab"
        assert time.monotonic() - begun >= 0.1


def test_a_connection_may_be_accepted_and_closed(echo):
    with TCPFaultProxy(echo) as proxy:
        proxy.refuse_server = True
        with _connect(proxy) as peer:
            assert _read(peer, 1) == b""
