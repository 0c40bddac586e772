"""The labels of the customer output of French meters (TIC), as data.

Not here: how groups are read (drivers/tic.py). Sources: Enedis-NOI-CPT_54E (Linky, standard and
historique), Enedis-NOI-CPT_02E (historique, and PME-PMI meters above 36 kVA).

    look_up(b"EASF03")     # ("energy_import_t03", "Wh", COUNTER, 9, 10)
    look_up(b"EASZ")       # None: no label of any edition
"""

from drivers.reading import COUNTER, GAUGE, STATE, TEXT

# label name unit kind width. "#" stands for one digit, in the name too.
# kind: c counter, g gauge, s state, x state in hexadecimal, t text.
# width: how many digits or characters the standard gives it, 0 for any, u: a number and its unit.
_ROWS = b"""ADCO meter_number - t 12
OPTARIF contract - t 4
ISOUSC current_subscribed A g 2
BASE energy_import Wh c 9
HCHC energy_import_offpeak Wh c 9
HCHP energy_import_peak Wh c 9
EJPHN energy_import_ejp_normal Wh c 9
EJPHPM energy_import_ejp_mobile_peak Wh c 9
BBRHCJB energy_import_blue_offpeak Wh c 9
BBRHPJB energy_import_blue_peak Wh c 9
BBRHCJW energy_import_white_offpeak Wh c 9
BBRHPJW energy_import_white_peak Wh c 9
BBRHCJR energy_import_red_offpeak Wh c 9
BBRHPJR energy_import_red_peak Wh c 9
PEJP ejp_notice min g 2
PTEC tariff_period - t 4
DEMAIN colour_tomorrow - t 4
IINST current A g 3
IINST# current_l# A g 3
ADPS current_excess A g 3
ADIR# current_excess_l# A g 3
IMAX current_max A g 3
IMAX# current_max_l# A g 3
PMAX power_max W g 5
PAPP power_apparent VA g 5
HHPHC schedule - t 1
MOTDETAT meter_state - t 6
PPOT phases_present - x 2
ADSC meter_number - t 12
VTIC tic_version - t 2
DATE date - t 0
NGTF contract - t 16
LTARF tariff_label - t 16
EAST energy_import Wh c 9
EASF## energy_import_t## Wh c 9
EASD## energy_import_distributor_t## Wh c 9
EAIT energy_export Wh c 9
ERQ# energy_reactive_q# varh c 9
IRMS# current_l# A g 3
URMS# voltage_l# V g 3
PREF power_reference kVA g 2
PCOUP power_cut_off kVA g 2
SINSTS power_apparent VA g 5
SINSTS# power_apparent_l# VA g 5
SMAXSN power_apparent_max VA g 5
SMAXSN-1 power_apparent_max_yesterday VA g 5
SMAXSN# power_apparent_max_l# VA g 5
SMAXSN#-1 power_apparent_max_yesterday_l# VA g 5
SINSTI power_apparent_export VA g 5
SMAXIN power_apparent_export_max VA g 5
SMAXIN-1 power_apparent_export_max_yesterday VA g 5
CCASN load_curve W g 5
CCASN-1 load_curve_previous W g 5
CCAIN load_curve_export W g 5
CCAIN-1 load_curve_export_previous W g 5
UMOY# voltage_mean_l# V g 3
STGE status - x 8
DPM# mobile_peak_start_# - t 2
FPM# mobile_peak_end_# - t 2
MSG1 message - t 32
MSG2 message_short - t 16
PRM delivery_point - t 14
RELAIS relays - s 3
NTARF tariff_index - s 2
NJOURF supplier_day - s 2
NJOURF+1 supplier_day_tomorrow - s 2
PJOURF+1 supplier_profile_tomorrow - t 98
PPOINTE mobile_peak_profile - t 98
ADS meter_number - t 12
MESURES# contract_# - t 0
TRAME frame_kind - t 0
MODE mode - t 0
CONFIG configuration - t 0
EA_s energy_import Wh c u
ER+_s energy_reactive_positive varh c u
ER-_s energy_reactive_negative varh c u
EAPP_s energy_apparent VAh c u
EA_i energy_export Wh c u
ER+_i energy_reactive_positive_export varh c u
ER-_i energy_reactive_negative_export varh c u
EAPP_i energy_apparent_export VAh c u
PTCOUR# tariff_period_# - t 0
TARIFDYN tariff_dynamic - t 0
ETATDYN# dynamic_state_# - t 0
PREAVIS# notice_# - t 0
TDYN#CD dynamic_tariff_#_start - t 0
TDYN#CF dynamic_tariff_#_end - t 0
TDYN#FD dynamic_tariff_#_next_start - t 0
TDYN#FF dynamic_tariff_#_next_end - t 0
DebP period_start - t 0
EAP_s energy_import_period Wh c u
EAP_i energy_export_period Wh c u
EaP_s energy_import_period Wh c u
EaP_i energy_export_period Wh c u
ER+P_s energy_reactive_positive_period varh c u
ER-P_s energy_reactive_negative_period varh c u
ER+P_i energy_reactive_positive_export_period varh c u
ER-P_i energy_reactive_negative_export_period varh c u
DebP-1 previous_period_start - t 0
FinP-1 previous_period_end - t 0
EaP-1_s energy_import_previous_period Wh c u
EaP-1_i energy_export_previous_period Wh c u
ER+P-1_s energy_reactive_positive_previous_period varh c u
ER-P-1_s energy_reactive_negative_previous_period varh c u
ER+P-1_i energy_reactive_positive_export_previous_period varh c u
ER-P-1_i energy_reactive_negative_export_previous_period varh c u
PS power_subscribed W g u
PREAVIS notice - t 0
DATEPA# mean_power_time_# - t 0
PA#_s mean_power_# W g u
PA#_i mean_power_export_# W g u
PA1MN mean_power_1min W g u
PA10MN mean_power_10min W g u
PREA1MN mean_reactive_power_1min var g u
PREA10MN mean_reactive_power_10min var g u
TGPHI tangent_phi - g u
TGPHI_s tangent_phi_import - g u
TGPHI_i tangent_phi_export - g u
DebP_2 period_start_2 - t 0
EaP_s2 energy_import_period_2 Wh c u
DebP-1_2 previous_period_start_2 - t 0
FinP-1_2 previous_period_end_2 - t 0
EaP-1_s2 energy_import_previous_period_2 Wh c u
U10MN voltage_10min V g u
KDC tangent_coefficient - g u
KDCD tangent_coefficient_dynamic - g u
PMAX_s power_max_import W g u
PMAX_i power_max_export W g u
DEP_s exceeded_import W g u
TDEP_s exceeded_duration s g u
"""

