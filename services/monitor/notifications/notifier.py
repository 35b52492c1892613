"""Deliveries to subscribers, at least once, with retries; no subscriber delays another.

A delivery is a row, written once for each subscription and event, so neither a crash nor a
subscriber's outage loses one. Each attempt has a deadline, and whatever goes wrong counts as an
attempt. A subscription that fails again and again is disabled, with an alert; what happens
meanwhile waits for it to be enabled.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.notifications.mails import send_mail
from services.monitor.notifications.message import Message
from services.monitor.notifications.webhooks import parse_networks, send_webhook
from shared.alerts import open_alert, resolve_alerts
from shared.database.clock import is_due
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.monitoring import Delivery, Severity, Subscription
from shared.database.models.operations import Event
from shared.events import EventName
from shared.jobs.sequencer import PLACED, newest_place
from shared.logs import get_logger
from shared.settings import MonitorSettings

__all__ = ["Notifier", "enable_subscription"]

_DEADLINE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 5.0
_IDLE_SECONDS = 10.0
"""Pause between two looks while no event comes and no delivery waits."""
_BATCH = 100
_BATCH_OF_ONE = 5
"""Most attempts of one subscription at once, so that its backlog does not keep others waiting."""

_LONGEST_ERROR = 500
_EVENTS = {
    "alerts": (EventName.ALERT_OPENED, EventName.ALERT_RESOLVED),
    "results": (EventName.MONITOR_UPDATED, EventName.MONITOR_FAILED),
}

_NEW_DELIVERIES = text(
    """
    INSERT INTO deliveries (subscription_id, event_id, state, attempts, not_before)
    SELECT s.id, e.id, 'waiting', 0, now()
    FROM subscriptions s JOIN events e ON e.at >= s.created_at AND e.name = ANY(
        CASE s.subject WHEN 'alerts' THEN CAST(:alerts AS text[]) ELSE CAST(:results AS text[]) END)
    WHERE (s.monitor IS NULL OR s.monitor = e.monitor)
      AND e.sequence > :after
      AND (s.subject <> 'alerts'
           OR array_position(CAST(:order AS text[]), e.detail ->> 'severity')
              >= array_position(CAST(:order AS text[]), s.severity))
    ON CONFLICT (subscription_id, event_id) DO NOTHING
    """
)


class Notifier:
    """Makes the deliveries; one leads at a time.

    Parameters
    ----------
    database
        Database.
    settings
        Attempts, the mail server, and the networks that webhooks may go to.
    deadline
        Longest time of one attempt, second.
    """

    def __init__(
        self, database: Database, settings: MonitorSettings, deadline: float = _DEADLINE_SECONDS
    ) -> None:
        self._database = database
        self._settings = settings
        self._networks = parse_networks(settings.webhook_networks)
        self._deadline = deadline
        self._after = 0
        self._waiting = False

    async def run(self) -> None:
        """Lead whenever no other notifier does, until cancelled."""
        await keep_leading(
            self._database, AdvisoryLock.NOTIFIER, self._rest, self._lead, channel=PLACED
        )

    def _rest(self) -> float:
        """Return the seconds after which to look where no event comes."""
        return 0.0 if self._waiting else _IDLE_SECONDS

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            await self.collect()
            while await self.deliver():
                await self.collect()
            await asyncio.sleep(self._settings.look_seconds)

    async def collect(self) -> None:
        """Write the deliveries of events that are new."""
        async with self._database.transaction() as session:
            newest = await newest_place(session)
            if newest > self._after:
                values = {name: list(names) for name, names in _EVENTS.items()}
                await session.execute(
                    _NEW_DELIVERIES,
                    {**values, "order": [level.value for level in Severity], "after": self._after},
                )
        self._after = newest

    async def deliver(self) -> int:
        """Make the deliveries that are due, a few of each subscription.

        Returns how many were tried and recorded.
        """
        async with self._database.session() as session:
            messages = await _due(session)
            self._waiting = bool(messages) or await _any_waiting(session)
        return sum(await asyncio.gather(*(self._attempt(message) for message in messages)))

    async def _attempt(self, message: Message) -> bool:
        error: str | None = None
        try:
            async with asyncio.timeout(self._deadline):
                await self._send(message)
        except Exception as reason:  # noqa: BLE001 - whatever a subscriber causes costs that subscriber an attempt
            late = f"no answer within {self._deadline:g} s"
            error = (
                late if isinstance(reason, TimeoutError) else f"{type(reason).__name__}: {reason}"
            )
            error = error.replace("\0", "")[:_LONGEST_ERROR]
            get_logger().warning(
                "delivery failed", delivery=message.delivery, target=message.target, error=error
            )
        try:
            async with self._database.transaction() as session:
                await self._record(session, message, error)
        except Exception as reason:  # noqa: BLE001 - the next turn tries it again; the others are recorded
            get_logger().warning(
                "delivery not recorded", delivery=message.delivery, error=str(reason)
            )
            return False
        return True

    async def _send(self, message: Message) -> None:
        if message.channel == "webhook":
            await send_webhook(message, self._networks)
        else:
            await send_mail(message, self._settings, self._deadline)

    async def _record(self, session: AsyncSession, message: Message, error: str | None) -> None:
        """Write how an attempt went, for the delivery and for its subscription."""
        attempts = message.attempts + 1
        given_up = attempts >= self._settings.delivery_attempts
        await session.execute(
            update(Delivery)
            .where(Delivery.id == message.delivery)
            .values(
                state="delivered" if error is None else "failed" if given_up else "waiting",
                attempts=attempts,
                error=error,
                not_before=func.now()
                + timedelta(seconds=_FIRST_PAUSE_SECONDS * 4 ** (attempts - 1)),
                delivered_at=func.now() if error is None else None,
            )
        )
        subscription = await session.get(Subscription, message.subscription, with_for_update=True)
        if subscription is None:  # ended meanwhile
            return
        if error is None:
            subscription.failures = 0
            return
        subscription.failures += 1
        subscription.last_error = error
        if (
            subscription.disabled_at is None
            and subscription.failures >= self._settings.subscription_failures
        ):
            subscription.disabled_at = func.now()
            await open_alert(
                session,
                _alert_key(subscription.id),
                Severity.WARN,
                f"subscription {subscription.id} of {subscription.created_by} was disabled after "
                f"{subscription.failures} failures; its last_error gives the reason: repair its "
                f"target, "
                "then enable or "
                "delete it",
                rule="a subscription fails repeatedly",
            )


async def enable_subscription(session: AsyncSession, subscription: Subscription) -> None:
    """Deliver to a subscription again, what waited first.

    Parameters
    ----------
    session
        Session of a transaction.
    subscription
        The subscription.
    """
    subscription.failures, subscription.disabled_at = 0, None
    await resolve_alerts(session, _alert_key(subscription.id))


def _alert_key(subscription_id: int) -> str:
    return f"subscription {subscription_id}"


async def _any_waiting(session: AsyncSession) -> bool:
    """Return whether a delivery waits for its next attempt."""
    query = (
        select(Delivery.id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(Delivery.state == "waiting", Subscription.disabled_at.is_(None))
    )
    return (await session.execute(query.limit(1))).first() is not None


async def _due(session: AsyncSession) -> list[Message]:
    """Return the deliveries that are due.

    The oldest few of each subscription, the oldest of all subscriptions first.
    """
    longest = func.make_interval(
        0, 0, 0, 0, 0, 0, _FIRST_PAUSE_SECONDS * func.power(4, Delivery.attempts)
    )
    place = func.row_number().over(partition_by=Delivery.subscription_id, order_by=Delivery.id)
    waiting = (
        select(Delivery.id, place.label("place"))
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Delivery.state == "waiting",
            is_due(Delivery.not_before, longest),
            Subscription.disabled_at.is_(None),
        )
        .subquery()
    )
    rows = await session.execute(
        select(Delivery, Subscription, Event)
        .join(waiting, waiting.c.id == Delivery.id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Event, Event.id == Delivery.event_id)
        .where(waiting.c.place <= _BATCH_OF_ONE)
        .order_by(waiting.c.place, Delivery.id)
        .limit(_BATCH)
    )
    return [
        Message(
            delivery=delivery.id,
            subscription=subscription.id,
            channel=subscription.channel,
            target=subscription.target,
            secret=subscription.secret,
            attempts=delivery.attempts,
            body={
                "delivery": delivery.id,
                "event": event.sequence,
                "at": event.at.isoformat(),
                "name": event.name,
                "monitor": event.monitor,
                "detail": event.detail,
            },
        )
        for delivery, subscription, event in rows
    ]
