"""The way in: a form, and nothing but open data without it.

Not who may come in (access.py). guard(Users(path)) before the pages are served.
"""

from typing import Annotated, Any

from fastapi import Form
from fastapi.responses import HTMLResponse, RedirectResponse
from nicegui import app
from starlette.requests import Request
from starlette.responses import Response

from host_tools.collect.pages.access import Tries, Users
from host_tools.collect.pages.words import FleetWords
from host_tools.look.frame import language_of
from host_tools.look.style import CSS

_FREE = ("/login", "/open", "/_nicegui", "/favicon")
_LOGIN = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Éclor Edge</title><style>{css}
form {{ max-width:340px; margin:12vh auto; display:flex; flex-direction:column; gap:12px; }}
input, button {{ font:inherit; padding:10px 12px; border:1px solid #cbd5d1; border-radius:10px; }}
button {{ background:#0f766e; color:#fff; border:0; font-weight:600; }}
label {{ display:flex; flex-direction:column; gap:4px; font-size:14px; }}</style>
<main class="page"><form method="post" action="/login?lang={lang}" class="card">
<div class="h1">Éclor Edge</div><div class="bad">{message}</div>
<label>{name}<input name="name" autocomplete="username" required autofocus></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required>
</label><button>{login}</button></form></main></html>"""


def guard(users: Users) -> None:
    """Ask whoever comes for a login, but for the open page."""
    tries = Tries()

    @app.middleware("http")
    async def check(request: Request, call_next: Any) -> Response:
        if request.session.get("user") or request.url.path.startswith(_FREE):
            response: Response = await call_next(request)
            return response
        return RedirectResponse(f"/login?lang={language_of(request)}", 303)

    def form(request: Request, message: str = "", status: int = 200) -> HTMLResponse:
        say = FleetWords(language_of(request))
        words = {key: say(key) for key in ("name", "password", "login")}
        text = say(message) if message else ""
        filled = _LOGIN.format(lang=say.language, css=CSS, message=text, **words)
        return HTMLResponse(filled, status)

    @app.get("/login")
    def ask(request: Request) -> HTMLResponse:
        return form(request)

    @app.post("/login")
    def answer(
        request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()]
    ) -> Response:
        client = request.client.host if request.client else ""
        if not tries.may(client):
            return form(request, "wait", 429)
        if not users.check(name, password):
            tries.failed(client)
            return form(request, "wrong", 403)
        request.session["user"] = name
        return RedirectResponse(f"/?lang={language_of(request)}", 303)
