"""One-phase meters with the customer output in the mode historique: Linky, CBEMM, A14C5.

Source: Enedis-NOI-CPT_02E, 5; Enedis-NOI-CPT_54E, 6.1. The contract decides which indexes are sent
(BASE; HCHC and HCHP; EJP; BBR, Tempo): name those under `points`. ADPS is there in an
over-load only.
"""

MAP = {
    "protocol": "tic",
    "maker": "Enedis",
    "model": "historique",
    "source": "Enedis-NOI-CPT_02E, 5",
    "line": (1200, 7, "E", 1),
    "points": (
        ("energy_import", "Wh", 0, "counter", "BASE"),
        ("energy_import_offpeak", "Wh", 0, "counter", "HCHC"),
        ("energy_import_peak", "Wh", 0, "counter", "HCHP"),
        ("energy_import_ejp_normal", "Wh", 0, "counter", "EJPHN"),
        ("energy_import_ejp_mobile_peak", "Wh", 0, "counter", "EJPHPM"),
        ("energy_import_blue_offpeak", "Wh", 0, "counter", "BBRHCJB"),
        ("energy_import_blue_peak", "Wh", 0, "counter", "BBRHPJB"),
        ("energy_import_white_offpeak", "Wh", 0, "counter", "BBRHCJW"),
        ("energy_import_white_peak", "Wh", 0, "counter", "BBRHPJW"),
        ("energy_import_red_offpeak", "Wh", 0, "counter", "BBRHCJR"),
        ("energy_import_red_peak", "Wh", 0, "counter", "BBRHPJR"),
        ("power_apparent", "VA", 0, "gauge", "PAPP"),
        ("current", "A", 0, "gauge", "IINST"),
        ("current_max", "A", 0, "gauge", "IMAX"),
        ("current_excess", "A", 0, "gauge", "ADPS"),
        ("current_subscribed", "A", 0, "gauge", "ISOUSC"),
        ("ejp_notice", "min", 0, "gauge", "PEJP"),
        ("meter_number", "", 0, "text", "ADCO"),
        ("contract", "", 0, "text", "OPTARIF"),
        ("tariff_period", "", 0, "text", "PTEC"),
        ("colour_tomorrow", "", 0, "text", "DEMAIN"),
        ("schedule", "", 0, "text", "HHPHC"),
        ("meter_state", "", 0, "text", "MOTDETAT"),
    ),
}
