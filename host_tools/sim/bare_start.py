"""Start the bare board of bare_board.py: `micropython -i bare_start.py LINK_JSON`.

MicroPython runs this file, CPython never does. It is what an image does before a person's files:
mount the flash, run /boot.py, then /main.py unless the host holds the raw prompt. What a chip has
and the unix port lacks, a reset and a watchdog, goes by datagrams to the supervisor.
"""


def _start():  # noqa: C901  # one piece: nothing of it stays behind
    # Nothing is imported or named outside: the prompt that follows must not find it there.
    import json
    import os
    import socket
    import sys
    import time

    with open(sys.argv[1]) as file:
        link = json.load(file)
    sys.path[:] = [link["firmware"]]
    host = __import__("host_start")

    class Device(host.ImageDevice):
        """The flash, whose power may fail within a write."""

        def __init__(self, path, blocks):
            super().__init__(path, blocks)
            self._left = link["cut_after_writes"]

        def writeblocks(self, block, buffer, offset=0):
            """Write; the write that the cut hits ends halfway."""
            self._left -= 1
            if self._left > 0:
                kennel.send(b"W")
            if self._left == 0:
                super().writeblocks(block, memoryview(buffer)[: len(buffer) // 2], offset)
                platform.say(b"C")
            super().writeblocks(block, buffer, offset)

    class Platform(host.Platform):
        """What boot.py runs on."""

        def arm(self):
            """Start the watchdog."""
            self._watchdog = self._watchdog or kennel
            self.feed()

        def reset(self):
            """Start again as after a power cut."""
            self.say(b"R")

        def sleep(self, ms):
            """Do nothing for so long, then start again."""
            self.say(b"S%d" % ms)

        def reset_in(self, minutes):
            """Start again by itself then."""
            kennel.send(b"T%d" % minutes)

        def say(self, word):
            """Tell the supervisor, which ends this process."""
            kennel.send(word)
            while True:
                time.sleep(1)

    class Watchdog:
        """machine.WDT."""

        def __init__(self, id=0, timeout=5000):
            platform.arm()

        def feed(self):
            """Feed it."""
            platform.feed()

    class Machine:
        """The module `machine`, as far as a prompt or a start needs it."""

        WDT = Watchdog
        PWRON_RESET, WDT_RESET, SOFT_RESET = 1, 3, 5

        def reset(self):
            """Start again."""
            platform.reset()

        def soft_reset(self):
            """Start the interpreter again."""
            sys.exit(0)

        def reset_cause(self):
            """Return why this life began."""
            return {"power": 1, "watchdog": 3}.get(link["reset_cause"], 5)

        def unique_id(self):
            """Return the chip's own number."""
            return bytes.fromhex(link["mac"])

    def run(name):
        """Run a file of the flash, if there is one, as an image does: an error is shown."""
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            return
        try:
            exec(compile(source, name, "exec"), {"__name__": "__main__"})
        except (Exception, KeyboardInterrupt) as error:
            getattr(sys, "print_exception", print)(error)

    kennel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    kennel.connect(socket.getaddrinfo("127.0.0.1", link["watchdog"])[0][-1])
    host.ImageDevice = Device
    platform = Platform(link)
    sys.modules["machine"] = Machine()
    del sys.modules["host_start"]
    os.chdir("/flash")
    sys.path[:] = ["/flash", ".frozen"]
    sys.argv[:] = []
    sys.stdout.write(link["mark"])
    run("boot.py")
    try:
        import boot

        boot.Chip = lambda: platform
    except Exception:
        pass  # there is none, or main.py will say what is wrong with it
    if link["main"]:
        run("main.py")


_start()
for _name in list(globals()):
    if not _name.startswith("__"):
        del globals()[_name]
