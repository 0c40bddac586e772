"""Frames of the customer output built from CPT_54E and CPT_02E, fed in every way a line can."""

from drivers import load_map
from drivers.reading import BAD_FRAME, GOOD, IMPLAUSIBLE, MISSING
from drivers.tic import TIC
from drivers.tic_labels import look_up
from tests.fakes.collector_of_readings import Collected, ways_to_cut


def group(text):
    """Return a whole group: the separator of the checksum is the one inside the text."""
    separator = "\t" if "\t" in text else " "
    summed = (text + separator if separator == "\t" else text).encode()
    check = (sum(summed) & 0x3F) + 0x20
    return b"\n" + text.encode() + separator.encode() + bytes((check,)) + b"\r"


def frame(*texts):
    """Return a whole frame of groups."""
    return b"\x02" + b"".join([group(text) for text in texts]) + b"\x03"


_STANDARD = (
    "ADSC\t012345678901",
    "VTIC\t02",
    "DATE\tE260704101112\t",
    "EAST\t011887649",
    "EASF01\t011887640",
    "IRMS1\t003",
    "URMS1\t230",
    "SINSTS\t00664",
    "SMAXSN-1\tE260703185118\t09562",
    "STGE\t013AC401",
    "DPM1\t 260704060000\t00",
    "MSG1\tPAS DE          MESSAGE         ",
    "NTARF\t01",
)
_HISTORIQUE = (
    "ADCO 012345678901",
    "OPTARIF BBR(",
    "BBRHCJB 001478389",
    "PTEC HPJB",
    "IINST 001",
    "PAPP 00120",
    "HHPHC A",
    "MOTDETAT 000000",
)


def _open():
    return TIC(None, {})


def _mapped(points=("energy_import", "power_apparent", "voltage_l1", "current_l1")):
    return TIC(load_map("linky_standard"), {"points": points})


def test_a_standard_frame_gives_numbers_texts_and_times():
    got = Collected(_open()).feed(frame(*_STANDARD)).frames[0]
    assert got["EAST"][:4] == (11887649, 0, "Wh", GOOD)
    assert got["SMAXSN-1"][0] == 9562
    assert got["SMAXSN-1"][4] == 1783097478  # 18:51:18 in summer is 16:51:18 UTC
    assert got["EAST"][4] == got["DATE"][4] == 1783152672
    assert got["DATE"][0] == b""
    assert got["DPM1"][0] == b"00" and got["DPM1"][4] == 1783137600
    assert got["MSG1"][0] == b"PAS DE          MESSAGE         "


def test_the_status_word_is_given_whole_and_in_its_fields():
    got = Collected(_open()).feed(frame(*_STANDARD)).frames[0]
    assert got["STGE"][0] == 0x013AC401
    assert got["STGE.contact"][0] == 1 and got["STGE.breaker"][0] == 0
    assert got["STGE.tariff"][0] == 1 and got["STGE.tariff_distributor"][0] == 3
    assert got["STGE.standard_mode"][0] == 1 and got["STGE.colour_today"][0] == 1
    row = Collected(TIC(load_map("linky_standard"), {"points": ("status_colour_today", "status")}))
    assert [cell[1] for cell in row.feed(frame(*_STANDARD)).rows[0]] == [1, 0x013AC401]


def test_historique_has_its_own_separator_and_checksum():
    got = Collected(_open()).feed(frame(*_HISTORIQUE)).frames[0]
    assert got["BBRHCJB"][:3] == (1478389, 0, "Wh")
    assert got["OPTARIF"][0] == b"BBR(" and got["PAPP"][:3] == (120, 0, "VA")


def test_a_checksum_that_is_a_space_counts():
    text = "SMAXSN-1\tH200213085118\t09562"  # from the standard's own form: the check is 0x20
    assert group(text)[-2] == 0x20
    assert Collected(_open()).feed(frame(text)).frames[0]["SMAXSN-1"][0] == 9562


