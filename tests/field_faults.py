"""Faults that the field simulator must find, in every layer between the line and the broker.

Not the run itself: tests/seeded_faults.py, which lives some days of tests/system/years_world.py
and some hours of tests/fakes/virtual_gateway.py with each, and weeks of the former with
CHANGE_FAULTS. A row: name, then (file, what stands there, what stands there instead), once or
several times. The journal has faults of its own (tests/journal_faults.py), boot.py's file too
(tests/host/test_boot_faults.py).

Absent is what the layers around mend: a late answer that counts for the next request is refused by
its unit or its number, half a frame behind a power cut by its check sum, a missed period by the
next one, what is not sent or not acknowledged by the session after that.
"""

APP, BUS, METER, SEALING = "agent/app.py", "agent/bus.py", "agent/meter.py", "agent/sealing.py"
SCHEDULE, CLOCK, REPORT = "agent/schedule.py", "agent/clock.py", "agent/report.py"
FLIGHT, SESSION, UPLINK = "agent/flight.py", "agent/session.py", "agent/uplink.py"
CODEC, LEVEL = "agent/codec.py", "drivers/level.py"
FRAME, MODBUS = "drivers/modbus_frame.py", "drivers/modbus.py"
BOOT, TRIAL = "firmware/boot.py", "agent/trial.py"

