"""The last lines of a life are told by the next, and the flash is not worn by them."""

from agent.last_words import LastWords
from agent.log import Log
from tests.fakes.memory_ground import MemoryGround


class Memory:
    """What survives a reset beside an ESP32's clock."""

    def __init__(self):
        self.data = b"\x00" * 20
        self.writes = 0

    def __call__(self, data=None):
        if data is not None:
            self.data = data
            self.writes += 1
        return self.data


def told(log, ground, memory=None):
    notes = []
    words = LastWords(log, ground, memory)
    words.tell(lambda what, why: notes.append((what, why)))
    return words, notes


def test_what_was_kept_is_told_once():
    ground, log = MemoryGround(), Log(16)
    words, notes = told(log, ground)
    assert notes == []
    log.error("loop", "uplink: OSError: 5")
    words.keep("restart")
    _, notes = told(Log(16), ground)
    assert notes == [("last_words", "0 E loop: uplink: OSError: 5\nrestart")]
    assert told(Log(16), ground)[1] == []


def test_memory_that_survives_a_reset_gets_every_warning_and_the_flash_none():
    memory, log = Memory(), Log(16)
    words, notes = told(log, None, memory)
    assert notes == []
    words.step(1)
    assert memory.writes == 0
    log.warn("bus", "noise")
    words.step(2)
    words.step(3)
    assert memory.writes == 1
    log.error("app", "worse")
    words.step(4)
    assert told(Log(16), None, memory)[1][0][1] == "0 W bus: noise\n0 E app: worse"


def test_the_flash_is_written_for_errors_once_an_hour_at_most():
    ground, log = MemoryGround(), Log(16)
    words, _ = told(log, ground)
    writes = []
    commit = ground.commit
    ground.commit = lambda: (writes.append(1), commit())
    for second in range(0, 7300, 10):
        log.error("app", "again")
        log.warn("app", "and again")
        words.step(second)
    assert len(writes) == 3


def test_long_lines_are_cut_from_the_front_and_between_characters():
    ground, log = MemoryGround(), Log(16)
    words, _ = told(log, ground)
    for _ in range(9):
        log.error("app", "é" * 100)
    for end in ("the end", "the end!"):
        words.keep(end)
        text = told(Log(16), ground)[1][0][1]
        assert text.endswith("\n" + end) and 478 <= len(text.encode()) <= 480


def test_a_flash_that_fails_costs_the_words_only():
    ground = MemoryGround()
    words, _ = told(Log(16), ground)
    ground.fail = 100
    words.keep("restart")
    assert told(Log(16), ground)[1] == []
