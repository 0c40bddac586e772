"""`eclor codec` writes a CSV as blocks and gives the same CSV back, on either runtime."""

import json

import pytest
from typer.testing import CliRunner

from host_tools.codec_stats import measure
from host_tools.commands.codec import app
from host_tools.problems import Problem
from host_tools.series import (
    Series,
    blocks,
    blocks_on_device,
    csv_text,
    decode_file,
    encode,
    read_csv,
)

_CSV = "t,energy,power,note\n" + "".join(
    f"{1700000000 + 10 * i + (i % 7 == 3) * 0.25:.3f},{5000000000 + 3 * i},"
    f"{'' if i % 50 == 9 else f'{-1.5 + i % 11 / 10:.2f}'},{i // 40}\n"
    for i in range(300)
)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "meter.csv"
    path.write_text(_CSV)
    return path


@pytest.mark.parametrize("rows", [1, 60, 1000])
def test_the_csv_comes_back_byte_for_byte(csv, tmp_path, rows):
    out = tmp_path / "meter.blk"
    done = CliRunner().invoke(app, ["encode", str(csv), "-o", str(out), "--rows", str(rows)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["decode", str(out)])
    assert done.stdout == _CSV
    if rows > 1:
        assert out.stat().st_size < len(_CSV) / 4


def test_micropython_writes_the_same_blocks(csv):
    series = read_csv(csv)
    assert blocks(series, 60) == blocks_on_device(series, 60)
    assert csv_text(decode_file(encode(series, 60, on_device=True))) == _CSV


def test_stats_are_of_every_codec_and_size(csv):
    done = CliRunner().invoke(app, ["stats", str(csv), "--rows", "60,240", "--json"])
    found = json.loads(done.stdout)
    assert set(found["geometric_mean"]) == {"60", "240"}
    codecs = found["sets"]["meter"]["60"]
    assert set(codecs) == {*("eclor", "pcodec", "zlib", "lzma", "senml", "cbor", "varint", "rice")}
    assert codecs["eclor"] < min(codecs[rival] for rival in set(codecs) - {"eclor"})


def test_what_cannot_be_read_is_said(tmp_path):
    for text, words in (("a,b\n1,2\n", "not t"), ("t,b\n1\n", "1 cells"), ("t,b\n1,x\n", "'x'")):
        path = tmp_path / "bad.csv"
        path.write_text(text)
        with pytest.raises(Problem, match=words):
            read_csv(path)
    with pytest.raises(Problem, match="record at byte 0"):
        decode_file(b"\x01\x01\x00\x05nonsense, more of it")


def test_a_block_that_comes_back_otherwise_is_no_figure(monkeypatch):
    series = Series("x", ["t", "a"], [0, 0], [(1000 * i, [i]) for i in range(9)])
    monkeypatch.setattr("host_tools.codec_stats.blocks", lambda found, rows: blocks(series, 4)[:2])
    with pytest.raises(Problem, match="otherwise"):
        measure([series], [4], rivals=())
