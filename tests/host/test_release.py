"""Release keys and bundles: made, locked, signed, shown, refused."""

import pytest

from agent import signature
from host_tools.packing import bundle, release
from host_tools.problems import Problem
from tests.typed import eclor

PASSPHRASE = "a long enough passphrase"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("first", "second"):
        release.make_key(folder / f"{name}.pem", PASSPHRASE)
    return folder


def test_a_key_is_locked_for_its_owner_only_and_never_overwritten(keys):
    path = keys / "first.pem"
    assert path.stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(Problem, match="already"):
        release.make_key(path, PASSPHRASE)
    with pytest.raises(Problem, match="does not open"):
        release.read_key(path, "another one")
    with pytest.raises(Problem, match="at least 12"):
        release.make_key(keys / "short.pem", "short")
    assert not (keys / "short.pem").exists()


def test_what_is_signed_here_is_believed_by_the_device_and_nothing_else_is(keys):
    key = release.read_key(keys / "first.pem", PASSPHRASE)
    data = release.sign(bundle.pack({"a.mpy": b"x"}, "1", 1, ["host"]), key)
    public = release.read_public(keys / "first.pub")
    assert signature.is_signed(public, data[:576], data[576:960])
    release.verify(data, public)
    with pytest.raises(Problem, match="not signed by this key"):
        release.verify(data, release.read_public(keys / "second.pub"))
    assert bundle.read(data).rows[0].path == "a.mpy"
    for at in (0, 30, 60, 960, len(data) - 1):
        bad = bytearray(data)
        bad[at] ^= 1
        with pytest.raises(Problem):
            bundle.read(bytes(bad))
    with pytest.raises(Problem, match="no public release key"):
        release.read_public(keys / "first.pem")


def test_the_command_makes_what_it_shows(keys, tmp_path):
    out = tmp_path / "pico.bundle"
    words = f"bundle {out} --board rpi_pico_w --version 0.2.0 --counter 7 --key {keys}/first.pem"
    words += f" --next-key {keys}/second.pub --json"
    made = eclor(*words.split(), ECLOR_PASSPHRASE=PASSPHRASE)
    assert made.returncode == 0, made.stderr
    shown = eclor("bundle", str(out), "--show", "--public", str(keys / "first.pub"), "--json")
    assert shown.stdout == made.stdout
    read = bundle.read(out.read_bytes())
    assert (read.version, read.counter, read.boards) == ("0.2.0", 7, ("rpi_pico_w",))
    assert read.next_key == release.read_public(keys / "second.pub")
    paths = {row.path for row in read.rows}
    assert {"boards/rpi_pico_w.mpy", "firmware/hal/rp2.mpy", "agent/app.mpy"} <= paths
    assert not paths & {"boards/host.mpy", "firmware/hal/host.mpy", "firmware/hal/esp32.mpy"}
