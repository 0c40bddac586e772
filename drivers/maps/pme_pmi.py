"""PME-PMI, the meter of sites from 36 to 250 kVA, customer output.

Source: Enedis-NOI-CPT_02E, PME-PMI. The labels were taken from the document's list; no
capture of a
meter was at hand.
"""

MAP = {
    "protocol": "tic",
    "maker": "Enedis",
    "model": "PME-PMI",
    "source": "Enedis-NOI-CPT_02E, PME-PMI",
    "line": (1200, 7, "E", 1),
    "points": (
        ("energy_import", "Wh", 0, "counter", "EA_s"),
        ("energy_reactive_positive", "varh", 0, "counter", "ER+_s"),
        ("energy_reactive_negative", "varh", 0, "counter", "ER-_s"),
        ("energy_export", "Wh", 0, "counter", "EA_i"),
        ("mean_power_1min", "W", 0, "gauge", "PA1MN"),
        ("mean_power_10min", "W", 0, "gauge", "PA10MN"),
        ("power_subscribed", "W", 0, "gauge", "PS"),
        ("voltage_10min", "V", 0, "gauge", "U10MN"),
        ("tangent_phi", "", -2, "gauge", "TGPHI"),
        ("power_max_import", "W", 0, "gauge", "PMAX_s"),
        ("energy_apparent", "VAh", 0, "counter", "EAPP_s"),
        ("meter_number", "", 0, "text", "ADS"),
        ("tariff_period_1", "", 0, "text", "PTCOUR1"),
    ),
}