def test_any_cut_of_the_stream_gives_the_same():
    for texts in (_STANDARD, _HISTORIQUE):
        data = frame(*texts) + frame(*texts[:4])
        for whole, cut in ways_to_cut(_open, data):
            assert len(whole) == 2 and cut == whole


def test_a_damaged_group_costs_its_own_value_only():
    data = frame(*_STANDARD)
    good = Collected(_open()).feed(data).frames[0]
    for at in range(1, len(data) - 1):
        for bit in range(7):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            got = Collected(_open()).feed(damaged)
            got.silence()
            found = {}
            for part in got.frames:
                found.update(part)
            wrong = [c for c in found if c in good and found[c][0] != good[c][0]]
            missing = [c for c in good if c not in found and not c.startswith("STGE.")]
            assert not [c for c in found if c not in good], (at, bit)
            # a bit of weight 64 is not in the checksum: the form of the data must refuse it
            assert not [c for c in wrong if c not in ("MSG1", "ADSC", "VTIC", "DPM1")], (at, wrong)
            assert len(missing) <= 2, (at, bit, missing)


def test_with_a_map_what_was_damaged_says_so_and_what_was_not_there_too():
    data = frame(*_STANDARD)
    at = data.find(b"\nURMS1") + 8
    damaged = data[:at] + b"9" + data[at + 1 :]
    row = Collected(_mapped()).feed(damaged).rows[0]
    assert [(cell[1], cell[4]) for cell in row] == [
        (11887649, GOOD),
        (664, GOOD),
        (None, BAD_FRAME),
        (3, GOOD),
    ]
    row = Collected(_mapped()).feed(frame("EAST\t000000007")).rows[0]
    assert [cell[4] for cell in row] == [GOOD, MISSING, MISSING, MISSING]


def test_frames_without_their_ends_begin_anew_when_a_label_comes_twice():
    stream = b"".join([group(text) for text in _HISTORIQUE])
    got = Collected(_open()).feed(stream + stream).silence()
    assert len(got.frames) == 2 and got.frames[0] == got.frames[1]


def test_a_frame_cut_by_the_next_is_given_as_far_as_it_went():
    data = frame(*_STANDARD)
    got = Collected(_open()).feed(data[: data.find(b"\nIRMS1") + 4] + data)
    assert len(got.frames) == 2 and got.frames[0]["EAST"][0] == 11887649
    assert len(got.errors) == 1 and got.frames[1]["NTARF"][0] == 1


def test_a_counter_that_jumps_is_doubted_until_it_is_said_again():
    got = Collected(_mapped(("energy_import",)))
    for at, value in enumerate((1000, 1002, 900000, 1003, 5, 6, 7)):
        got.feed(frame("EAST\t%09d" % value), now_ms=at * 1000)
    qualities = [row[0][4] for row in got.rows]
    assert qualities == [GOOD, GOOD, IMPLAUSIBLE, GOOD, IMPLAUSIBLE, GOOD, GOOD]
    assert [row[0][1] for row in got.rows] == [1000, 1002, 900000, 1003, 5, 6, 7]


def test_an_unusual_width_is_kept_and_not_believed():
    got = Collected(_open()).feed(frame("EAST\t11887649")).frames[0]
    assert got["EAST"][0] == 11887649 and got["EAST"][3] == IMPLAUSIBLE


def test_an_unknown_label_is_refused_by_name():
    got = Collected(_open()).feed(frame("EASZ01\t000000001", "NTARF\t01"))
    assert "EASZ01" in got.errors[0] and list(got.frames[0]) == ["NTARF"]


def test_parity_bits_of_a_port_at_8n1_do_not_matter():
    data = bytes([b | 0x80 if bin(b).count("1") & 1 else b for b in frame(*_STANDARD)])
    assert Collected(_open()).feed(data).frames[0]["EAST"][0] == 11887649


