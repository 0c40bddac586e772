"""Overwrites what a file system of littlefs has freed, a piece at a time (store.Files.scrub).

Not here: when (purge.py, firmware/provision.py), and the ring, which erases its own blocks. Bytes
that littlefs calls free are still there, in three places:

free blocks     until something else is written: one file of zeros grows until there is no room
entries         small contents lie in the directories' own logs, also after they were removed,
                until the log is copied: a file beside them is rewritten until it has been, twice,
                for a directory is a pair of blocks
fresh folders   take two free blocks and erase one: the other keeps what it held until the second
                copy. A folder that grows takes such a pair too; so the entries come again last.

    for _ in pieces(ground): ...      # each piece erases a few blocks; OSError from the flash
"""

from micropython import const

MARK = "~scrub"  # ends the names of all files made here
_ENOSPC = const(28)
_SPARE = const(18)  # segments that are left to others, but for the moment of the last piece
_BLOCK = const(4096)
_ENTRY = const(32)  # bytes of a commit beside the content, at least
_COMMITS = const(16)  # of one piece
_STEP = const(16)  # names of a long folder between two that are rewritten


def pieces(ground):
    """Do one piece after the other on an agent/store.Files, and yield after each.

    Raises OSError of the flash; what is left of the files then goes with the next scrub, or, the
    large one, when the ground is opened.
    """
    yield from _entries(ground)
    yield from _free(ground)
    yield from _entries(ground)


def _free(ground):
    zeros = bytes(512)
    while ground.free_segments() > _SPARE:
        _append(ground, zeros, 2 * ground.segment_size)
        yield
    try:
        while True:  # in one file that is not closed, so that nothing is free again before the end
            _append(ground, zeros, 1 << 30)
    except OSError as error:
        if error.errno != _ENOSPC:
            raise
    ground.remove(MARK)
    yield


def _append(ground, zeros, length):
    ground.begin(MARK, mode="ab")
    while length > 0:
        ground.put(zeros, 0, min(length, len(zeros)))
        length -= len(zeros)
    ground.commit()


def _entries(ground):
    """Have the log of each directory below the root copied twice, where it lies in parts each."""
    zeros = bytes(ground.small)
    commits = 2 * _BLOCK // (len(zeros) + _ENTRY) + 2
    for folder in _folders(ground, ""):
        names = []
        for name in ground.names(folder):
            if name.endswith(MARK):
                ground.remove(folder + name)  # of a scrub that a power cut ended
            else:
                names.append(name)
        names.sort()
        step = _STEP if len(names) > _STEP else 1
        for at in range(0, len(names) + step, step):
            name = folder + (_before(names[min(at, len(names) - 1)]) if names else MARK)
            for done in range(commits):
                ground.begin(name)
                ground.put(zeros, 0, len(zeros))
                ground.commit()
                if done % _COMMITS == 0:
                    yield
            ground.remove(name)


def _folders(ground, folder):
    yield folder
    for name in ground.names(folder):
        if ground.names(folder + name) is not None:
            yield from _folders(ground, folder + name + "/")


def _before(name):
    """Return a name that littlefs, which sorts, puts right before this one: in the same block."""
    last = ord(name[-1]) - 1
    return name[:-1] + ("." if last == 47 else chr(last)) + MARK  # 47: a slash
