"""Every contract of the customer output: tariffs, producers, over-loads, PME-PMI, the season.

How groups are read is tested in test_tic.py; here what each kind of meter says, through its map.
"""

from drivers import load_map
from drivers.reading import GOOD, IMPLAUSIBLE
from drivers.tic import TIC
from drivers.tic_labels import STGE, look_up
from tests.fakes.collector_of_readings import Collected


def _group(text):
    separator = "\t" if "\t" in text else " "
    summed = (text + separator if separator == "\t" else text).encode()
    check = (sum(summed) & 0x3F) + 0x20
    return b"\n" + text.encode() + separator.encode() + bytes((check,)) + b"\r"


def _frame(*texts):
    return b"\x02" + b"".join([_group(text) for text in texts]) + b"\x03"


def _by_code(got):
    """Return the values of the first reading by their labels."""
    return {point.code: got.rows[0][i][1] for i, point in enumerate(got.driver.points)}


# contract (OPTARIF): its indexes, its periods (PTEC); CPT_02E, 5.3
_HISTORIQUE = (
    ("BASE", ("BASE",), ("TH..",)),
    ("HC..", ("HCHC", "HCHP"), ("HC..", "HP..")),
    ("EJP.", ("EJPHN", "EJPHPM"), ("HN..", "PM..")),
    (
        "BBR(",
        ("BBRHCJB", "BBRHPJB", "BBRHCJW", "BBRHPJW", "BBRHCJR", "BBRHPJR"),
        ("HCJB", "HPJB", "HCJW", "HPJW", "HCJR", "HPJR"),
    ),
)
# contract (NGTF): how many of the ten indexes move; CPT_54E, 6.2.3
_STANDARD = (
    ("      BASE      ", 1),
    ("H PLEINES/CREUSE", 2),
    ("      EJP       ", 2),
    ("     TEMPO      ", 6),
    ("  HC WEEK-END   ", 3),
)


def test_each_index_of_each_tariff_of_historique_is_a_counter_of_the_map():
    table = load_map("tic_historique")
    for contract, labels, periods in _HISTORIQUE:
        names = [row[0] for row in table["points"] if row[4] in labels]
        assert len(names) == len(labels), contract
        for period in periods:
            groups = ["ADCO 012345678901", "OPTARIF " + contract, "ISOUSC 45"]
            groups += ["%s %09d" % (label, 1000 + i) for i, label in enumerate(labels)]
            groups += ["PTEC " + period, "IINST 004", "IMAX 030", "PAPP 00850"]
            data = _frame(*groups, "HHPHC D", "MOTDETAT 000000")
            got = Collected(TIC(table, {"points": names})).feed(data)
            order = [row[4] for row in table["points"] if row[0] in names]
            wanted = [1000 + labels.index(label) for label in order]
            assert [cell[1] for cell in got.rows[0]] == wanted and not got.errors, contract
            open_frame = Collected(TIC(None, {})).feed(data).frames[0]
            assert open_frame["PTEC"][0] == period.encode()


def test_ejp_and_tempo_announce_themselves():
    data = _frame("EJPHN 000000001", "EJPHPM 000000002", "PEJP 30", "PTEC HN..", "PAPP 00100")
    assert Collected(TIC(None, {})).feed(data).frames[0]["PEJP"][:3] == (30, 0, "min")
    data = _frame("BBRHCJB 000000001", "DEMAIN ROUG", "PTEC HCJB", "PAPP 00100")
    assert Collected(TIC(None, {})).feed(data).frames[0]["DEMAIN"][0] == b"ROUG"


def test_each_tariff_of_standard_moves_its_own_indexes():
    table = load_map("linky_standard")
    names = ["energy_import_t%02d" % (i + 1) for i in range(10)] + ["tariff_index"]
    for contract, count in _STANDARD:
        groups = ["ADSC\t012345678901", "VTIC\t02", "NGTF\t" + contract, "EAST\t%09d" % 5000]
        for i in range(10):
            groups.append("EASF%02d\t%09d" % (i + 1, 100 + i if i < count else 0))
        for tariff in range(1, count + 1):
            word = 0x003A0001 | (tariff - 1) << 10
            data = _frame(*groups, "NTARF\t%02d" % tariff, "STGE\t%08X" % word)
            got = Collected(TIC(table, {"points": names})).feed(data)
            values = _by_code(got)
            indexes = [values["EASF%02d" % (i + 1)] for i in range(10)]
            assert indexes == [100 + i if i < count else 0 for i in range(10)], contract
            assert values["NTARF"] == tariff and not got.errors


def test_a_producer_has_what_it_injects():
    data = _frame(
        "EAST\t000001234",
        "EAIT\t000567890",
        "ERQ1\t000000011",
        "ERQ2\t000000012",
        "ERQ3\t000000013",
        "ERQ4\t000000014",
        "SINSTI\t02950",
        "SMAXIN\tE260704120000\t03010",
        "CCAIN\tE260704120000\t02900",
        "STGE\t003A0301",
    )
    got = Collected(TIC(load_map("linky_producer"), {})).feed(data)
    values = _by_code(got)
    assert values["EAIT"] == 567890 and values["SINSTI"] == 2950
    frame = Collected(TIC(None, {})).feed(data).frames[0]
    assert [frame["ERQ%d" % n][0] for n in (1, 2, 3, 4)] == [11, 12, 13, 14]
    assert frame["STGE.producer"][0] == 1 and frame["STGE.exporting"][0] == 1
    assert frame["SMAXIN"][4] == frame["CCAIN"][4] == 1783159200


