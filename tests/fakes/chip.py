"""A chip in virtual time: the modules machine, network, vfs, rp2 and esp32 of MicroPython's ports.

What a test can see: every level of every pin with its time, bytes that leave a UART at its real
speed, and how long a call kept the processor. The clock moves by `cost_us` at each look at it, so
that a loop which waits comes to an end.

    chip = Chip()
    chip.install()          # before firmware.hal.rp2 or .esp32 is imported
    chip.patch(module)      # gives a module of the hal the virtual `time` and `os`
"""

import sys

_PERIOD = 1 << 30


class Time:
    """MicroPython's module time, as far as the hal uses it."""

    def __init__(self):
        self.now_us = _PERIOD - 50_000  # so that every test crosses the wrap
        self.cost_us = 10

    def ticks_us(self):
        self.now_us += self.cost_us
        return self.now_us % _PERIOD

    def ticks_ms(self):
        self.now_us += self.cost_us
        return self.now_us // 1000 % _PERIOD

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % _PERIOD

    def ticks_diff(self, end, start):
        return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


class Pin:
    """One pin; `levels` is its history of (us, level)."""

    IN = 0
    OUT = 1
    PULL_UP = 2
    IRQ_RISING = 4
    IRQ_FALLING = 8
    chip: "Chip"

    def __new__(cls, number, mode=None, pull=None, value=None):
        pin = cls.chip.pins.get(number)
        if pin is None:
            pin = cls.chip.pins[number] = object.__new__(cls)
            pin.number = number
            pin.levels = []
            pin.mode = pin.pull = pin.handler = None
        if mode is not None:
            pin.mode = mode
            pin.pull = pull
        if value is not None:
            pin.value(value)
        return pin

    def irq(self, handler, trigger, **options):
        self.handler = handler
        self.interrupt = options

    def drive(self, level, is_told=True):
        """Change the level from outside; is_told: the interrupt comes through."""
        self.value(level)
        if is_told and self.handler:
            self.handler(self)

    def value(self, level=None):
        if level is None:
            return self.levels[-1][1] if self.levels else int(self.pull == self.PULL_UP)
        self.levels.append((self.chip.time.now_us, level))

    def level_at(self, at_us):
        """Return the level at a time, 0 before the first."""
        level = 0
        for changed_us, to in self.levels:
            if changed_us <= at_us:
                level = to
        return level


class UART:
    """A UART of a chip: `frames` is what left it, (start_us, end_us, bytes)."""

    chip: "Chip"
    numbers = (0, 1, 2)

    def __init__(self, number, baud, **settings):
        if number not in self.numbers:
            raise ValueError("UART(%d) does not exist" % number)
        self.number = number
        self.frames = []
        self.arrived = b""
        self.start_delay_us = 0
        self.early_us = 0  # it says that all has left while the last character is shifted out
        self.is_stuck = False
        self.is_full = False
        self.chip.uarts[number] = self
        self.init(baud, 8, None, 1, **settings)

    def init(self, baud, bits, parity, stop, **settings):
        self.line = (baud, bits, parity, stop)
        self.settings = settings
        self._char_us = (1 + bits + (parity is not None) + stop) * 1e6 / baud

    def write(self, data):
        if self.is_full:
            return None
        start = self.chip.time.now_us + self.start_delay_us
        self.frames.append((start, start + len(data) * self._char_us, bytes(data)))
        return len(data)

    def txdone(self):
        self.chip.time.now_us += self.chip.time.cost_us
        return not self.is_stuck and (self.chip.time.now_us >= self.frames[-1][1] - self.early_us)

    def any(self):
        return len(self.arrived)

    def readinto(self, buffer, count):
        taken = self.arrived[:count]
        self.arrived = self.arrived[count:]
        buffer[: len(taken)] = taken
        # rp2 waits for each character that is not there yet.
        self.chip.time.now_us += int((count - len(taken)) * 2 * self._char_us)
        return len(taken) or None


class RTC:
    """The chip's clock, and the memory beside it that survives a reset."""

    chip: "Chip"

    def datetime(self, new=None):
        if new is None:
            return self.chip.rtc
        self.chip.rtc = new

    def memory(self, new=None):
        if new is None:
            return self.chip.rtc_memory
        self.chip.rtc_memory = bytes(new)


class ADC:
    """What a pin has, `chip.volts`; 3.3 V is the whole range."""

    ATTN_11DB = 3
    chip: "Chip"

    def __init__(self, pin, **settings):
        self.pin = pin
        self.settings = settings
        self.chip.adc = self

    def read_u16(self):
        return int(self.chip.volts / 3.3 * 65535)

    def read_uv(self):
        return int(self.chip.volts * 1e6)


