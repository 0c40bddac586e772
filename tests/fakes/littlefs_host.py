"""The real littlefs on CPython, over a NorFlash, as agent/store.py sees a file system.

`littlefs-python` wraps littlefs' own C; the geometry is that of MicroPython's VfsLfs2
(extmod/vfs_lfsx.c: cache four times the program size, lookahead 32 bytes, block_cycles 100), so
agent/store.py makes the same operations here as on a board, ten times faster.

    format_littlefs(flash)
    ground = files_on(flash, "/j")
"""

import functools
import sys
import types
from errno import EIO
from pathlib import Path
from typing import Any

from littlefs import LittleFSError, lfs
from littlefs.context import UserContext

_STORE = Path(__file__).resolve().parent.parent.parent / "agent" / "store.py"
_APPEND = 0x2 | 0x100 | 0x800  # lfs.h: LFS_O_WRONLY, LFS_O_CREAT, LFS_O_APPEND
_CODE = compile(_STORE.read_text(), str(_STORE), "exec")


class _Device(UserContext):
    """What littlefs calls; an OSError of the flash is an error code there."""

    def __init__(self, flash):
        super().__init__(0)
        self.flash = flash

    def read(self, cfg, block, off, size):
        at = block * self.flash.block + off
        if self.flash.unreadable or self.flash.disturb_every:
            out = bytearray(size)
            try:
                self.flash.readblocks(block, out, off)
            except OSError:
                return out  # the wrapper has no way to say EIO for a read
            return out
        return self.flash.data[at : at + size]

    def prog(self, cfg, block, off, data):
        try:
            self.flash.writeblocks(block, data, off)
        except OSError:
            return -EIO
        return 0

    def erase(self, cfg, block):
        try:
            self.flash.ioctl(6, block)
        except OSError:
            return -EIO
        return 0

    def sync(self, cfg):
        return 0


def _config(flash):
    size = flash.program_size
    return lfs.LFSConfig(
        _Device(flash),
        block_size=flash.block,
        block_count=len(flash.data) // flash.block,
        read_size=4 * max(flash.read_size, size),  # what is programmed does not depend on it
        prog_size=size,
        cache_size=4 * max(32, size),
        lookahead_size=32,
        block_cycles=100,
        disk_version=0x0002_0000,
    )


def _told(work, *args):
    try:
        return work(*args)
    except LittleFSError as error:
        raise OSError(-error.code, error.name)


class _File:
    def __init__(self, system, path, mode):
        self._system = system
        if mode == "ab":  # the wrapper's own "a" wants the file to be there
            mode = _APPEND
        self._file = _told(lfs.file_open, system, path, mode)

    def write(self, data):
        return _told(lfs.file_write, self._system, self._file, bytes(data))

    def seek(self, at):
        return _told(lfs.file_seek, self._system, self._file, at, 0)

    def readinto(self, out):
        data = _told(lfs.file_read, self._system, self._file, len(out))
        out[: len(data)] = data
        return len(data)

    def read(self, size=1 << 20):
        return _told(lfs.file_read, self._system, self._file, size)

    def readline(self):
        line = b""
        while not line.endswith(b"\n") and (byte := self.read(1)):
            line += byte
        return line

    def close(self):
        _told(lfs.file_close, self._system, self._file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Os:
    """The functions of `os` that store.py calls."""

    def __init__(self, flash):
        self._config = _config(flash)
        self.system = lfs.LFSFilesystem()
        self.mount()

    def mount(self):
        _told(lfs.mount, self.system, self._config)

    def mkdir(self, path):
        _told(lfs.mkdir, self.system, path)

    def rename(self, before, after):
        _told(lfs.rename, self.system, before, after)

    def remove(self, path):
        _told(lfs.remove, self.system, path)

    def stat(self, path):
        return _told(lfs.stat, self.system, path)

    def statvfs(self, path):
        size = self._config.block_size
        free = self._config.block_count - lfs.fs_size(self.system)
        return (size, size, self._config.block_count, free, free, 0, 0, 0, 0, 255)

    def listdir(self, path):
        directory = _told(lfs.dir_open, self.system, path)
        names = []
        while entry := lfs.dir_read(self.system, directory):
            if entry.name not in {".", ".."}:
                names.append(entry.name)
        lfs.dir_close(self.system, directory)
        return names


def format_littlefs(flash):
    """Make an empty file system on the flash."""
    system = lfs.LFSFilesystem()
    _told(lfs.format, system, _config(flash))


def files_on(flash, root, **settings):
    """Mount the flash, return agent/store.py's Files on it. Raises OSError when it cannot be."""
    module: Any = types.ModuleType("agent.store over littlefs")
    exec(_CODE, module.__dict__)
    system = _Os(flash)
    names = vars(module)
    names["os"] = system
    names["open"] = lambda path, mode: _File(system.system, path, mode)

    def remount():
        system.system = lfs.LFSFilesystem()
        system.mount()

    return module.Files(root, remount=remount, **settings)


class _OsOfSlots(_Os):
    """Of which a stat is what MicroPython gives."""

    def stat(self, path):
        return (0, 0, 0, 0, 0, 0, super().stat(path).size, 0, 0, 0)


@functools.cache
def _code(path):
    return compile((_STORE.parent.parent / path).read_text(), path, "exec")


def modules_on(flash, *paths):
    """Mount the flash; return fresh modules of these files of the project that see only it.

    A later file that imports an earlier one gets the fresh one.
    """
    system = _OsOfSlots(flash)
    made: list[Any] = []
    kept: dict[str, Any] = {}
    try:
        for path in paths:
            module: Any = types.ModuleType(f"{path} over littlefs")
            exec(_code(path), module.__dict__)
            module.os = system
            module.open = lambda path, mode: _File(system.system, path, mode)
            made.append(module)
            name = path[:-3].replace("/", ".")
            kept[name] = sys.modules.get(name)
            sys.modules[name] = module
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return made
