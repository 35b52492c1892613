"""Subscriptions: alerts and fresh results are delivered to webhooks and by e-mail, at least once, with retries.

A delivery is a row, written once for each subscription and event, so neither a crash nor a subscriber's outage loses
one. The body of a webhook is signed: ``X-Cosmo-Signature: sha256=`` and the HMAC-SHA256 of the body under the
subscription's secret; ``X-Cosmo-Delivery`` is the key by which a receiver recognises one that comes again.
"""

import asyncio
import hashlib
import hmac
import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import func, select, text, update

from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.monitoring import Delivery, Severity, Subscription
from shared.database.models.operations import Event
from shared.logs import get_logger
from shared.settings import MonitorSettings

__all__ = ["Courier", "sign"]

_TIMEOUT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 5.0
_BATCH = 100
_EVENTS = {"alerts": ("alert.opened", "alert.resolved"), "results": ("monitor.updated", "monitor.failed")}

_NEW_DELIVERIES = text(
    """
    INSERT INTO deliveries (subscription_id, event_id, state, attempts, not_before)
    SELECT s.id, e.id, 'waiting', 0, now()
    FROM subscriptions s JOIN events e ON e.at >= s.created_at AND e.name = ANY(
        CASE s.subject WHEN 'alerts' THEN CAST(:alerts AS text[]) ELSE CAST(:results AS text[]) END)
    WHERE (s.monitor IS NULL OR s.monitor = e.monitor)
      AND e.id > :after
      AND (s.subject <> 'alerts'
           OR array_position(CAST(:order AS text[]), e.detail ->> 'severity')
              >= array_position(CAST(:order AS text[]), s.severity))
    ON CONFLICT (subscription_id, event_id) DO NOTHING
    """
)


def sign(secret: str, body: bytes) -> str:
    """Signature of a webhook's body: hexadecimal HMAC-SHA256."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class _Message:
    """What is delivered to whom."""

    id: int
    channel: str
    target: str
    secret: str | None
    attempts: int
    body: dict[str, Any]


class Courier:
    """Makes the deliveries; one leads at a time.

    Parameters
    ----------
    database
        Database.
    settings
        Attempts, and the mail server.
    """

    def __init__(self, database: Database, settings: MonitorSettings) -> None:
        self._database = database
        self._settings = settings
        self._after = 0

    async def run(self) -> None:
        """Lead whenever no other courier does, until cancelled."""
        await keep_leading(self._database, AdvisoryLock.COURIER, self._settings.look_seconds, self._lead)

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            await self.collect()
            while await self.deliver():
                pass

    async def collect(self) -> None:
        """Write the deliveries of events that are new."""
        async with self._database.transaction() as session:
            newest = int((await session.execute(select(func.coalesce(func.max(Event.id), 0)))).scalar_one())
            values = {name: list(names) for name, names in _EVENTS.items()}
            await session.execute(
                _NEW_DELIVERIES, {**values, "order": [level.value for level in Severity], "after": self._after}
            )
        self._after = newest

    async def deliver(self) -> int:
        """Make the deliveries that are due. Returns how many were tried."""
        async with self._database.session() as session:
            rows = await session.execute(
                select(Delivery, Subscription, Event)
                .join(Subscription, Subscription.id == Delivery.subscription_id)
                .join(Event, Event.id == Delivery.event_id)
                .where(Delivery.state == "waiting", Delivery.not_before <= func.now())
                .order_by(Delivery.id)
                .limit(_BATCH)
            )
            messages = [
                _Message(
                    delivery.id, subscription.channel, subscription.target, subscription.secret, delivery.attempts,
                    {"delivery": delivery.id, "event": event.id, "at": event.at.isoformat(), "name": event.name,
                     "monitor": event.monitor, "detail": event.detail},
                )
                for delivery, subscription, event in rows
            ]  # fmt: skip
        await asyncio.gather(*(self._deliver(message) for message in messages))
        return len(messages)

    async def _deliver(self, message: _Message) -> None:
        error: str | None = None
        try:
            await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException, ValueError) as reason:
            error = f"{type(reason).__name__}: {reason}"
            get_logger().warning("delivery failed", delivery=message.id, target=message.target, error=error)
        attempts = message.attempts + 1
        state = (
            "delivered" if error is None else "failed" if attempts >= self._settings.delivery_attempts else "waiting"
        )
        pause = timedelta(seconds=_FIRST_PAUSE_SECONDS * 4 ** (attempts - 1))
        async with self._database.transaction() as session:
            await session.execute(
                update(Delivery)
                .where(Delivery.id == message.id)
                .values(
                    state=state,
                    attempts=attempts,
                    error=error,
                    not_before=func.now() + pause,
                    delivered_at=func.now() if error is None else None,
                )
            )

    def _send(self, message: _Message) -> None:
        if message.channel == "webhook":
            _post(message)
        else:
            self._mail(message)

    def _mail(self, message: _Message) -> None:
        if self._settings.smtp_host is None:
            raise ValueError("no mail server; set COSMO_MONITOR__SMTP_HOST")
        mail = EmailMessage()
        mail["From"], mail["To"] = self._settings.mail_from, message.target
        detail = message.body["detail"]
        mail["Subject"] = f"[COSMO] {message.body['monitor']}: {detail.get('message') or message.body['name']}"
        mail.set_content(json.dumps(message.body, indent=2))
        with smtplib.SMTP(self._settings.smtp_host, self._settings.smtp_port, timeout=_TIMEOUT_SECONDS) as server:
            server.send_message(mail)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signed message goes where it was addressed to, and nowhere else."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _post(message: _Message) -> None:
    body = json.dumps(message.body).encode()
    headers = {"Content-Type": "application/json", "X-Cosmo-Delivery": str(message.id)}
    if message.secret:
        headers["X-Cosmo-Signature"] = f"sha256={sign(message.secret, body)}"
    request = urllib.request.Request(message.target, data=body, headers=headers, method="POST")  # noqa: S310 - checked when subscribed
    with _OPENER.open(request, timeout=_TIMEOUT_SECONDS):
        pass
