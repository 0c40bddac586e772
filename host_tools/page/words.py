"""What the page says, in French and English, and how each writes a number.

Not layout. A missing translation is found by tests/host/test_page.py.

    say = Words("fr")
    say("lost")             # "Perdues"
    say.number(1234.5, 1)   # "1 234,5" with a narrow no-break space
"""

LANGUAGES = {"en": "English", "fr": "Français"}

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

CAUSES: dict[str, dict[str, str]] = {
    "no_reply": {"en": "no reply", "fr": "sans réponse"},
    "bad_frame": {"en": "damaged answer", "fr": "réponse abîmée"},
    "missing": {"en": "not in the answer", "fr": "absent de la réponse"},
    "unavailable": {"en": "not available", "fr": "indisponible"},
    "refused": {"en": "refused", "fr": "refusé"},
    "boot": {"en": "restart", "fr": "redémarrage"},
    "restart": {"en": "restart", "fr": "redémarrage"},
    "lost": {"en": "record gone", "fr": "enregistrement disparu"},
    "power": {"en": "power cut", "fr": "coupure de courant"},
    "full": {"en": "journal full", "fr": "journal plein"},
    "damage": {"en": "damaged flash", "fr": "flash abîmée"},
    "soft": {"en": "on command", "fr": "sur commande"},
    "watchdog": {"en": "watchdog", "fr": "chien de garde"},
}


def best_language(accepted: str) -> str:
    """Return our language for an Accept-Language header, by its order; English otherwise."""
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower()[:2]
        if language in LANGUAGES:
            return language
    return "en"


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, *arguments: object) -> str:
        """Return a text with its {} filled in."""
        return TEXTS[key][self.language].format(*arguments)

    def cause(self, name: str) -> str:
        """Return the words for a declared gap's cause, "boot: power" in both its parts.

        A part without words here is shown as it is.
        """
        parts = [
            CAUSES[part][self.language] if part in CAUSES else part.replace("_", " ")
            for part in name.split(": ")
        ]
        return parts[0] + (f" ({', '.join(parts[1:])})" if parts[1:] else "")

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with its digits after the sign, thousands apart."""
        written = f"{value:,.{digits}f}"
        if self.language == "fr":
            return written.translate({ord(","): "\u202f", ord("."): ","})
        return written

    def span(self, seconds: float) -> str:
        """Return a running time: 42 s, 3 min 07 s, 2 h 15 min."""
        whole = int(seconds)
        if whole < 60:
            return f"{whole} s"
        if whole < 3600:
            return f"{whole // 60} min {whole % 60:02d} s"
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
