"""The task of the clock: ask the time servers; agent/timekeeper.py says what is believed.

Loaded only where there are any.
"""

import asyncio

from agent.timekeeper import ANSWER_MS, SOURCE
from drivers.ticks import ticks_diff
from firmware import net

_LONGEST_WAIT_MS = 60000


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
            app.floor.known()


async def _ask(keeper, index, packet, hal, names):
    host, port = keeper.servers[index]
    begun = hal.ticks_ms()

    def goes_on():
        return ticks_diff(hal.ticks_ms(), begun) < _LONGEST_WAIT_MS

    def take(data, count, now_ms):
        keeper.answered(data, count, now_ms)
        return True

    server = (await net.resolve(names, hal, host, goes_on), port)
    keeper.request(index, packet, hal.ticks_ms())
    try:
        await net.exchange(names, hal, server, packet, packet, take, ANSWER_MS)
    except OSError:
        names.failed(host)
        raise
