"""What the fleet's pages say, in French and English.

say = FleetWords("fr")
say("fleet")            # "Parc"
"""

from datetime import UTC, datetime

from host_tools.look.words import Words

TEXTS: dict[str, dict[str, str]] = {
    "fleet": {"en": "Fleet", "fr": "Parc"},
    "events": {"en": "Events", "fr": "Événements"},
    "open_data": {"en": "Open data", "fr": "Données ouvertes"},
    "gateways": {"en": "Gateways", "fr": "Passerelles"},
    "gateway": {"en": "Gateway", "fr": "Passerelle"},
    "site": {"en": "Site", "fr": "Site"},
    "online": {"en": "On line", "fr": "En ligne"},
    "silent": {"en": "Silent for an hour", "fr": "Muettes depuis une heure"},
    "open_alarms": {"en": "Open alarms", "fr": "Alarmes en cours"},
    "alarms": {"en": "Alarms", "fr": "Alarmes"},
    "backlog": {"en": "Backlog", "fr": "En attente"},
    "backlog_hint": {
        "en": "records that gateways still hold",
        "fr": "enregistrements encore dans les passerelles",
    },
    "seen": {"en": "Last seen", "fr": "Vue"},
    "clock": {"en": "Clock", "fr": "Horloge"},
    "clock_0": {"en": "not set", "fr": "non réglée"},
    "clock_1": {"en": "set", "fr": "réglée"},
    "clock_2": {"en": "running free", "fr": "en roue libre"},
    "version": {"en": "Version", "fr": "Version"},
    "errors": {"en": "Errors", "fr": "Erreurs"},
    "journal": {"en": "Journal", "fr": "Journal"},
    "fill": {"en": "{} %", "fr": "{} %"},
    "fill_lasts": {"en": "{} %, full in {} days", "fr": "{} %, plein dans {} jours"},
    "fill_flash": {
        "en": "{} %, full in {} days; flash: {} years",
        "fr": "{} %, plein dans {} jours ; flash : {} ans",
    },
    "map": {"en": "Where they are", "fr": "Où elles sont"},
    "search": {"en": "Search", "fr": "Chercher"},
    "none": {"en": "nothing yet", "fr": "rien encore"},
    "not_known": {"en": "There is no such page.", "fr": "Cette page n'existe pas."},
    "meters": {"en": "Meters", "fr": "Compteurs"},
    "meter": {"en": "Meter", "fr": "Compteur"},
    "point": {"en": "Measured", "fr": "Grandeur"},
    "newest": {"en": "Newest", "fr": "Dernier relevé"},
    "at": {"en": "At", "fr": "À"},
    "day": {"en": "Day", "fr": "Jour"},
    "week": {"en": "Week", "fr": "Semaine"},
    "month": {"en": "Month", "fr": "Mois"},
    "year": {"en": "Year", "fr": "Année"},
    "gap_hint": {
        "en": "A break in a curve is a gap: nothing was measured, or it has not come yet.",
        "fr": "Une interruption est un trou : rien n'a été mesuré, ou n'est pas encore arrivé.",
    },
    "consumption": {"en": "Consumption", "fr": "Consommation"},
    "per_900": {"en": "per quarter of an hour", "fr": "par quart d'heure"},
    "per_86400": {"en": "per day (UTC)", "fr": "par jour (UTC)"},
    "per_0": {"en": "as read", "fr": "tel que relevé"},
    "what": {"en": "What", "fr": "Quoi"},
    "event": {"en": "event", "fr": "événement"},
    "restart": {"en": "restart", "fr": "redémarrage"},
    "lost": {"en": "records lost", "fr": "enregistrements perdus"},
    "alarm": {"en": "alarm", "fr": "alarme"},
    "alarm_end": {"en": "end of alarm", "fr": "fin d'alarme"},
    "quarantine": {"en": "not believed", "fr": "non crédible"},
    "in_steps": {"en": "Reported in steps of {} {}.", "fr": "Transmis par pas de {} {}."},
    "held": {
        "en": "A value within {} {} of the last one reported repeats it, for {} s at most.",
        "fr": "Une valeur à {} {} au plus de la dernière transmise la répète, {} s au plus.",
    },
    "ago_s": {"en": "{} s ago", "fr": "il y a {} s"},
    "ago_min": {"en": "{} min ago", "fr": "il y a {} min"},
    "ago_h": {"en": "{} h ago", "fr": "il y a {} h"},
    "ago_d": {"en": "{} days ago", "fr": "il y a {} jours"},
    "open_hint": {
        "en": "Sums of groups in which no household can be singled out, last 31 days.",
        "fr": "Sommes de groupes où aucun foyer ne peut être isolé, 31 derniers jours.",
    },
    "held_back": {
        "en": "{} values held back: the group is too small, or one household makes most of it.",
        "fr": "{} valeurs retenues : groupe trop petit, ou dominé par un seul foyer.",
    },
    "group": {"en": "Group", "fr": "Groupe"},
    "login": {"en": "Log in", "fr": "Se connecter"},
    "name": {"en": "Name", "fr": "Nom"},
    "password": {"en": "Password", "fr": "Mot de passe"},
    "wrong": {"en": "Name or password is wrong.", "fr": "Nom ou mot de passe erroné."},
    "wait": {"en": "Too many tries; wait a minute.", "fr": "Trop d'essais ; attendez une minute."},
    "rows": {"en": "Rows per page", "fr": "Lignes par page"},
}


class FleetWords(Words):
    """One language of the fleet's pages."""

    texts = TEXTS

    def ago(self, then_ms: int, now_ms: int) -> str:
        """Return how long ago something was, in one unit."""
        seconds = max(0, now_ms - then_ms) // 1000
        for size, unit, least in ((86_400, "d", 2), (3600, "h", 2), (60, "min", 2)):
            if seconds >= least * size:
                return self(f"ago_{unit}", seconds // size)
        return self("ago_s", seconds)

    def when(self, at_ms: int) -> str:
        """Return a time, ISO 8601 to the minute, UTC."""
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