def test_pme_pmi_numbers_carry_their_units():
    got = Collected(_open()).feed(frame("EA_s 0012345kWh", "TGPHI -0.25", "PS 00250kVA"))
    assert got.frames[0]["EA_s"][:3] == (12345, 0, "kWh")
    assert got.frames[0]["TGPHI"][:3] == (-25, -2, "")
    row = Collected(TIC(load_map("pme_pmi"), {"points": ("energy_import",)}))
    assert row.feed(frame("EA_s 0012345kWh")).rows[0][0][1] == 12345000


def test_short_frames_of_an_overload_do_not_count_as_readings_of_a_map():
    short = frame("ADIR1 045", "IINST1 060", "IINST2 002", "IINST3 003")
    assert not Collected(TIC(load_map("tic_historique_3p"), {})).feed(short).rows
    assert Collected(_open()).feed(short).frames[0]["ADIR1"][0] == 45


def test_auto_looks_for_the_meter_at_both_rates():
    driver = TIC(load_map("tic_historique"), {"mode": "auto"})
    assert driver.line == (9600, 7, "E", 1)
    got = Collected(driver)
    noise = bytes([0x55, 0x7F, 0x20, 0x41]) * 60
    for second in range(6):
        got.feed(noise, now_ms=second * 1000)
    assert driver.line == (1200, 7, "E", 1)
    for second in range(6, 30):
        got.feed(frame(*_HISTORIQUE), now_ms=second * 1000)
    assert driver.line == (1200, 7, "E", 1)


def test_a_slow_optocoupler_is_suspected_and_forgotten():
    driver = _mapped()
    got = Collected(driver)
    good = group("EAST\t000000007")
    bad = good[:8] + b"8" + good[9:]
    assert driver.hint == ""
    got.feed((good + bad) * 8)
    assert driver.hint == ""  # a burst of noise is no slow receiver
    for second in range(0, 70, 10):
        got.feed((good + bad) * 8, now_ms=second * 1000)
    assert "optocoupler" in driver.hint
    got.feed(good * 20)
    assert driver.hint == ""


def test_what_cannot_be_is_said_in_words():
    table = {"points": (("x", "", 0, "state", "NONE"),)}
    for make in (
        lambda: TIC(table, {}),
        lambda: TIC({"points": (("x", "", 0, "state", "STGE.none"),)}, {}),
        lambda: TIC(None, {"mode": "fast"}),
    ):
        try:
            make()
        except ValueError as error:
            assert str(error)
        else:
            raise AssertionError("accepted")


def test_labels_are_found_with_their_digits():
    assert look_up(b"EASF03")[0] == "energy_import_t03"
    assert look_up(b"SMAXSN2-1")[0] == "power_apparent_max_yesterday_l2"
    assert look_up(b"EASF3") is None and look_up(b"EASF#3") is None and look_up(b"") is None


def test_the_byte_path_allocates_nothing():
    try:
        from micropython import heap_lock, heap_unlock
    except ImportError:
        return
    driver = _mapped(("energy_import", "power_apparent"))

    def emit(reading):
        pass

    data = frame("EAST\t011887649", "SINSTS\t00664")
    driver.feed(data, 0, len(data), 0, emit)
    heap_lock()
    try:
        driver.feed(data, 0, len(data), 0, emit)
    finally:
        heap_unlock()


def test_a_pme_pmi_frame_has_the_time_of_its_date():
    for date, utc in (
        ("15/01/24 14/05/33", 1705323933),
        ("15/07/24 14/05/33", 1721045133),
        ("15:07:24 14:05:33", 1721045133),
        ("15/13/24 14/05/33", None),
        ("15/07/24", None),
    ):
        rows = (
            Collected(_open()).feed(frame("ADS 012345678901", "DATE " + date, "EA_s 123Wh")).rows
        )
        assert rows[0][2][1:] == (123, 0, "Wh", GOOD, utc), (date, rows)


def test_a_line_end_before_the_frames_end_is_no_damaged_group():
    got = Collected(_open()).feed(frame(*_HISTORIQUE)[:-1] + b"\n\x03").silence()
    assert len(got.rows) == 1 and not got.errors, got.errors
    got = Collected(_open()).feed(frame(*_HISTORIQUE)[:-1] + b"\nPA\x03").silence()
    assert got.errors == ["TIC: frame ended inside a group"]


