"""Power cuts at every program and erase of a change of configuration, over the real littlefs.

After each cut the next start finds one of the two whole pairs, with its own secrets; and from
there the change can be made again.
"""

from agent.settings import pack
from tests.fakes.littlefs_host import format_littlefs, modules_on
from tests.fakes.nor_flash import FORMS, Noise, NorFlash, tear

BLOCKS = 16
OLD = {"gateway": "gw", "site": "old" * 30}
NEW = {"gateway": "gw", "site": "new" * 300}
FILES = ("agent/slots.py", "agent/settings.py")


def _secrets(config):
    return {"uplink.key": config["site"]}


def _settings(data, watch=None):
    flash = NorFlash(data)
    flash.watch = watch
    return modules_on(flash, *FILES)[1].Settings("")


def _fresh():
    data = bytearray(b"\xff" * 4096 * BLOCKS)
    format_littlefs(NorFlash(data))
    _settings(data).store(OLD, _secrets(OLD), True)
    return data


def _change(data, end, watch=None):
    """Stage the new one in pieces, put it on trial, start with it, confirm it or roll it back."""
    settings = _settings(data, watch)
    settings.choose()
    text = pack(NEW, {}, 1)[0]
    for at in range(0, len(text), 400):
        settings.stage(text[at : at + 400], at == 0)
    settings.store(settings.staged(), _secrets(NEW), True)
    trial = _settings(data, watch)
    assert trial.choose()["site"] == NEW["site"] and trial.is_on_trial
    if end == "confirmed":
        trial.write([trial.running, "-", 0, 0, 0, ""])
    else:
        trial.roll_back("nothing was acknowledged")
        trial.remove(trial.target)


def _found(data):
    tree = _settings(data).choose()
    assert tree is not None, "no configuration"
    assert tree["site"] in (OLD["site"], NEW["site"])
    assert tree["uplink"]["key"] == tree["site"], "the secrets of the other one"
    return tree["site"]


def _every_cut(end):
    found = []
    noise = Noise(9)

    def watch(flash, at, source):
        for form in FORMS:
            data = bytearray(flash.data)
            tear(data, at, source, len(source) if source else flash.block, form, noise)
            found.append(data)

    data = _fresh()
    _change(data, end, watch)
    wanted = NEW if end == "confirmed" else OLD
    assert _found(data) == wanted["site"]
    seen = set()
    for torn in found:
        seen.add(_found(torn))
        again = _settings(torn)
        again.store(NEW, _secrets(NEW), False)
        assert _found(torn) == NEW["site"]
    return len(found), seen


def test_every_cut_of_a_change_that_stays_leaves_one_whole_configuration():
    cuts, seen = _every_cut("confirmed")
    assert cuts > 30 and seen == {OLD["site"], NEW["site"]}


def test_every_cut_of_a_change_that_goes_leaves_one_whole_configuration():
    cuts, seen = _every_cut("rolled back")
    assert cuts > 30 and OLD["site"] in seen
