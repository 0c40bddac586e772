"""The language of what people read: English as written in the code, or a catalogue of locale/.

    use("fr")                                  # --lang, or else the locale
    say("{count} boards", count=3)             # "3 cartes"
    translated("there is no board esp33")      # a finished sentence: found by its template

A finished sentence is one that was made somewhere below (a Problem, a rule of the device): it is
compared with the templates of the catalogue, where {0}, {1} ... stand for what was filled in. So
libraries and device code stay free of languages, and the words are in one place.
Catalogues are gettext's .po files, read as they are; nothing is compiled.
"""

import ast
import functools
import locale
import os
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "locale"
_FIELD = re.compile(r"\{(\w+)\}")
_state = {"language": "en"}


def languages() -> list[str]:
    """Return the languages there are, English among them."""
    return sorted({"en"} | {path.stem for path in FOLDER.glob("*.po")})


def preferred() -> str:
    """Return the language of this computer's user, "en" when we do not speak it."""
    names = [os.environ.get(name, "") for name in ("ECLOR_LANG", "LC_ALL", "LC_MESSAGES", "LANG")]
    names.append(locale.getlocale()[0] or "")
    chosen = next((name for name in names if name), "en")
    code = re.split(r"[_.@-]", chosen)[0].lower()
    code = {"french": "fr", "français": "fr"}.get(code, code)  # as Windows names it
    return code if code in languages() else "en"


def use(language: str) -> None:
    """Speak this language from now on. Raises KeyError when there is no catalogue."""
    if language not in languages():
        raise KeyError(language)
    _state["language"] = language


def current() -> str:
    """Return the language in use."""
    return _state["language"]


def say(text: str, **values: object) -> str:
    """Return the text in the language in use, with its {fields} filled in."""
    found = _catalogue(_state["language"]).get(text) or text
    return found.format(**values) if values else found


def translated(text: str) -> str:
    """Return a finished sentence in the language in use, or as it is: nobody has translated it."""
    language = _state["language"]
    catalogue = _catalogue(language)
    if not catalogue or not text:
        return text
    if text in catalogue:
        return catalogue[text] or text
    if "\n" in text:  # several mistakes, a line each
        return "\n".join(map(translated, text.split("\n")))
    for pattern, template in _templates(language):
        match = pattern.fullmatch(text)
        if match:
            # A word alone is the name of something, as a meter "heat": it stays.
            values = [translated(v) if " " in v else v for v in match.groups()]
            return _FIELD.sub(lambda field, v=values: v[int(field[1])], template)  # type: ignore[misc]
    return text


@functools.cache
def _catalogue(language: str) -> dict[str, str]:
    path = FOLDER / f"{language}.po"
    return dict(read_po(path.read_text(encoding="utf-8"))) if path.exists() else {}


@functools.cache
def _templates(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Return (pattern, translation) of every template, those with the most words first."""
    found = []
    for text, translation in _catalogue(language).items():
        if not translation or not re.search(r"\{\d+\}", text):
            continue
        pieces = re.split(r"\{(\d+)\}", text)
        literal = "".join(pieces[::2])
        if not re.search(r"\w", literal):
            continue
        pattern = "".join(
            re.escape(piece) if i % 2 == 0 else "(.+?)" for i, piece in enumerate(pieces)
        )
        found.append((len(literal), re.compile(pattern, re.DOTALL), translation))
    return [(pattern, to) for _, pattern, to in sorted(found, key=lambda row: -row[0])]


def read_po(text: str) -> Iterator[tuple[str, str]]:
    """Yield (msgid, msgstr) of a .po file; the head, whose msgid is empty, is left out."""
    entry: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), 'msgid ""']:
        word, _, rest = line.strip().partition(" ")
        if word == "msgid":
            if entry.get("msgid"):
                yield entry["msgid"], entry.get("msgstr", "")
            entry = {}
        if word in ("msgid", "msgstr"):
            key = word
            entry[key] = ast.literal_eval(rest)
        elif line.startswith('"'):
            entry[key] += ast.literal_eval(line.strip())
