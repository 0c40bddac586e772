"""Three-phase meters with the customer output in the mode historique: Linky, CBETM.

Source: Enedis-NOI-CPT_02E, 5; Enedis-NOI-CPT_54E, 6.1. Short frames of an over-load (ADIR) are
passed over.
"""

MAP = {
    "protocol": "tic",
    "maker": "Enedis",
    "model": "historique three-phase",
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
        ("current_l1", "A", 0, "gauge", "IINST1"),
        ("current_l2", "A", 0, "gauge", "IINST2"),
        ("current_l3", "A", 0, "gauge", "IINST3"),
        ("current_max_l1", "A", 0, "gauge", "IMAX1"),
        ("current_max_l2", "A", 0, "gauge", "IMAX2"),
        ("current_max_l3", "A", 0, "gauge", "IMAX3"),
        ("power_max", "W", 0, "gauge", "PMAX"),
        ("phases_present", "", 0, "state", "PPOT"),
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
