"""The hal of ESP32 and RP2 on a chip in virtual time: bytes, pins, clocks, causes, networks."""

from boards.esp32_generic import BOARD as DEVKIT
from boards.esp32_poe import BOARD as POE
from boards.esp32_s3 import BOARD as S3
from boards.rpi_pico2_w import BOARD as PICO2
from boards.rpi_pico_w import BOARD as PICO
from drivers import load_map
from drivers.pulse import Pulse
from tests.fakes import chip as fake
from tests.fakes.collector_of_readings import Collected

fake.Chip().install()
from firmware import hal as contract  # noqa: E402
from firmware.hal import chip as shared  # noqa: E402
from firmware.hal import counter, esp32, rp2, sampler, uart  # noqa: E402

fake.uninstall()


class _Platform:
    """What boot.py runs on."""

    def reset(self):
        fake.Pin.chip.resets += 1


def _chip(**state):
    chip = fake.Chip()
    for name, value in state.items():
        setattr(chip, name, value)
    chip.patch(shared, uart, rp2, esp32, sampler, counter)
    return chip


def _open(board, line, name="uart1"):
    chip = _chip()
    port = (rp2 if board["port"] == "rp2" else esp32).Hal(_Platform(), board).open_uart(name)
    port.configure(line)
    wiring = board["uarts"][name]
    return chip, port, chip.uarts[wiring["id"]], chip.pins[wiring["direction"]]


def _send(chip, port, data):
    """Send as firmware/loop.py does; return the longest time one call kept the processor."""
    longest_us = 0
    begun_us = chip.time.now_us
    port.write(data, len(data))
    while True:
        begun_us = chip.time.now_us
        wait_us = port.sending()
        longest_us = max(longest_us, chip.time.now_us - begun_us)
        if not wait_us:
            return longest_us
        chip.time.now_us += max(wait_us, 1000)


def test_the_direction_is_dropped_after_the_last_stop_bit_and_at_once():
    for board in (PICO, PICO2, DEVKIT):
        for line in (
            (300, 7, "E", 1),
            (2400, 8, "E", 1),
            (9600, 8, "N", 1),
            (9600, 8, "N", 2),
            (19200, 8, "E", 1),
            (115200, 8, "N", 1),
        ):
            for count in (1, 8, 13, 256):
                chip, port, peripheral, direction = _open(board, line)
                longest_us = _send(chip, port, bytes(range(count)))
                start_us, end_us, data = peripheral.frames[-1]
                assert data == bytes(range(count))
                assert direction.level_at(start_us) == 1, "raised before the first start bit"
                assert direction.level_at(end_us) == 1, "held through the last stop bit"
                dropped_us, level = direction.levels[-1]
                assert level == 0 and 0 <= dropped_us - end_us < 200, (line, count)
                assert longest_us < 13_000, "the other ports are served meanwhile"


def test_a_transmission_that_starts_late_is_waited_for():
    chip, port, peripheral, direction = _open(PICO, (9600, 8, "N", 1))
    peripheral.start_delay_us = 3000
    _send(chip, port, b"12345678")
    assert 0 <= direction.levels[-1][0] - peripheral.frames[-1][1] < 200


def test_a_peripheral_that_says_done_too_early_is_not_believed():
    chip, port, peripheral, direction = _open(DEVKIT, (1200, 8, "E", 1))
    peripheral.early_us = 9000
    _send(chip, port, b"12345678")
    assert 0 <= direction.levels[-1][0] - peripheral.frames[-1][1] < 200


def test_a_peripheral_that_never_ends_frees_the_line_and_is_an_error():
    chip, port, peripheral, direction = _open(DEVKIT, (9600, 8, "N", 1))
    peripheral.is_stuck = True
    try:
        _send(chip, port, b"1234")
        raise AssertionError("no error")
    except OSError:
        pass
    assert direction.value() == 0


def test_a_write_that_is_refused_frees_the_line_and_is_an_error():
    _, port, peripheral, direction = _open(DEVKIT, (9600, 8, "N", 1))
    peripheral.is_full = True
    try:
        port.write(b"1234", 4)
        raise AssertionError("no error")
    except OSError:
        pass
    assert direction.value() == 0 and port.sending() == 0