class WDT:
    """The watchdog; `chip.watchdog` is the running one."""

    chip: "Chip"

    def __init__(self, timeout):
        self.timeout = timeout
        self.fed = 0
        self.chip.watchdog = self

    def feed(self):
        self.fed += 1


class WLAN:
    """A WiFi station in a place with `chip.networks`: name -> key."""

    chip: "Chip"

    def __init__(self, kind):
        self.is_active = False
        self._status = 0
        self.joined = None
        self.chip.station = self

    def active(self, on=None):
        if on is None:
            return self.is_active
        self.is_active = bool(on)
        if not on:
            self.disconnect()

    def disconnect(self):
        self.joined = None
        self._status = Network.STAT_IDLE

    def connect(self, name, key):
        if not self.is_active:
            raise OSError(1)
        if name not in self.chip.networks:
            self._status = Network.STAT_NO_AP_FOUND
        elif self.chip.networks[name] != key:
            self._status = Network.STAT_WRONG_PASSWORD
        else:
            self._status = Network.STAT_CONNECTING
            self.joined = name

    def settle(self):
        """Let time pass: who was joining has an address."""
        if self.joined:
            self._status = Network.STAT_GOT_IP

    def isconnected(self):
        return self._status == Network.STAT_GOT_IP

    def status(self, what=None):
        return -61 if what == "rssi" else self._status


class LAN:
    """The Ethernet of an ESP32; `wiring` is what it was made with."""

    chip: "Chip"

    def __init__(self, number, **wiring):
        self.wiring = wiring
        self.is_active = False
        self.plugged = 0  # one of Network.ETH_...
        self.chip.lan = self

    def active(self, on=None):
        if on is None:
            return self.is_active
        self.is_active = bool(on)

    def status(self):
        return self.plugged


class Network:
    """The constants of the module network, as on ESP32."""

    STA_IF = 0
    STAT_IDLE = 1000
    STAT_CONNECTING = 1001
    STAT_GOT_IP = 1010
    STAT_NO_AP_FOUND = 201
    STAT_WRONG_PASSWORD = 202
    PHY_LAN8720 = 1
    ETH_CONNECTED = 3
    ETH_DISCONNECTED = 4
    ETH_GOT_IP = 5
    WLAN = WLAN
    LAN = LAN


class _Machine:
    PWRON_RESET = 1
    HARD_RESET = 2
    WDT_RESET = 3
    DEEPSLEEP_RESET = 4
    SOFT_RESET = 5

    def __init__(self, chip):
        self._chip = chip
        self.Pin = Pin
        self.UART = UART
        self.RTC = RTC
        self.WDT = WDT
        self.ADC = ADC
        self.mem32 = chip.registers

    def disable_irq(self):
        self._chip.locks += 1
        return "state"

    def enable_irq(self, state):
        self._chip.locks -= 1

    def unique_id(self):
        return b"\xe6\x60\x01\x02"

    def reset_cause(self):
        return self._chip.reset_cause

    def deepsleep(self, ms):
        self._chip.slept_ms = ms


class _Vfs:
    def __init__(self, chip):
        self._chip = chip

    def umount(self, path):
        self._chip.mounts.append(("umount", path))

    def mount(self, files, path):
        self._chip.mounts.append((files, path))

    def VfsLfs2(self, device, **options):  # noqa: N802  # the port's name
        return (device, options)


class PIO:
    SHIFT_LEFT = 0
    JOIN_RX = 2


class _Delayed:
    """One instruction of a state machine; [n] adds n cycles."""

    def __init__(self, program, *what):
        self.what = what
        self.delay = 0
        program.append(self)

    def __getitem__(self, cycles):
        self.delay = cycles


def asm_pio(**options):
    """Assemble as MicroPython's does: the program is a function of names that it does not have."""

    def assemble(function):
        program = []
        labels = {}

        def said(name):
            return lambda *args: _Delayed(program, name, *args)

        names = {name: said(name) for name in ("set", "in_", "jmp", "push", "irq")}
        names.update({name: name for name in ("x", "pins", "x_dec", "noblock")})
        names["rel"] = lambda number: ("rel", number)
        names["label"] = lambda name: labels.update({name: len(program)})
        space = function.__globals__
        kept = dict(space)
        space.update(names)
        function()
        for name in names:
            del space[name]
        space.update(kept)
        return options, program, labels

    return assemble