def test_every_season_of_a_date_gives_its_hour():
    for season, hours in (("H", 1), ("h", 1), ("E", 2), ("e", 2), (" ", 2)):
        got = Collected(_open()).feed(frame("SMAXSN\t%s260704101112\t09562" % season))
        assert got.rows[0][0][5] == 1783159872 - 3600 * hours, season
    for bad in ("X260704101112", "E2607041011", "E26070410111x", "E261304101112"):
        got = Collected(_open()).feed(frame("SMAXSN\t%s\t09562" % bad))
        assert got.rows[0][0][1] == 9562 and got.rows[0][0][5] is None, bad


def test_every_label_of_every_edition_is_read():
    for text, code, value, unit in (
        ("TGPHI_s 0.12", "TGPHI_s", (12, -2), ""),
        ("TGPHI_i 0,25", "TGPHI_i", (25, -2), ""),
        ("EaP_s 117kWh", "EaP_s", (117, 0), "kWh"),
        ("EaP-1_s2 9kWh", "EaP-1_s2", (9, 0), "kWh"),
        ("PS 250kVA", "PS", (250, 0), "kVA"),
        ("TDYN1CD 12/03/24 06/00/00 HP", "TDYN1CD", (b"12/03/24 06/00/00 HP", 0), ""),
        ("MODE CONTROLE", "MODE", (b"CONTROLE", 0), ""),
        ("PPOT 0A", "PPOT", (10, 0), ""),
        ("PEJP 30", "PEJP", (30, 0), "min"),
        ("DEMAIN ----", "DEMAIN", (b"----", 0), ""),
        ("ADPS 042", "ADPS", (42, 0), "A"),
        ("NJOURF+1\t00", "NJOURF+1", (0, 0), ""),
        ("RELAIS\t129", "RELAIS", (129, 0), ""),
        ("PJOURF+1\t" + "00008001 NONUTILE" + " " * 81, "PJOURF+1",
         (b"00008001 NONUTILE" + b" " * 81, 0), ""),
    ):  # fmt: skip
        got = Collected(_open()).feed(frame(text))
        assert got.rows and got.rows[0][0][:4] == (code, value[0], value[1], unit), (
            text,
            got.errors,
        )


def test_numbers_and_dates_that_are_none_are_refused():
    from drivers.tic_data import horodate, number, slashed, united

    assert number(b"x0123", 1, 5, 10) == 123 and number(b"00fF", 0, 2, 16) == 0
    assert number(b"1AF", 0, 3, 16) == 0x1AF
    assert united(b"-12,5kWh", 0, 8) == (-125, -1, "kWh") and united(b"7 ", 0, 2) == (7, 0, "")
    for work, line in (
        (number, b"12A"),
        (number, b""),
        (united, b"kWh"),
        (united, b"-"),
        (united, b"1" * 16),
    ):
        try:
            work(line, 0, len(line), 10) if work is number else work(line, 0, len(line))
        except ValueError:
            continue
        assert False, line
    assert horodate(b"E260704101112", 0, 13) == 1783152672
    assert horodate(b"H260104101112", 0, 13) == 1767517872
    assert horodate(b" 260704101112", 0, 13) == 1783152672  # announced: by the calendar
    for line in (b"E26070410111", b"X260704101112", b"E2607O4101112", b"E261304101112"):
        assert horodate(line, 0, len(line)) is None, line
    assert slashed(b"04/07/26 10:11:12", 0, 17) == slashed(b"04/07/26 10/11/12", 0, 17)
    assert slashed(b"04/07/26 10:11:12", 0, 17) == 1783152672
    for line in (
        b"04/07/26 10:11:1",
        b"04-07/26 10:11:12",
        b"04/07/26T10:11:12",
        b"04/O7/26 10:11:12",
    ):
        assert slashed(line, 0, len(line)) is None, line
