"""The frame of every page: the server, the language that a visitor wants, the switch for it.

ui.page("/")(page)
serve("127.0.0.1", 8080, title="Éclor Edge")
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui
from starlette.requests import Request

from host_tools.look.words import LANGUAGES, best_language


def serve(host: str, port: int, **options: Any) -> None:
    """Serve the pages that were declared until Ctrl-C; options: more of ui.run()."""
    ui.run(
        host=host,
        port=port,
        favicon="⚡",
        reload=False,
        show=False,
        show_welcome_message=False,
        uvicorn_logging_level="warning",
        **options,
    )


def language_of(request: Request, usual: str | None = None) -> str:
    """Return the language that a visitor asked for, else the usual one, else his browser's."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    return usual or best_language(request.headers.get("accept-language", ""))


def language_switch(here: str, query: Mapping[str, str] | None = None) -> None:
    """Draw the links to this page in each language; query: what its address says besides."""
    with ui.element("nav").classes("languages"):
        for language, name in LANGUAGES.items():
            words = {**(query or {}), "lang": language}
            link = "&".join(f"{key}={quote(value)}" for key, value in words.items())
            ui.link(name, f"?{link}").classes("here" if language == here else "")