class StateMachine:
    """A PIO's state machine; `run_to` lets it live, with or without interrupts."""

    chip: "Chip"
    taken: tuple = ()

    def __init__(self, number, program, freq, in_base):
        if number in self.taken:
            raise ValueError("StateMachine claimed by external resource")
        self.options, self._program, self._labels = program
        self._cycle_us = 1_000_000 / freq
        self.pin = in_base
        self.number = number
        self._handler = None
        self.restart()
        self.is_active = False
        self.chip.machines.append(self)

    def active(self, on):
        self.is_active = bool(on)
        self._at_us = self.chip.time.now_us

    def irq(self, handler, hard=False):
        self._handler = handler
        self.is_hard = hard

    def restart(self):
        self._x = self._next = self._isr = 0
        self._fifo = []
        self._flag = False

    def rx_fifo(self):
        return len(self._fifo)

    def get(self, words):
        words[0] = self._fifo.pop(0)

    def run_to(self, now_us, is_stalled=False):
        """Do instructions until now; an interrupt comes late where none may run."""
        while self.is_active and self._at_us < now_us:
            step = self._program[self._next]
            self._next = (self._next + 1) % len(self._program)
            what = step.what
            if what[0] == "set":
                self._x = what[2]
            elif what[0] == "in_":
                pin = self.pin
                level = pin.level_at(int(self._at_us)) if pin.levels else pin.value()
                self._isr = self._isr << 1 | level
            elif what[0] == "jmp":
                if self._x:
                    self._next = self._labels[what[2]]
                self._x -= 1
            elif what[0] == "push":
                if len(self._fifo) < (8 if self.options["fifo_join"] == PIO.JOIN_RX else 4):
                    self._fifo.append(self._isr & 0xFFFFFFFF)
                self._isr = 0
            else:
                self._flag = True
            self._at_us += self._cycle_us * (1 + step.delay)
            if self._flag and not is_stalled:
                self._flag = False
                before = self.chip.time.now_us
                self.chip.time.now_us = int(self._at_us)
                self._handler(self)
                self.chip.time.now_us = before


class _Rp2:
    PIO = PIO
    StateMachine = StateMachine

    def __init__(self):
        self.asm_pio = asm_pio

    def Flash(self):  # noqa: N802  # the port's name
        return "flash"


class Partition:
    """The partition table of an ESP32 image."""

    TYPE_DATA = 1

    @staticmethod
    def find(kind, label):
        return [] if label == "journal" else ["partition " + label]  # a stock image


class PCNT:
    """A pulse counter: the edges of its pin since it was read last; `units` has them all."""

    INCREMENT = 1
    chip: "Chip"
    units = 8

    def __init__(self, unit, pin, rising, falling, filter, value):  # the port's
        if unit >= self.units:
            raise ValueError("invalid id")
        assert rising == falling == self.INCREMENT and 1 <= filter <= 1023 and value == 0
        self.pin = pin
        self.has_started = False
        self.chip.counters[unit] = self

    def start(self):
        self.has_started = True
        self._edges()
        self._read_us = self.chip.time.now_us

    def value(self, new):
        assert new == 0 and self.has_started
        edges = self._edges()
        self._read_us = self.chip.time.now_us
        return edges

    def _edges(self):
        since = getattr(self, "_read_us", -1)
        return len([at for at, _ in self.pin.levels if since < at <= self.chip.time.now_us])


class _Esp32:
    Partition = Partition
    PCNT = PCNT


class _Os:
    def urandom(self, count):
        return bytes(range(1, count + 1))


class Chip:
    """The world of one test."""

    def __init__(self):
        self.time = Time()
        self.pins = {}
        self.uarts = {}
        self.rtc = (2021, 1, 1, 4, 0, 0, 0, 0)
        self.rtc_memory = b""
        self.registers = {0x3FF48034: 1, 0x60008038: 1, 0x4010002C: 1 << 16}
        for scratch in (0x4005800C, 0x400D800C):
            for at in range(3):
                self.registers[scratch + 4 * at] = 0
        self.slept_ms = 0
        self.volts = 0.0
        self.adc = None
        self.reset_cause = _Machine.PWRON_RESET
        self.resets = 0
        self.locks = 0  # disable_irq without its enable_irq
        self.networks = {}
        self.mounts = []
        self.watchdog = self.station = self.lan = None
        self.machines = []
        self.counters = {}
        for part in (Pin, UART, RTC, WDT, ADC, WLAN, LAN, StateMachine, PCNT):
            part.chip = self

    def install(self):
        """Make `import machine` and its like find this chip."""
        for name, module in (
            ("machine", _Machine(self)),
            ("network", Network),
            ("vfs", _Vfs(self)),
            ("rp2", _Rp2()),
            ("esp32", _Esp32),
        ):
            sys.modules[name] = module

    def patch(self, *modules):
        """Give modules that were imported already this chip's parts."""
        for module in modules:
            for name, part in (
                ("machine", _Machine(self)),
                ("vfs", _Vfs(self)),
                ("time", self.time),
                ("os", _Os()),
            ):
                if hasattr(module, name):
                    setattr(module, name, part)


def uninstall():
    """Take the fakes away from `import` again."""
    for name in ("machine", "network", "vfs", "rp2", "esp32"):
        sys.modules.pop(name, None)
