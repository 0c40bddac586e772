"""French and English: no message of the translated verbs lacks words or has wrong fields."""

import ast
import re

import pytest

from host_tools import language
from host_tools.commands import VERBS
from tests import messages
from tests.typed import eclor

ROOT = messages.ROOT
FIELD = re.compile(r"\{\w*(?:!r)?\}")


@pytest.fixture
def french():
    language.use("fr")
    yield
    language.use("en")


def test_no_message_lacks_its_french():
    found = messages.of_sources(ROOT / name for name in messages.SOURCES)
    assert len(found) > 150
    lacking = messages.missing("fr", found)
    assert not lacking, "python -m tests.messages prints them:\n" + "\n".join(
        f"{where}: {text}" for text, where in lacking.items()
    )


def test_a_translation_has_the_fields_of_its_message():
    for path in language.FOLDER.glob("*.po"):
        entries = list(language.read_po(path.read_text(encoding="utf-8")))
        for text, translation in entries:
            assert sorted(FIELD.findall(text)) == sorted(FIELD.findall(translation)), text
        texts = [text for text, _ in entries]
        assert len(texts) == len(set(texts)), "a message is there twice"


def test_each_way_to_say_something_is_found(tmp_path):
    source = tmp_path / "commands" / "x.py"
    source.parent.mkdir()
    source.write_text(
        'NAME = "x"\ndef command(a=typer.Option(1, help="An option.")):\n'
        '    """Do it.\n\n    Now.\n'
        '    """\n    raise Problem(f"no {thing} here", "bring " "one")\n'
        '    say("{n} left", n=1)\n'
        'def other():\n    """Not said."""\n'
    )
    found = {text for _, text in messages.messages(source)}
    assert {"Do it.", "Now.", "An option.", "no {0} here", "bring one", "{n} left"} <= found
    assert "Not said." not in found
    assert ast.parse(source.read_text())


@pytest.mark.usefixtures("french")
def test_a_finished_sentence_is_found_by_its_template():
    assert language.translated("there is no board esp33") == "il n'y a pas de carte esp33"
    assert language.translated("is not a whole number") == "n'est pas un nombre entier"
    assert language.translated("nobody has said this") == "nobody has said this"
    assert language.translated("write journal: {size_kb: 304}") == (
        "écrivez journal: {size_kb: 304}"
    )
    assert language.translated("is required\nis not a whole number") == (
        "est obligatoire\nn'est pas un nombre entier"
    )
    assert language.say("{low} to {high}", low=1, high=5) == "1 à 5"


def test_english_is_what_is_written():
    assert language.translated("is required") == "is required"
    assert language.say("{low} to {high}", low=1, high=5) == "1 to 5"


