"""What all pages say alike: the languages, how each writes a number, why readings are missing.

class LiveWords(Words):
    texts = TEXTS           # {"lost": {"en": "Lost", "fr": "Perdues"}, ...}

say = LiveWords("fr")
say("lost")                 # "Perdues"
say.number(1234.5, 1)       # "1 234,5" with a narrow no-break space
"""

from collections.abc import Mapping

LANGUAGES = {"en": "English", "fr": "Français"}

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
    """One language of a page; who has a page says its `texts`."""

    texts: Mapping[str, Mapping[str, str]] = {}

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, *arguments: object) -> str:
        """Return a text with its {} filled in."""
        return self.texts[key][self.language].format(*arguments)

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
