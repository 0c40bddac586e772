"""A new firmware stays for what it does: acknowledged, calm, meters answering; else it goes."""

from agent.slots import Slots
from agent.trial import Trial, tell

SETTINGS = {"settle_s": 60, "trial_s": 600}


class Bench:
    """Slots that are written nowhere."""

    def __init__(self, state=None, running="b"):
        self.slots = Slots("", running, state or ["a", "b", 2, 0, 0, "meters 4"])
        self.slots.write = self.write
        self.removed = []
        self.slots.remove = self.removed.append
        self.written = []
        self.notes = []
        self.kept = []
        self.fails = False

    def write(self, state):
        if self.fails:
            raise OSError(5)
        self.written.append(list(state))
        self.slots.state = list(state)

    def trial(self, cause="soft"):
        def keep():
            self.kept.append(1)

        return Trial(
            self.slots, cause, 10, SETTINGS, lambda what, why: self.notes.append((what, why)), keep
        )


def test_it_is_confirmed_by_an_acknowledgement_of_its_own_and_not_before_it_settled():
    bench = Bench()
    trial = bench.trial()
    for uptime, acked, why in ((59, 99, "settling"), (60, 9, "nothing was acknowledged")):
        assert not trial.step(uptime, acked, 0, 4)
        assert trial.missing == why and not trial.is_over and not bench.kept
    assert not trial.step(61, 10, 0, 2)
    assert trial.is_over and bench.kept == [1]
    assert bench.written[-1] == ["b", "-", 0, 0, 0, ""]
    assert bench.notes == [("update_confirmed", "after 61 s")]


def test_errors_and_silent_meters_keep_it_on_trial():
    trial = Bench().trial()
    assert not trial.step(100, 99, 6, 4) and trial.missing == "6 errors"
    assert not trial.step(101, 99, 5, 1) and trial.missing == "1 of 4 meters answer"
    assert not trial.step(102, 99, 5, 2) and trial.is_over


def test_it_is_rolled_back_when_its_uptime_is_spent_over_starts():
    bench = Bench(["a", "b", 2, 0, 500, "meters 0"])
    trial = bench.trial()
    assert not trial.step(99, 0, 0, 0)
    assert trial.step(100, 0, 0, 0)
    assert bench.written[-1] == [
        "a", "-", 0, 0, 0, "rolled back from b: nothing was acknowledged after 600 s"
    ]  # fmt: skip


def test_planned_sleeps_interrupt_neither_settling_nor_the_count_of_its_time():
    bench = Bench(["a", "b", 3, 0, 0, "meters 0"])
    for life in range(59):  # of ten seconds each
        trial = bench.trial("sleep")
        for second in range(1, 11):
            assert not trial.step(second, 0, 0, 0, 10 * life)
        assert trial.missing == ("settling" if life < 5 else "nothing was acknowledged"), life
        trial.save()
        assert bench.slots.state == ["a", "b", 3, 0, 10 * life + 10, "meters 0"]
    trial = bench.trial("sleep")
    assert not trial.step(9, 0, 0, 0, 590) and trial.step(10, 0, 0, 0, 590)
    assert bench.slots.state[5].endswith("nothing was acknowledged after 600 s")
    bench = Bench(["a", "b", 3, 0, 300, "meters 0"])
    trial = bench.trial("sleep")
    assert not trial.step(5, 10, 0, 0, 55) and trial.is_over, "what an earlier wake wrote counts"


def test_a_life_that_ended_asleep_was_no_failed_start():
    bench = Bench(
        ["a", "b", 1, 0, 0, "meters 0"]
    )  # of three: two starts, by a command and a fault
    trial = bench.trial("fault")
    trial.step(5, 0, 0, 0)
    trial.save()
    assert bench.slots.state == ["a", "b", 3, 0, 5, "meters 0"]