def test_a_po_file_is_read_as_gettext_writes_it():
    text = 'msgid ""\nmsgstr "Language: fr\\n"\n\n#: a.py:1\n#, fuzzy\nmsgid ""\n"two "\n"lines"\n'
    text += 'msgstr "deux \\"lignes\\""\n\nmsgid "b"\nmsgstr ""\n'
    assert list(language.read_po(text)) == [("two lines", 'deux "lignes"'), ("b", "")]


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_CH"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "ECLOR_LANG": "fr"}, "fr"),
    ],
)
def test_the_locale_decides(monkeypatch, environment, code):
    for name in ("ECLOR_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language.preferred() == code


def test_the_command_speaks_french_help_problems_and_usage(tmp_path):
    done = eclor("--lang", "fr", "check", "--help")
    assert "Contrôler un fichier de site" in done.stdout and "Afficher ceci" in done.stdout
    done = eclor("boards", "esp33", LANG="fr_FR.UTF-8")
    assert done.returncode == 3 and "il n'y a pas de carte esp33" in done.stderr
    done = eclor("--lang=fr", "check", "--nope")
    assert done.returncode == 2 and "Il n'y a pas d'option --nope" in done.stderr
    done = eclor("--lang", "xx", "boards")
    assert done.returncode == 2 and "no language xx" in done.stderr
    sample = eclor("--lang", "fr", "schema", "--sample").stdout
    assert "# Secondes entre deux relevés. [1 à 86400]" in sample
    site = tmp_path / "site.yaml"
    site.write_text(sample)
    done = eclor("--lang", "fr", "check", str(site))
    assert done.returncode == 0 and "transport : mqtt" in done.stdout


def test_help_shows_each_verb_once_under_the_head_of_its_work():
    verbs = [verb for under in VERBS.values() for verb in under]
    files = (ROOT / "host_tools" / "commands").glob("[!_]*.py")
    assert sorted(verbs) == sorted(path.stem for path in files)
    shown = eclor("--lang", "fr", "--help", COLUMNS="120").stdout
    assert re.findall(r"^│ ([a-z]+)  ", shown, re.MULTILINE) == verbs
    heads = re.findall(r"^╭─ (.+?) ─", shown, re.MULTILINE)
    assert len(heads) == len(VERBS) + 1, "the options have one too"
    assert not {*heads[1:]} & {*VERBS}, "they are French"


_MARKUP = re.compile(r"\[/?[a-z ]*\]")
_PRINTERS = ("print", "console.print", "Table", "table.add_column")


def _plain(source: str) -> list[str]:
    """Return the words that a command prints as they are: neither say() nor translated()."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in _PRINTERS:
            continue
        todo: list[ast.AST] = [*node.args, *(k.value for k in node.keywords if k.arg == "title")]
        while todo:
            part = todo.pop()
            if isinstance(part, ast.Call):
                if ast.unparse(part.func) not in ("say", "translated", "json.dumps"):
                    todo += part.args
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                text = _MARKUP.sub("", part.value).removeprefix("eclor: ")
                if re.search(r"[a-z]{3}", text) and "eclor " not in text and "--" not in text:
                    found.append(text)
            elif not isinstance(part, ast.Subscript):
                todo += ast.iter_child_nodes(part)
    return found


def test_no_verb_prints_english_to_all():
    assert _plain('print(f"{n} left")') == [" left"]
    assert _plain('print(say("left"), json.dumps({"n": n}), row["n"], file=sys.stderr)') == []
    assert _plain('table = Table(title=f"{n} rows")\ntable.add_column("all")') == [" rows", "all"]
    assert _plain('console.print(f"[bold red]{say(name)}[/]")') == []
    paths = sorted((ROOT / "host_tools" / "commands").glob("*.py"))
    found = {path.name: _plain(path.read_text()) for path in paths}
    assert not {name: words for name, words in found.items() if words}


@pytest.mark.usefixtures("french")
def test_what_a_scan_finds_is_told_in_french():
    from host_tools.commands.scan import _line, _mbus_line
    from host_tools.desk.identify import Fit
    from host_tools.desk.mbus_scan import MBusHit
    from host_tools.desk.scan import Hit

    line = (2400, 8, "E", 1)
    hit = MBusHit(line, 5, "12345678C5140006", "KAM", 20, "warm water", 7, (("kamstrup", 3, 4),))
    told = _mbus_line(hit)
    assert "adresse 5" in told and "eau tiède" in told and "3 points sur 4" in told
    told = _line(Hit(line, 1, "exception 2", (Fit("sdm630", "identity fc3:0x1 is 0x2", 100),)), "")
    assert "unité 1  exception 2  sdm630 (l'identité fc3:0x1 est 0x2)" in told
    assert "aucune table ne convient" in _line(Hit(line, 1, "registers"), "")


@pytest.mark.usefixtures("french")
def test_a_meter_keeps_its_name_in_a_sentence():
    assert language.translated("there is no board heat") == "il n'y a pas de carte heat"


@pytest.mark.usefixtures("french")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "byte 12: TIC: check 0x12, computed 0x34",
            "octet 12 : TIC : contrôle 0x12, calculé 0x34",
        ),
        ("mode: 'E' is not A, B, C or D", "mode : 'E' n'est ni A, ni B, ni C, ni D"),
        ("byte 3: M-Bus stop 0x17", "octet 3 : M-Bus stop 0x17"),
        ("byte 9: P1: value at byte 40 has no end", None),
    ],
)
def test_what_a_line_is_told_to_be_wrong_with_is_french(said, told):
    found = language.translated(said)
    assert found == told if told else "la valeur à l'octet 40 n'a pas de fin" in found
