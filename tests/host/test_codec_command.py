"""`eclor codec` writes a CSV as blocks and gives the same CSV back, on either runtime."""

import json

import pytest
from typer.testing import CliRunner

from host_tools.codec.series import (
    Series,
    blocks,
    blocks_on_device,
    csv_text,
    decode_file,
    encode,
    read_csv,
)
from host_tools.codec.stats import measure
from host_tools.commands.codec import app
from host_tools.problems import Problem

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


@pytest.mark.parametrize(
    "text",
    [
        "t,a\n1,5\n",
        "t,a\n",
        "t\n1\n2\n",
        "t,a\n1.500,1.50\n2.500,-0.25\n",
        "t,a\n1,1.5\n2,2\n3,2.25\n",
        "t,a\n1.5,1.5\n2.0,2.0\n3.125,2.25\n",
        "t,a\n1,-0.0\n2,-0\n3,0.0\n4,+5\n5,007\n6,.5\n7, 8\n",
        "t,a,b\r\n1,,\r\n2,3,\r\n3,,4\r\n",
        "t,a,a\n5,18446744073709551615,1\n4,-9223372036854775808,2\n5,0,3\n",
        "t,a\n9223372036854775,0.1234567890123456789\n",
    ],
)
def test_awkward_csvs_come_back_byte_for_byte(tmp_path, text):
    path, out = tmp_path / "meter.csv", tmp_path / "meter.blk"
    path.write_bytes(text.encode())
    done = CliRunner().invoke(app, ["encode", str(path), "-o", str(out)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert CliRunner().invoke(app, ["decode", str(out)]).stdout_bytes == text.encode()


def test_what_will_not_come_back_is_said(tmp_path):
    path, out = tmp_path / "meter.csv", tmp_path / "meter.blk"
    path.write_text("t,a\n" + "".join(f"{i},+{i}\n" for i in range(500)))
    done = CliRunner().invoke(app, ["encode", str(path), "-o", str(out)])
    assert done.exit_code == 0
    assert "meter.csv:2 will come back otherwise" in done.stderr


@pytest.mark.parametrize(
    "row, what, where",
    [
        ("1,nan", "'nan' is no decimal", ":3, column a"),
        ("1,-", "'-' is no decimal", ":3, column a"),
        ("1,1_000", "'1_000' is no decimal", ":3, column a"),
        ("x,1", "'x' is no decimal", ":3, column t"),
        ("-1,1", "before 1970", ":3, column t"),
        ("1,18446744073709551616", "65 bits", ":3, column a"),
        (",1", "no time", ":3"),
        ("1,2,3", "3 cells, the head has 2", ":3"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(tmp_path, row, what, where):
    path = tmp_path / "meter.csv"
    path.write_text(f"t,a\n1,1\n{row}\n")
    with pytest.raises(Problem, match=what) as raised:
        read_csv(path)
    assert raised.value.where == f"{path}{where}"


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
    monkeypatch.setattr("host_tools.codec.stats.blocks", lambda found, rows: blocks(series, 4)[:2])
    with pytest.raises(Problem, match="otherwise"):
        measure([series], [4], rivals=())