FAULTS: tuple[tuple[str, ...], ...] = (
    # --- drivers
    ("a sensor's sum is not looked at", LEVEL, "if total != frame[3]:", "if total < 0:"),
    (
        "the check sum of an answer is not looked at",
        FRAME,
        "        return self.buffer[end - 2] == crc & 0xFF and self.buffer[end - 1] == crc >> 8\n",
        "        return crc >= 0\n",
    ),
    (
        "half a check sum is looked at",
        FRAME,
        "self.buffer[end - 2] == crc & 0xFF and self.buffer[end - 1] == crc >> 8",
        "self.buffer[end - 2] == crc & 0xFF",
    ),
    (
        "an answer is taken for the first step again",
        MODBUS,
        "        turn.decoder.take(buffer, at, self._steps[turn.step])",
        "        turn.decoder.take(buffer, at - 2, self._steps[turn.step])",
    ),
    (
        "the octets of a distance change places",
        LEVEL,
        "frame[1] << 8 | frame[2]",
        "frame[2] << 8 | frame[1]",
    ),
    # --- the line
    (
        "who gives up says nothing of it",
        BUS,
        "        meter.driver.give_up(self._emit, quality)\n",
        "",
    ),
    (
        "a null keeps the value before it",
        METER,
        "            value = reading.values[at]\n",
        "            value = reading.values[at]\n"
        "            value = self.values[to] if value is None else value\n",
    ),
    (
        "every second period is skipped",
        SCHEDULE,
        "(missed + 1) * interval",
        "(missed + 2) * interval",
    ),
    # --- the way up
    (
        "uptime and wall time share a block",
        APP,
        "block.clock != state or at_ms < block.last_at_ms",
        "at_ms < block.last_at_ms",
    ),
    (
        "the reading that finds its block full is dropped",
        APP,
        "            self.open_block(index, state, tick)\n"
        "            block.add(at_ms, meter.values, meter.quality)\n",
        "            self.open_block(index, state, tick)\n",
    ),
    (
        "what is sealed stays in its block",
        APP,
        "        block.count = 0\n        return",
        "        return",
    ),
    (
        "what a snapshot held is not sealed",
        APP,
        "        self.journal.append(BLOCK, data, 0, len(data))\n        return True",
        "        return True",
    ),
    (
        "a start is not told",
        APP,
        "        self._note(BOOT, self._report.boot(",
        "        (self._report.boot(",
    ),
    (
        "a snapshot holds the first open block only",
        APP,
        "                held += end - start\n        self.sealing",
        "                held += end - start\n                break\n        self.sealing",
    ),
    (
        "the relation of uptime and wall time is not told",
        APP,
        "        self._note(TIME, self._report.time(wall_ms, source))\n",
        "",
    ),
    (
        "a start says that nothing is missing",
        APP,
        "self._report.boot(found.alive_ms, self._wall_ms(now_ms), recovered)",
        "self._report.boot(self._wall_ms(now_ms), self._wall_ms(now_ms), recovered)",
    ),
    (
        "a start says what is missing from the last one on",
        REPORT,
        '            "to_ms": wall_ms,\n            "open"',
        '            "to_ms": alive_ms,\n            "open"',
    ),
    (
        "a block waits for a network that is there",
        SEALING,
        "return waiting > 0 and (",
        "return waiting >= 0 or (",
    ),
    (
        "a seal of the oldest forgets the others",
        SEALING,
        "            self.open_bytes = max(0, self.open_bytes - self._app.seal(index))\n",
        "            self.open_bytes = max(0, self.open_bytes - self._app.seal(index))\n"
        "            for block in self._app.blocks:\n                block.count = 0\n",
    ),
    # --- time
    (
        "ticks do not wrap",
        CLOCK,
        "        passed = ticks_diff(now_ms, self._tick)",
        "        passed = now_ms - self._tick",
    ),
    (
        "a clock that was never set is believed",
        CLOCK,
        "            return uptime, UPTIME_ONLY\n",
        "            return uptime, TRUSTED\n",
    ),
    (
        "wall time stands still between two settings",
        CLOCK,
        "        return self._base_ms + uptime, self.state",
        "        return self._base_ms + self._set_at, self.state",
    ),
    # --- the block
    (
        "a block's time begins with the one before",
        CODEC,
        "                self.first_at_ms = at_ms\n",
        "                self.first_at_ms = self.last_at_ms or at_ms\n",
    ),
    (
        "a block does not say what its clock was",
        CODEC,
        "        flags = version << 4 | self.clock\n",
        "        flags = version << 4 | 1\n",
    ),
    (
        "a block goes on in the last one's rhythm",
        CODEC,
        "        self.rows.step_ms = None\n",
        "",
    ),
    (
        "a byte is missing at the end of some blocks",
        CODEC,
        "        return end - start\n",
        "        return end - start - (self.count & 63 == 9)\n",
    ),
    # --- the way out
    (
        "a PUBACK counts as stored",
        SESSION,
        'settings.get("acknowledge", "application") == "puback"',
        "True",
    ),
    (
        "an acknowledgement frees one record more",
        FLIGHT,
        "        journal.trim_through(journal_id, seq)",
        "        journal.trim_through(journal_id, min(seq + 1, journal.next - 1))",
    ),
    (
        "half a session is kept for the next one",
        SESSION,
        "        self._flight.reset(now_ms)\n        self._asked_at",
        "        self._asked_at",
        FLIGHT,
        "                self._rewind(now_ms)\n",
        "                pass\n",
    ),
    (
        "a record loses its last byte on the way",
        UPLINK,
        "                out[i - 1] = out[i]\n",
        "                out[i - 1] = out[i] if i % 61 else 0\n",
    ),
)

# Of what changes a gateway: found in weeks, not in days.
CHANGE_FAULTS: tuple[tuple[str, ...], ...] = (
    (
        "the starts of a firmware on trial are not counted",
        BOOT,
        "        state[2] = tries - 1\n",
        "        state[2] = tries\n",
    ),
    (
        "a firmware whose trial is over stays",
        BOOT,
        "        state = [active, _NO_TRIAL, 0, fails, 0, why]\n",
        "        state = [trial, _NO_TRIAL, 0, fails, 0, why]\n        active = trial\n",
    ),
    (
        "a firmware without a network is confirmed",
        TRIAL,
        "        if acked < self._first:\n",
        "        if acked < 0:\n",
    ),
    (
        "the errors of a firmware are not looked at",
        TRIAL,
        "        if errors > _ERRORS:\n",
        "        if errors < 0:\n",
    ),
    (
        "a firmware that hears no meter is confirmed",
        TRIAL,
        "        if 2 * meters < self._meters:\n",
        "        if meters < 0:\n",
    ),
)