def test_each_bit_of_the_status_word_belongs_to_its_field_and_no_other():
    unused = {5, 18}  # CPT_54E, 6.2.3.14
    for bit in range(32):
        frame = Collected(TIC(None, {})).feed(_frame("STGE\t%08X" % (1 << bit))).frames[0]
        moved = [(code, cell[0]) for code, cell in frame.items() if "." in code and cell[0]]
        if bit in unused:
            assert moved == []
            continue
        name, low = next((n, low) for n, low, count in STGE if low <= bit < low + count)
        assert moved == [("STGE." + name, 1 << bit - low)]


def test_times_go_on_over_both_changes_of_the_season():
    def seconds(text):
        data = _frame("DATE\t%s\t" % text, "EAST\t000000001")
        return Collected(TIC(None, {})).feed(data).frames[0]["EAST"][4]

    autumn = ("E261025015959", "E261025020000", "E261025025959", "H261025020000", "H261025025959")
    steps = [seconds(text) for text in autumn]
    assert [at - steps[0] for at in steps] == [0, 1, 3600, 3601, 7200]
    assert seconds("E260329030000") - seconds("H260329015959") == 1
    assert seconds("E260704120000") == seconds("e260704120000")  # its clock is degraded
    assert seconds("H260101000000") == 1767222000
    assert seconds("X260101000000") is None and seconds("H261301000000") is None


def test_an_overload_is_told_with_its_phase():
    frame = Collected(TIC(None, {})).feed(_frame("IINST 055", "ADPS 055", "PAPP 12000")).frames[0]
    assert frame["ADPS"][:3] == (55, 0, "A")
    short = _frame("ADIR1 055", "ADIR2 000", "ADIR3 061", "IINST1 055", "IINST2 000", "IINST3 061")
    frame = Collected(TIC(None, {})).feed(short).frames[0]
    assert [frame["ADIR%d" % n][0] for n in (1, 2, 3)] == [55, 0, 61]
    names = [row[0] for row in load_map("tic_historique")["points"] if row[4] == "ADPS"]
    driver = TIC(load_map("tic_historique"), {"points": names})
    assert Collected(driver).feed(_frame("ADPS 055")).rows[0][0][1] == 55


def test_three_phases_have_three_of_each():
    data = _frame(
        "EAST\t000000001",
        "IRMS1\t001",
        "IRMS2\t002",
        "IRMS3\t003",
        "URMS1\t231",
        "URMS2\t232",
        "URMS3\t233",
        "SINSTS1\t00101",
        "SINSTS2\t00102",
        "SINSTS3\t00103",
        "SMAXSN1-1\tH260101000000\t00901",
    )
    got = Collected(TIC(load_map("linky_standard_3p"), {})).feed(data)
    values = _by_code(got)
    for n in (1, 2, 3):
        assert (values["IRMS%d" % n], values["URMS%d" % n]) == (n, 230 + n)
    assert look_up(b"SMAXSN1-1")[0] == "power_apparent_max_yesterday_l1"


def test_a_pme_pmi_meter_is_found_by_itself_and_its_units_are_its_own():
    table = load_map("pme_pmi")
    driver = TIC(table, {"mode": "auto", "points": ("energy_import",)})
    got = Collected(driver)
    data = _frame("ADS 012345678901", "EA_s 0012345kWh", "PTCOUR1 HPH", "PA1_s 0042kW")
    for second in range(6):  # at the wrong rate it is noise
        got.feed(bytes([0x55, 0x7F, 0x20, 0x41]) * 60, now_ms=second * 1000)
    assert driver.line == (1200, 7, "E", 1)
    got.feed(data, now_ms=7000)
    assert got.rows[-1][0][1:5] == (12345000, 0, "Wh", GOOD)
    assert driver.line == (1200, 7, "E", 1)


def test_a_loss_in_the_middle_costs_the_groups_it_hit_and_no_other():
    groups = ["EAST\t000001000", "IRMS1\t004", "URMS1\t231", "SINSTS\t00924", "NTARF\t01"]
    data = _frame(*groups)
    names = ("energy_import", "current_l1", "voltage_l1", "power_apparent", "tariff_index")
    for first in range(1, len(data) - 1):
        for count in (1, 3, 9):
            part = data[:first] + data[first + count :]
            got = Collected(TIC(load_map("linky_standard"), {"points": names}))
            got.feed(part + data, now_ms=1000).silence()
            assert sorted([cell[1] for cell in got.rows[-1]]) == [1, 4, 231, 924, 1000]
            good = [cell for cell in got.rows[0] if cell[4] == GOOD]
            assert len(good) >= 2, (first, count, got.rows[0])


def test_what_passes_the_six_bits_of_the_check_is_not_believed():
    driver = TIC(load_map("linky_standard"), {"points": ("energy_import",)})
    got = Collected(driver)
    true = "000012345"
    passed = 0
    for up in range(9):
        for down in range(9):
            digits = [int(digit) for digit in true]
            digits[up] += 1
            digits[down] -= 1
            if up == down or digits[down] < 0:
                continue
            got.feed(_frame("EAST\t" + true), now_ms=1000)
            lie = "".join([str(digit) for digit in digits])
            data = _frame("EAST\t" + true).replace(true.encode(), lie.encode())
            got.feed(data, now_ms=1500)
            cell = got.rows[-1][0]
            assert cell[1] == int(lie)  # two digits at once: the check does not see it
            room = 10 + 500 * 300 // 3600
            if 0 <= int(lie) - int(true) <= room:
                continue
            assert cell[4] == IMPLAUSIBLE, lie
            passed += 1
    assert passed > 30 and not got.errors