def test_the_line_is_set_as_configured_also_7e1():
    chip, port, peripheral, _ = _open(PICO, (1200, 7, "E", 1), "uart0")
    assert peripheral.number == 0 and peripheral.line == (1200, 7, 0, 1)
    port.configure((9600, 8, "O", 2))
    assert peripheral.line == (9600, 8, 1, 2)
    port.configure((9600, 8, "N", 1))
    assert peripheral.line == (9600, 8, None, 1)
    assert peripheral.settings["tx"].number == 0 and peripheral.settings["rx"].number == 1
    assert peripheral.settings["txbuf"] >= 272, "the longest request of agent/bus.py"
    assert chip.pins[1].pull == fake.Pin.PULL_UP


def test_a_character_is_counted_with_start_parity_and_stop():
    assert uart.char_us((9600, 8, "N", 1)) == 1042
    assert uart.char_us((9600, 7, "E", 1)) == 1042
    assert uart.char_us((19200, 8, "E", 2)) == 625
    assert uart.char_us((300, 8, "N", 1)) == 33334


def test_reading_never_waits():
    chip, port, peripheral, _ = _open(PICO, (9600, 8, "N", 1))
    buffer = bytearray(256)
    before_us = chip.time.now_us
    assert port.readinto(buffer) == 0
    peripheral.arrived = b"hello"
    assert port.readinto(buffer) == 5 and buffer[:5] == b"hello"
    peripheral.arrived = bytes(300)
    assert port.readinto(buffer) == 256 and port.readinto(buffer) == 44
    assert chip.time.now_us == before_us


def test_a_uart_without_direction_pin_sends_too():
    chip = _chip()
    port = esp32.Hal(_Platform(), POE).open_uart("uart2")
    port.configure((9600, 8, "N", 1))
    _send(chip, port, b"ab")
    assert chip.uarts[2].frames[-1][2] == b"ab"


def test_a_uart_that_is_not_there_is_an_error():
    for board, module in ((PICO, rp2), (DEVKIT, esp32)):
        _chip()
        for name in ("uart9", ""):
            try:
                module.Hal(_Platform(), board).open_uart(name)
                raise AssertionError(name)
            except OSError:
                pass


def _edges(port):
    """Return (place, level, first after a gap, ms) of the edges that wait."""
    buffer = bytearray(64)
    count = port.readinto(buffer)
    return [
        (
            buffer[i] >> 2 & 31,
            buffer[i] & 1,
            buffer[i] >> 1 & 1,
            buffer[i + 1] << 7 | buffer[i + 2],
        )
        for i in range(0, count, 3)
    ]


def test_inputs_are_stamped_when_they_change():
    for board, module, first in ((PICO, rp2, 10), (DEVKIT, esp32, 18)):
        chip = _chip()
        fake.StateMachine.taken = range(8)
        port = module.Hal(_Platform(), board).open_pins(["in1", "in2"])
        assert [e[:3] for e in _edges(port)] == [(0, 1, 1), (1, 1, 1)], "pulled up"
        pin = chip.pins[first]
        assert pin.pull == fake.Pin.PULL_UP
        assert pin.interrupt == ({"hard": True} if module is rp2 else {})
        chip.time.now_us += 5_000_000
        pin.drive(0)
        down_ms = chip.time.now_us // 1000 & 0x3FFF
        chip.time.now_us += 30_000
        pin.drive(1)
        chip.time.now_us += 7_000_000
        assert _edges(port) == [(0, 0, 0, down_ms), (0, 1, 0, (down_ms + 30) & 0x3FFF)]
        pin.drive(0, is_told=False)
        assert [e[:2] for e in _edges(port)] == [(0, 0)], "an interrupt that was dropped"
        assert _edges(port) == [] and chip.locks == 0 and port.sending() == 0
        fake.StateMachine.taken = ()


def _count(pulse_ms, erase_ms, machines=range(8), count=40, every_ms=150):
    """Return what a Pico's driver makes of pulses about each of which a block is erased."""
    chip = _chip()
    fake.StateMachine.taken = [each for each in range(8) if each not in machines]
    port = rp2.Hal(_Platform(), PICO).open_pins(["in1"])
    fake.StateMachine.taken = ()
    return _count_on(chip, port, chip.pins[10], pulse_ms, erase_ms, count, every_ms)


