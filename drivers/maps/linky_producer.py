"""Linky of a site that produces (photovoltaics), customer output in the mode standard.

Source: Enedis-NOI-CPT_54E, 6.2: EAIT, SINSTI, SMAXIN, CCAIN and ERQ1 to ERQ4 are for
producers.
"""

MAP = {
    "protocol": "tic",
    "maker": "Enedis",
    "model": "Linky producer mode standard",
    "source": "Enedis-NOI-CPT_54E, 6.2",
    "line": (9600, 7, "E", 1),
    "points": (
        ("energy_export", "Wh", 0, "counter", "EAIT"),
        ("energy_import", "Wh", 0, "counter", "EAST"),
        ("power_apparent_export", "VA", 0, "gauge", "SINSTI"),
        ("power_apparent", "VA", 0, "gauge", "SINSTS"),
        ("energy_reactive_q1", "varh", 0, "counter", "ERQ1"),
        ("energy_reactive_q2", "varh", 0, "counter", "ERQ2"),
        ("energy_reactive_q3", "varh", 0, "counter", "ERQ3"),
        ("energy_reactive_q4", "varh", 0, "counter", "ERQ4"),
        ("voltage_l1", "V", 0, "gauge", "URMS1"),
        ("current_l1", "A", 0, "gauge", "IRMS1"),
        ("status_producer", "", 0, "state", "STGE.producer"),
        ("status_exporting", "", 0, "state", "STGE.exporting"),
        ("status_breaker", "", 0, "state", "STGE.breaker"),
        ("power_apparent_export_max", "VA", 0, "gauge", "SMAXIN"),
        ("load_curve_export", "W", 0, "gauge", "CCAIN"),
        ("load_curve", "W", 0, "gauge", "CCASN"),
        ("power_reference", "kVA", 0, "gauge", "PREF"),
        ("power_cut_off", "kVA", 0, "gauge", "PCOUP"),
        ("tariff_index", "", 0, "state", "NTARF"),
        ("meter_number", "", 0, "text", "ADSC"),
        ("delivery_point", "", 0, "text", "PRM"),
    ),
}
