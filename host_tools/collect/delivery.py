"""Telling people about alarms: webhooks and mail, at least once each, until they took it.

Not which alarms there are (alarms.py). Who was told what stands in the alarm's row, so a restart
repeats nothing that was taken, and a target that refuses is tried again the next time.

    failures = deliver(engine, rules.tell, now_ms)      # ["https://example.org/hook: 503"]

Mail: the server's address is in the rule; STARTTLS is used where it is offered, and a login when
ECLOR_MAIL_USER and ECLOR_MAIL_PASSWORD are set.
"""

import json
import os
import smtplib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from fnmatch import fnmatchcase

import httpx
import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.database import writing
from host_tools.collect.rules import Tell

_TIMEOUT_S = 10.0
_NEWS_MS = 7 * 86_400_000  # an alarm that ended longer ago is no news to a target that was away
_WORDS = {
    "en": ("Alarm", "End of alarm", "since", "until"),
    "fr": ("Alarme", "Fin d'alarme", "depuis", "jusqu'à"),
}


def deliver(engine: sa.Engine, tell: Sequence[Tell], now_ms: int) -> list[str]:
    """Tell everyone what they have not been told; return what failed, in words."""
    failures: list[str] = []
    c = t.alarm.c
    with engine.connect() as connection:
        recent = c.closed_ms.is_(None) | (c.closed_ms >= now_ms - _NEWS_MS)
        rows = connection.execute(sa.select(t.alarm).where(recent).order_by(c.id)).all()
    dead: set[str] = set()
    for row in rows:
        told: list[str] = json.loads(row.told)
        before = len(told)
        for target in tell:
            where = target.webhook or target.mail_to
            if where in dead or not fnmatchcase(row.rule, target.names):
                continue
            for state in ("open", "closed") if row.closed_ms is not None else ("open",):
                mark = f"{state} {where}"
                if mark in told:
                    continue
                try:
                    _tell(target, row, state)
                except (httpx.HTTPError, smtplib.SMTPException, OSError) as error:
                    failures.append(f"{where}: {error}")
                    dead.add(where)
                    break
                told.append(mark)
        if len(told) > before:
            with writing(engine).begin() as connection:
                connection.execute(
                    t.alarm.update().where(c.id == row.id).values(told=json.dumps(told))
                )
    return failures


def _tell(target: Tell, row: sa.Row, state: str) -> None:
    subject, body = sentence(row, state, target.language)
    if target.webhook:
        tree = {
            "id": row.id,
            "state": state,
            "rule": row.rule,
            "gateway": row.gateway,
            "meter": row.meter,
            "opened_ms": row.opened_ms,
            "closed_ms": row.closed_ms if state == "closed" else None,
            "detail": json.loads(row.detail),
            "text": f"{subject}. {body}",
        }
        httpx.post(target.webhook, json=tree, timeout=_TIMEOUT_S).raise_for_status()
        return
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, target.mail_from, target.mail_to
    message.set_content(body + "\n")
    host, _, port = target.server.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT_S) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        user = os.environ.get("ECLOR_MAIL_USER")
        if user:
            server.login(user, os.environ.get("ECLOR_MAIL_PASSWORD", ""))
        server.send_message(message)


def sentence(row: sa.Row, state: str, language: str) -> tuple[str, str]:
    """Return subject and body of one alarm in "en" or "fr"."""
    opened, closed, since, until = _WORDS[language]
    where = f"{row.gateway}/{row.meter}" if row.meter else row.gateway
    subject = f"{opened if state == 'open' else closed} {row.rule}: {where}"
    facts = ", ".join(f"{key} {value}" for key, value in json.loads(row.detail).items())
    body = f"{since} {_when(row.opened_ms)}"
    if state == "closed":
        body += f" {until} {_when(row.closed_ms)}"
    return subject, f"{body}: {facts}" if facts else body


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
