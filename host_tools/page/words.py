"""What the live page says, in French and English.

Not layout. A missing translation is found by tests/host/test_page.py.
"""

from host_tools.look.words import Words

TEXTS: dict[str, dict[str, str]] = {
    "title": {"en": "Live site", "fr": "Site en direct"},
    "running": {"en": "Running", "fr": "En marche depuis"},
    "meters": {"en": "Meters", "fr": "Compteurs"},
    "line": {"en": "Lines", "fr": "Lignes"},
    "gateway": {"en": "Gateway", "fr": "Passerelle"},
    "broker": {"en": "Broker", "fr": "Courtier"},
    "collector": {"en": "Collector", "fr": "Collecteur"},
    "up": {"en": "working", "fr": "en service"},
    "unknown": {"en": "not known yet", "fr": "pas encore connu"},
    "power_cut": {"en": "no power", "fr": "sans courant"},
    "network_cut": {"en": "network cut", "fr": "réseau coupé"},
    "line_garbled": {"en": "garbled", "fr": "brouillée"},
    "try": {"en": "Try to make it lose a reading", "fr": "Essayez de lui faire perdre un relevé"},
    "cut_power": {"en": "Cut the power", "fr": "Couper le courant"},
    "cut_network": {"en": "Cut the network", "fr": "Couper le réseau"},
    "garble_line": {"en": "Garble the line", "fr": "Brouiller la ligne"},
    "cut_power_hint": {"en": "back after 3 s", "fr": "retour après 3 s"},
    "cut_network_hint": {"en": "for 10 s", "fr": "pendant 10 s"},
    "garble_line_hint": {"en": "for 3 s", "fr": "pendant 3 s"},
    "lost": {"en": "Lost", "fr": "Perdus"},
    "lost_hint": {
        "en": "answered by a meter, never stored, never declared",
        "fr": "donnés par un compteur, ni stockés, ni déclarés",
    },
    "duplicated": {"en": "Duplicated", "fr": "En double"},
    "duplicated_hint": {"en": "stored twice", "fr": "stockés deux fois"},
    "altered": {"en": "Altered", "fr": "Altérés"},
    "altered_hint": {"en": "stored with another value", "fr": "stockés avec une autre valeur"},
    "declared": {"en": "Declared", "fr": "Déclarés"},
    "declared_hint": {
        "en": "reported by the gateway itself as not measured",
        "fr": "signalés non mesurés par la passerelle elle-même",
    },
    "stored": {"en": "Readings stored", "fr": "Relevés stockés"},
    "of_answered": {"en": "from {} answers of meters", "fr": "de {} réponses des compteurs"},
    "journal": {"en": "Journal fill", "fr": "Journal rempli"},
    "in_flight": {"en": "In flight", "fr": "En vol"},
    "in_flight_hint": {"en": "records on their way", "fr": "enregistrements en route"},
    "last_ack": {"en": "Acknowledged", "fr": "Acquitté"},
    "ago": {"en": "{} s ago", "fr": "il y a {} s"},
    "bytes": {"en": "Bytes per reading", "fr": "Octets par relevé"},
    "senml": {"en": "SenML JSON: {}, {} times it", "fr": "SenML JSON : {}, soit {} fois"},
    "heap": {"en": "Heap in use", "fr": "Mémoire utilisée"},
    "heap_peak": {"en": "peak {} KB", "fr": "maximum {} Ko"},
    "kilobytes": {"en": "{} KB", "fr": "{} Ko"},
    "curves": {"en": "Readings as stored", "fr": "Relevés tels que stockés"},
    "gaps": {
        "en": "A break in a curve is a gap that the gateway declared.",
        "fr": "Une interruption de courbe est un trou déclaré par la passerelle.",
    },
    "every": {"en": "every {} s", "fr": "toutes les {} s"},
    "nothing_yet": {"en": "waiting for the first reading", "fr": "en attente du premier relevé"},
    "log": {"en": "What the gateway says", "fr": "Ce que dit la passerelle"},
    "no_log": {"en": "nothing yet", "fr": "rien encore"},
    "picture": {
        "en": "Readings travel from the meters over their lines to the gateway, the broker and "
        "the collector",
        "fr": "Les relevés vont des compteurs, par leurs lignes, à la passerelle, au courtier et "
        "au collecteur",
    },
}


class LiveWords(Words):
    """One language of the live page."""

    texts = TEXTS
