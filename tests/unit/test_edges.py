"""The ring between an interrupt and a port's task."""

import sys

from drivers import load_map
from drivers.pulse import Pulse
from firmware.hal.edges import Edges
from tests.fakes.collector_of_readings import Collected
from tests.skips import skip


def _drain(edges, size=48):
    buffer = bytearray(size)
    data = b""
    while True:
        count = edges.readinto(buffer)
        if not count:
            return data
        data += bytes(buffer[:count])


def test_each_edge_has_its_input_level_and_time():
    edges = Edges(2)
    edges.note(0, 1, 5)
    edges.note(1, 0, 16384 + 300)
    edges.note(1, 0, 400)  # no edge
    edges.note(1, 1, 16383)
    assert _drain(edges) == b"\x83\x00\x05" + b"\x86\x02\x2c" + b"\x85\x7f\x7f"
    assert _drain(edges) == b""


def test_a_small_buffer_gets_whole_edges():
    edges = Edges(1)
    for i in range(10):
        edges.note(0, i & 1, i)
    assert len(_drain(edges, 5)) == 30


def test_a_full_ring_says_what_it_lost():
    edges = Edges(1)
    driver = Pulse(load_map("s0_electricity"), {})
    got = Collected(driver)
    edges.note(0, 1, 0)
    for i in range(200):  # 4 s of pulses while nobody looks
        edges.note(0, i & 1, 100 + 25 * i)
    edges.settle(6000)
    data = _drain(edges)
    edges.settle(6001)  # now there is room for what is owed
    data += _drain(edges)
    got.feed(data, now_ms=6100)
    assert len(got.errors) == 1 and "lost" in got.errors[0]
    assert 25 <= driver.carried <= 33
    before = driver.carried
    edges.note(0, 0, 6200)
    edges.note(0, 1, 6240)
    got.feed(_drain(edges), now_ms=6300)
    assert driver.carried == before + 1 and len(got.errors) == 1


def test_an_interrupt_allocates_nothing():
    if sys.implementation.name != "micropython":
        skip("only MicroPython can lock its heap")
    import micropython

    edges = Edges(4)
    buffer = bytearray(64)
    micropython.heap_lock()
    try:
        for i in range(100):
            edges.note(i & 3, i >> 2 & 1, i)
        edges.settle(7)
        edges.readinto(buffer)
    finally:
        micropython.heap_unlock()