def test_its_uptime_is_kept_each_minute():
    bench = Bench(["a", "b", 1, 0, 200, "meters 0"])
    trial = bench.trial()
    for uptime in range(181):
        trial.step(uptime, 0, 0, 0)
    assert [state[4] for state in bench.written] == [260, 320, 380]
    assert {state[2] for state in bench.written} == {1}


def test_a_start_that_a_power_cut_made_is_no_try():
    for cause, tries in (("power", 3), ("sleep", 3), ("soft", 2), ("watchdog", 2), ("fault", 2)):
        bench = Bench()
        bench.trial(cause)
        assert bench.slots.state[2] == tries, cause
    bench = Bench(["a", "b", 3, 0, 0, ""])
    bench.trial("power")
    assert bench.slots.state[2] == 3


def test_a_flash_that_cannot_be_written_confirms_nothing():
    bench = Bench()
    trial = bench.trial()
    bench.fails = True
    assert not trial.step(100, 99, 0, 4)
    assert not trial.is_over and "cannot be written" in trial.missing
    bench.fails = False
    trial.step(101, 99, 0, 4)
    assert trial.is_over


def test_a_note_of_any_form_is_no_number_of_meters():
    for note in ("", "meters", "meters x", "ImportError: no module", "meters -5"):
        trial = Bench(["a", "b", 2, 0, 0, note]).trial()
        trial.step(100, 99, 0, 0)
        assert trial.is_over


def test_what_boot_noted_is_told_once_and_a_failed_firmware_removed():
    bench = Bench(["a", "-", 0, 0, 0, "rolled back from b: OSError: 5"], "a")
    tell(bench.slots, lambda what, why: bench.notes.append((what, why)))
    tell(bench.slots, lambda what, why: bench.notes.append((what, why)))
    assert bench.notes == [("boot", "rolled back from b: OSError: 5")]
    assert bench.removed == ["b"] and bench.slots.state[5] == ""
    bench = Bench(["a", "-", 0, 1, 0, "MemoryError: x"], "a")
    tell(bench.slots, lambda what, why: bench.notes.append((what, why)))
    assert bench.notes and not bench.removed and bench.slots.state[3] == 1
    bench = Bench()
    tell(bench.slots, lambda what, why: bench.notes.append((what, why)))
    assert not bench.notes


def test_a_note_that_cannot_be_cleared_is_told_again():
    bench = Bench(["a", "-", 0, 1, 0, "MemoryError: x"], "a")
    bench.fails = True
    tell(bench.slots, lambda what, why: bench.notes.append((what, why)))
    assert bench.notes and bench.slots.state[5] == "MemoryError: x"


def test_half_of_the_meters_is_enough_and_a_third_is_not():
    for state, answering, enough in (
        ("meters 3", 1, False),
        ("meters 3", 2, True),
        ("meters 2", 1, True),
    ):
        trial = Bench(["a", "b", 2, 0, 0, state]).trial()
        trial.step(60, 99, 0, answering)
        assert trial.is_over is enough, state


def test_a_start_that_power_made_necessary_costs_no_try():
    for cause, tries, left in (("power", 2, 3), ("sleep", 1, 2), ("soft", 2, 2), ("power", 3, 3)):
        bench = Bench(["a", "b", tries, 0, 70, "meters 4"])
        bench.trial(cause)
        assert bench.slots.state[2] == left and bench.slots.state[4] == 70
    bench = Bench()
    bench.fails = True
    trial = bench.trial("power")  # it cannot be written: boot.py has counted, and errs safely
    assert bench.slots.state[2] == 2
    trial.save()
    assert not trial.step(61, 10, 0, 4) and "cannot be written" in trial.missing


def test_time_is_kept_each_minute_of_uptime():
    bench = Bench(["a", "b", 2, 0, 30, ""])
    trial = bench.trial()
    for uptime in range(1, 200):
        trial.step(uptime, 0, 0, 0)
    assert [state[4] for state in bench.written] == [90, 150, 210]
    trial.save()
    assert bench.written[-1][4] == 229