_KINDS = {
    "c": (COUNTER, 10),
    "g": (GAUGE, 10),
    "s": (STATE, 10),
    "x": (STATE, 16),
    "t": (TEXT, 0),
}

# Fields of the status word STGE: name, lowest bit, number of bits (CPT_54E, 6.2.3.14).
STGE = (
    ("contact", 0, 1),  # 0 closed, 1 open
    ("breaker", 1, 3),  # 0 closed, 1 over-power, 2 over-voltage, 3 load shed, 4 by order, 5 6 heat
    ("terminal_cover", 4, 1),  # 1 open
    ("over_voltage", 6, 1),
    ("over_reference_power", 7, 1),
    ("producer", 8, 1),  # 0 consumer, 1 producer
    ("exporting", 9, 1),  # 1 active energy is negative
    ("tariff", 10, 4),  # supplier index less one
    ("tariff_distributor", 14, 2),  # distributor index less one
    ("clock_degraded", 16, 1),
    ("standard_mode", 17, 1),  # 0 historique, 1 standard
    ("euridis", 19, 2),  # 0 off, 1 on without security, 3 on with security
    ("plc_status", 21, 2),  # 0 new and unlocked, 1 new and locked, 2 registered
    ("plc_synchronised", 23, 1),  # 1 synchronised
    ("colour_today", 24, 2),  # 0 none, 1 blue, 2 white, 3 red
    ("colour_tomorrow", 26, 2),
    ("notice", 28, 2),  # 0 none, 1 to 3 the mobile peak announced
    ("mobile_peak", 30, 2),  # 0 none, 1 to 3 the one under way
)

_HASH = 0x23


def _matches(label, start, end):
    """Return the digits that "#" stands for when _ROWS[start:end] is the pattern of label."""
    if end - start != len(label):
        return None
    digits = ""
    for i in range(end - start):
        wanted = _ROWS[start + i]
        if wanted == _HASH and 0x30 <= label[i] <= 0x39:
            digits += chr(label[i])
        elif wanted == _HASH or wanted != label[i]:
            return None
    return digits


def look_up(label):
    """Return (name, unit, kind, width, base) of a label (bytes), None when there is no such label.

    width: digits or characters, 0 for any, -1 for a number that carries its unit. base: 10, 16,
    or 0 for a text.
    """
    at = 0
    while at < len(_ROWS):
        stop = _ROWS.find(b"\n", at)
        blank = _ROWS.find(b" ", at)
        digits = _matches(label, at, blank)
        if digits is not None:
            name, unit, kind, width = _ROWS[blank + 1 : stop].decode().split(" ")
            for digit in digits:
                place = name.find("#")
                name = name[:place] + digit + name[place + 1 :]
            code, base = _KINDS[kind]
            return (
                name,
                "" if unit == "-" else unit,
                code,
                -1 if width == "u" else int(width),
                base,
            )
        at = stop + 1
    return None