def _count_on(chip, port, pin, pulse_ms, erase_ms, count=40, every_ms=150):
    got = Collected(Pulse(load_map("s0_electricity"), {}))
    now_us = chip.time.now_us
    pin.levels = [(now_us - 1_000_000, 1)]
    erases = []
    for i in range(count):
        at_us = now_us + 300_000 + i * 1000 * every_ms + i % 41 * 331
        pin.levels += [(at_us, 0), (at_us + 1000 * pulse_ms, 1)]
        if erase_ms:
            erases.append(at_us - i % 12 * 1000)
    told = 1
    end_us = now_us + 500_000 + count * every_ms * 1000
    buffer = bytearray(48)
    while now_us < end_us:
        now_us += 2000
        if erases and now_us >= erases[0]:
            erases.pop(0)
            now_us += 1000 * erase_ms
            for each in chip.machines:
                each.run_to(now_us, True)
        chip.time.now_us = now_us
        for each in chip.machines:
            each.run_to(now_us)
        # A pin's interrupt is latched once, however often it changed meanwhile.
        if told < len(pin.levels) and pin.levels[told][0] <= now_us:
            while told < len(pin.levels) and pin.levels[told][0] <= now_us:
                told += 1
            if pin.handler:
                _as_now(pin, now_us, lambda: pin.handler(pin))
        for i in range(told, len(pin.levels)):  # what is to come is not there yet
            assert pin.levels[i][0] > now_us
        length = _as_now(pin, now_us, lambda: port.readinto(buffer))
        got.feed(bytes(buffer[:length]), now_ms=now_us // 1000)
        if not length:
            got.silence(now_ms=now_us // 1000)
    return got


def _as_now(pin, now_us, work):
    """Do something while a pin has the level of now."""
    kept = pin.levels
    pin.levels = [each for each in kept if each[0] <= now_us]
    found = work()
    pin.levels = kept
    return found


def test_a_pulse_of_30_ms_under_an_erase_of_45_ms_is_counted_by_pio():
    for erase_ms in (0, 45):
        got = _count(30, erase_ms)
        assert got.driver.carried == 40 and got.errors == [], erase_ms


def test_glitches_are_no_pulses_also_when_they_are_told_late():
    for glitch_ms in (1, 7, 15, 18):
        assert _count(glitch_ms, 0).driver.carried == 0, glitch_ms
        assert _count(glitch_ms, 45).driver.carried == 0, glitch_ms


def test_looks_that_went_in_a_long_erase_are_declared():
    for erase_ms in (60, 67, 80):  # the FIFO is full, and may have been for a while
        got = _count(30, erase_ms, count=1, every_ms=400)
        assert got.errors and "lost" in got.errors[0], erase_ms


def test_without_a_free_state_machine_interrupts_serve_and_an_erase_hides_a_pulse():
    assert _count(30, 0, machines=()).driver.carried == 40
    assert _count(30, 45, machines=()).driver.carried < 40


def _count_on_esp32(pulse_ms, erase_ms, units=8, **more):
    chip = _chip()
    fake.PCNT.units = units
    port = esp32.Hal(_Platform(), DEVKIT).open_pins(["in1"])
    fake.PCNT.units = 8
    return _count_on(chip, port, chip.pins[18], pulse_ms, erase_ms, **more)


def test_on_esp32_a_counter_tells_of_a_pulse_that_an_erase_hid():
    for erase_ms in (0, 45, 60):
        got = _count_on_esp32(30, erase_ms)
        assert got.driver.carried == 40 and got.errors == [], (erase_ms, got.driver.carried)
    assert _count_on_esp32(30, 0, units=0).driver.carried == 40
    assert _count_on_esp32(30, 45, units=0).driver.carried < 40, "interrupts alone"


def test_on_esp32_a_long_erase_hides_as_many_pulses_as_fit_into_it():
    got = _count_on_esp32(30, 400, count=8, every_ms=600)
    assert got.driver.carried == 8 and got.errors == []


def _look(chip, port, after_ms, *levels):
    """Let so many ms pass with levels (ms before the end, level); return the edges then read."""
    chip.time.now_us += 1000 * after_ms
    pin = chip.pins[18]
    pin.levels += [(chip.time.now_us - 1000 * ms, level) for ms, level in levels]
    pin.handler(pin)
    return [e[:3] for e in _edges(port)]


def test_on_esp32_what_no_counter_can_say_is_declared_and_bounce_is_no_pulse():
    chip = _chip()
    port = esp32.Hal(_Platform(), DEVKIT).open_pins(["in1"])
    assert _look(chip, port, 20) == [(0, 1, 1)]
    assert _look(chip, port, 20, (9, 0), (8, 1), (7, 0)) == [(0, 0, 0)], "bounce, no stall"
    assert _look(chip, port, 45, (9, 1), (8, 0), (7, 1)) == [(0, 1, 0)], "bounce under an erase"
    assert _look(chip, port, 45, *[(20 - i, i % 2) for i in range(6)]) == [], "noise"
    assert _look(chip, port, 20, (9, 0), (3, 1)) == [], "too short for a pulse, no stall"
    assert _look(chip, port, 90, (40, 0)) == [(0, 0, 0)], "one edge in a long stall hides none"
    assert _look(chip, port, 20, (5, 1)) == [(0, 1, 0)]
    # An edge that was seen, and two more where there was room for them: which is not known.
    assert _look(chip, port, 90, (80, 0), (50, 1), (20, 0)) == [(0, 0, 0)]
    assert _look(chip, port, 20, (5, 1)) == [(0, 1, 1)], "the next edge says that some were lost"
    assert _look(chip, port, 90, (80, 0), (50, 1)) == [(0, 0, 0), (0, 1, 0)]


def test_on_esp32_an_image_without_counters_has_interrupts():
    chip = _chip()
    kept = fake._Esp32.PCNT
    del fake._Esp32.PCNT
    try:
        port = esp32.Hal(_Platform(), DEVKIT).open_pins(["in1", "in2"])
    finally:
        fake._Esp32.PCNT = kept
    assert [e[:3] for e in _edges(port)] == [(0, 1, 1), (1, 1, 1)] and not chip.counters


def test_on_esp32_a_port_that_is_opened_again_keeps_its_counters():
    chip = _chip()
    gateway = esp32.Hal(_Platform(), DEVKIT)
    for _ in range(3):
        gateway.open_pins(["in2", "in1"])
    assert sorted(chip.counters) == [0, 1] and chip.counters[0].pin is chip.pins[19]
    try:
        gateway.open_pins(["in1", "in9"])
        raise AssertionError("no error")
    except OSError:
        pass


def test_a_port_that_is_opened_again_keeps_its_state_machines():
    chip = _chip()
    gateway = rp2.Hal(_Platform(), PICO)
    for _ in range(3):
        gateway.open_pins(["in1", "in3"])
    assert [each.number for each in chip.machines] == [0, 1]
    assert all(each.is_active and each.is_hard for each in chip.machines)


def test_an_input_that_the_board_lacks_is_an_error():
    _chip()
    try:
        rp2.Hal(_Platform(), PICO).open_pins(["in1", "in9"])
        raise AssertionError("no error")
    except OSError:
        pass


def test_why_a_pico_began():
    register = {"rpi_pico_w": 0x4005800C, "rpi_pico2_w": 0x400D800C}
    for board in (PICO, PICO2):
        assert (_chip(reset_cause=1), rp2.Hal(_Platform(), board))[1].cause == "power"
        assert (_chip(reset_cause=3), rp2.Hal(_Platform(), board))[1].cause == "watchdog"
        chip = _chip()
        gateway = rp2.Hal(_Platform(), board)
        gateway.reset()
        assert chip.resets == 1
        marked = chip.registers
        chip = _chip(reset_cause=3, registers=marked)
        assert rp2.Hal(_Platform(), board).cause == "soft"
        assert marked[register[board["name"]]] == 0, "said once"
        assert rp2.Hal(_Platform(), board).cause == "watchdog"


def test_why_an_esp32_began():
    for cause, word in ((1, "power"), (3, "watchdog"), (2, "fault"), (5, "soft")):
        _chip(reset_cause=cause)
        assert esp32.Hal(_Platform(), DEVKIT).cause == word
    chip = _chip(rtc_memory=b"\0\0\0\0last words")
    esp32.Hal(_Platform(), DEVKIT).reset()
    assert chip.resets == 1 and chip.rtc_memory[4:] == b"last words"
    chip = _chip(reset_cause=2, rtc_memory=chip.rtc_memory)
    assert esp32.Hal(_Platform(), DEVKIT).cause == "soft"
    assert chip.rtc_memory == b"\0\0\0\0last words", "the rest of the memory is another's"
    assert esp32.Hal(_Platform(), DEVKIT).cause == "fault"


def test_a_sleep_of_a_pico_keeps_its_clock_and_no_watchdog_bites_in_it():
    for board, base in ((PICO, 0x40058000), (PICO2, 0x400D8000)):
        chip = _chip(networks={"mairie": None})
        gateway = rp2.Hal(_Platform(), board)
        gateway.open_interface("wifi").start()
        gateway.set_wall(1772323199678)
        gateway.sleep(600_000)
        assert chip.slept_ms == 600_000 and not chip.station.is_active
        assert chip.registers[base + 0x3000] == 1 << 30, "the watchdog does not count"
        kept = chip.registers
        chip = _chip(reset_cause=3, registers=kept)
        gateway = rp2.Hal(_Platform(), board)
        assert gateway.cause == "sleep" and gateway.longest_sleep_ms < 4294967
        # It wakes ten minutes later, and this start has taken start_ms so far.
        late_ms = gateway.wall_ms() - 1772323799678
        assert 0 <= late_ms - gateway.start_ms < 1000
        assert (_chip(reset_cause=3, registers=kept), rp2.Hal(_Platform(), board))[
            1
        ].wall_ms() == 0
    chip = _chip()
    rp2.Hal(_Platform(), PICO).sleep(1000)
    gateway = (_chip(reset_cause=3, registers=chip.registers), rp2.Hal(_Platform(), PICO))[1]
    assert gateway.cause == "sleep" and gateway.wall_ms() == 0, "a clock that was never set"


def test_a_sleep_of_an_esp32():
    chip = _chip()
    gateway = esp32.Hal(_Platform(), DEVKIT)
    gateway.sleep(3_600_000)
    assert chip.slept_ms == 3_600_000 and gateway.drift_ppm == 50_000
    assert (_chip(reset_cause=4), esp32.Hal(_Platform(), DEVKIT))[1].cause == "sleep"


def test_a_supply_that_sagged_is_no_power_on():
    assert (_chip(), esp32.Hal(_Platform(), S3))[1].cause == "power"
    for board, register in ((DEVKIT, 0x3FF48034), (S3, 0x60008038)):
        for code in (15, 12):  # by the chip, or by ESP-IDF
            _chip().registers[register] = code
            assert esp32.Hal(_Platform(), board).cause == "brownout"
    _chip().registers[0x4010002C] = 1 << 17
    assert rp2.Hal(_Platform(), PICO2).cause == "brownout"
    assert rp2.Hal(_Platform(), PICO).cause == "power", "an RP2040 does not tell"


def test_the_supply_is_read_behind_its_divider_where_a_board_has_one():
    wiring = {"adc": 28, "times": 2, "over": 1}
    for module, board in ((rp2, PICO), (esp32, DEVKIT)):
        chip = _chip(volts=1.65)
        gateway = module.Hal(_Platform(), dict(board, supply=wiring))
        assert 3295 <= gateway.supply_mv() <= 3300 and chip.adc.pin.number == 28
        assert not hasattr(module.Hal(_Platform(), board), "supply_mv")
    assert chip.adc.settings == {"atten": fake.ADC.ATTN_11DB}


def test_the_clock_is_trusted_once_it_was_set():
    for board, module in ((PICO, rp2), (DEVKIT, esp32)):
        chip = _chip()
        gateway = module.Hal(_Platform(), board)
        assert gateway.wall_ms() == 0, "2021 is what a chip says that nobody has told"
        gateway.set_wall(1772323199678)  # Saturday 2026-02-28 23:59:59.678
        assert chip.rtc == (2026, 2, 28, 5, 23, 59, 59, 678000)
        assert gateway.wall_ms() == 1772323199678


def test_identity_entropy_ticks_and_runtime():
    _chip()
    gateway = rp2.Hal(_Platform(), PICO)
    assert gateway.id == "e6600102" and gateway.root == ""
    assert gateway.runtime.endswith(" on rp2040")
    assert 0 <= gateway.random(1 << 32) < 1 << 32 and gateway.random(1) == 0
    for _ in range(3):
        assert 0 <= gateway.ticks_us() < 1 << 30 and 0 <= gateway.ticks_ms() < 1 << 30


def test_the_watchdog_is_not_asked_for_more_than_the_chip_has():
    chip = _chip()
    feed = rp2.Hal(_Platform(), PICO).start_watchdog(30_000)
    feed()
    assert chip.watchdog.timeout == 8388 and chip.watchdog.fed == 1
    chip = _chip()
    esp32.Hal(_Platform(), DEVKIT).start_watchdog(30_000)
    assert chip.watchdog.timeout == 30_000


def test_the_led_is_there_or_is_not():
    chip = _chip()
    gateway = rp2.Hal(_Platform(), PICO)
    gateway.led(True)
    assert chip.pins["LED"].value() == 1
    gateway.led(False)
    assert chip.pins["LED"].value() == 0
    assert not hasattr(esp32.Hal(_Platform(), DEVKIT), "led")


def test_files_are_mounted_anew():
    chip = _chip()
    rp2.Hal(_Platform(), PICO).remount()
    assert chip.mounts == [("umount", "/"), (("flash", {"progsize": 256}), "/")]
    chip = _chip()
    esp32.Hal(_Platform(), DEVKIT).remount()
    assert chip.mounts == [("umount", "/"), (("partition vfs", {}), "/")]


def test_wifi_says_what_keeps_it():
    chip = _chip(networks={"mairie": "long-enough", "open": None})
    wifi = rp2.Hal(_Platform(), PICO).open_interface("wifi")
    wifi.start()
    for row, state in (
        ({"ssid": "nowhere", "key": "x"}, contract.ABSENT),
        ({"ssid": "mairie", "key": "wrong"}, contract.REFUSED),
        ({"ssid": "mairie", "key": "long-enough"}, contract.JOINING),
        ({"ssid": "open", "key": ""}, contract.JOINING),
    ):
        wifi.join(row)
        assert wifi.state == state and wifi.signal() is None
    chip.station.settle()
    assert wifi.state == contract.UP and wifi.signal() == -61
    wifi.stop()
    assert wifi.state == contract.DOWN


def test_ethernet_of_the_olimex_board():
    chip = _chip()
    gateway = esp32.Hal(_Platform(), POE)
    assert gateway.interfaces == ("ethernet", "wifi")
    cable = gateway.open_interface("ethernet")
    assert chip.lan.wiring["phy_type"] == fake.Network.PHY_LAN8720
    assert {k: v.number for k, v in chip.lan.wiring.items() if isinstance(v, fake.Pin)} == {
        "mdc": 23,
        "mdio": 18,
        "power": 12,
    }
    cable.start()
    cable.join({})
    assert chip.lan.active()
    for link, state in (
        (fake.Network.ETH_DISCONNECTED, contract.DOWN),
        (fake.Network.ETH_CONNECTED, contract.JOINING),
        (fake.Network.ETH_GOT_IP, contract.UP),
    ):
        chip.lan.plugged = link
        assert cable.state == state and cable.signal() is None
    cable.stop()
    assert not chip.lan.active()


def test_an_interface_that_the_board_lacks_is_an_error():
    for gateway in (rp2.Hal(_Platform(), PICO), esp32.Hal(_Platform(), DEVKIT)):
        try:
            gateway.open_interface("ethernet")
            raise AssertionError("no error")
        except OSError:
            pass


def test_an_esp32_keeps_words_beside_its_mark_through_a_reset():
    _chip()
    hal = esp32.Hal(_Platform(), POE)
    assert hal.memory()[:5] != b"last:"
    hal.memory(b"last:words")
    assert hal.memory() == b"last:words"
    hal._mark_reset()
    assert hal.memory() == b"last:words"
