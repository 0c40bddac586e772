"""Start the gateway on this computer: `micropython firmware/host_start.py LINK_JSON`.

Mounts the littlefs image named by the link file at /flash and runs its boot.py, as a board does.
Everything but this file and the hal comes from the image.
"""

import json
import os
import socket
import sys
import time

import vfs

SLEEPS = 75  # the exit code of a board that sleeps


class ImageDevice:
    """A file as a block device (os.AbstractBlockDev, extended interface)."""

    def __init__(self, path, blocks, block_size=4096):
        self._file = open(path, "r+b", 0)
        self._blocks = blocks
        self._size = block_size

    def readblocks(self, block, buffer, offset=0):
        """Read len(buffer) bytes."""
        self._file.seek(block * self._size + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Write the buffer into what an erase left."""
        self._file.seek(block * self._size + offset)
        self._file.write(buffer)

    def ioctl(self, operation, argument):
        """Answer count (4) and size (5) of blocks, erase (6) one as flash does: all of it.

        Old bytes behind what is written next would be there for whoever reads the image.
        """
        if operation == 6:
            self._file.seek(argument * self._size)
            self._file.write(b"\xff" * self._size)
        if operation == 4:
            return self._blocks
        if operation == 5:
            return self._size
        return 0


def _mount(device):
    vfs.mount(vfs.VfsLfs2(device, progsize=32, readsize=32, lookahead=32), "/flash")


class Platform:
    """This computer as boot.py wants a board."""

    root = "/flash"

    def __init__(self, link):
        """link: dict made by the supervisor, see host_tools/sim/board.py."""
        self.link = link
        self._device = ImageDevice(link["flash"], link["blocks"])
        self._watchdog = None
        _mount(self._device)

    def remount(self):
        """Mount the file system anew."""
        vfs.umount("/flash")
        _mount(self._device)

    def arm(self):
        """Start the watchdog of the emulated board, if it has one: a datagram feeds it."""
        port = self.link.get("watchdog")
        if port and self._watchdog is None:
            self._watchdog = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._watchdog.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        self.feed()

    def feed(self):
        """Feed the watchdog, once it is armed."""
        if self._watchdog:
            try:
                self._watchdog.send(b"1")
            except OSError:
                pass  # the board has gone; so shall this process

    def reset(self):
        """End the process; the emulated board starts it again."""
        sys.exit(0)

    def sleep(self, ms):
        """End the process with a wake-up time; the emulated board starts it again then."""
        with open(self.link["wake"], "w") as file:
            file.write(str(ms))
        sys.exit(SLEEPS)

    def reset_in(self, minutes):
        """Nothing to do: without firmware this process ends, and the emulated board starts it."""

    def shine(self, on):
        """This computer has no LED."""

    def sleep_s(self):
        """Wait a second; it is no hang."""
        self.feed()
        time.sleep(1)


def main():
    """Mount, then boot from the image."""
    with open(sys.argv[1]) as file:
        platform = Platform(json.load(file))
    os.chdir("/flash")
    sys.path.clear()
    sys.path.append("/flash")
    sys.path.append(".frozen")
    import boot

    boot.start(platform)


if __name__ == "__main__":
    main()
