"""Growth beyond a margin is found, and so are files that the table does not know."""

from host_tools.packing import bundle, image
from host_tools.planning import site_rules
from tests import size


def test_growth_beyond_the_margin_is_found():
    committed = {"agent/a.mpy": 4000, "agent/b.mpy": 300, size.TOTAL: 4300, size.HEAP: 250_000}
    assert size.compare(committed, committed) == []
    within = {"agent/a.mpy": 4200, "agent/b.mpy": 364, size.TOTAL: 4343, size.HEAP: 255_000}
    assert size.compare(committed, within) == []
    for name, grown in within.items():
        found = size.compare(committed, within | {name: grown + 1})
        assert len(found) == 1 and found[0].startswith(f"{name}: {grown + 1} bytes"), found


def test_new_and_vanished_files_are_said():
    found = size.compare({"a.mpy": 1, "old.mpy": 5}, {"a.mpy": 1, "new.mpy": 2})
    assert found == [
        "new.mpy: 2 bytes, is not in the table",
        "old.mpy: is in the table and not measured",
    ]


def test_the_table_is_read_as_it_is_written():
    sizes = {"agent/a.mpy": 4000, size.TOTAL: 4000, size.HEAP: 250_000}
    assert size.read_table(size.as_table(sizes)) == sizes


def test_the_committed_table_knows_a_heap_and_most_files():
    table = size.read_table(size.TABLE.read_text())
    assert table[size.HEAP] < 393_216 and table["agent/app.mpy"] > 0


def test_eclor_check_leaves_room_for_two_firmwares_of_this_size():
    chips = [name for name in site_rules.board_names() if site_rules.board(name)["port"] != "unix"]
    files = image.files_for(chips)
    for name in chips:
        own = {path.with_suffix(".mpy").as_posix() for path in image.paths_for([name])}
        size = len(bundle.pack({path: files[path] for path in own}, "1", 1, [name]))
        assert size <= site_rules.SLOTS_BYTES // 2 - image.BLOCK_BYTES, (name, size)
    assert not [path for path in image.AT_A_DESK if path.replace(".py", ".mpy") in files]
    assert "agent/codec_viper.mpy" not in files, "machine code of this computer"


def test_what_is_for_a_desk_is_there_and_only_loaded_when_wanted():
    for name in image.AT_A_DESK:
        assert (image.ROOT / name).exists(), name
        module = name.removesuffix(".py").replace("/", ".")
        for path in image.sources():
            lines = (image.ROOT / path).read_text().splitlines()
            assert f"from {module} import" not in "".join(
                line for line in lines if not line.startswith(" ")
            ), path
