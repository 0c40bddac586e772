"""The porting contract: what a board must offer. One file per port, and nothing above asks which.

class Hal:
    root                        # where the file system is: "/flash" here, "" on a chip
    runtime                     # text: interpreter, version, machine
    cause                       # "power", "soft", "watchdog": why this life began
    def ticks_ms(self)          # 0 .. 2**30 - 1, wraps (drivers/ticks.py)
    def ticks_us(self)          # the same in microseconds
    def wall_ms(self)           # ms since 1970 UTC, 0 where no clock can be trusted
    def random(self, n)         # int in [0, n), n to 2**32
    def heap(self)              # (used, free) bytes
    def open_uart(self, name)   # an object with configure(line), write(data, count),
                                # readinto(buffer) -> count without waiting; OSError when gone
    def open_pins(self, names)  # inputs, pulled up, as an object like a UART's, whose bytes are
                                # their edges (drivers/pulse.py): interrupts stamp them into
                                # firmware/hal/edges.py; OSError when one is absent
    def remount(self)           # mount the file system anew after an OSError
    def led(self, on)           # optional: the LED that says "here I am"
    def reset(self)             # start again; does not return
"""
