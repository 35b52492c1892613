"""Subscriptions with the numbers of their deliveries."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.response_models.alerts import NewSubscriptionRecord, SubscriptionRecord
from shared.database.models.monitoring import Delivery, Subscription

__all__ = ["describe_new_subscription", "describe_subscription", "list_subscriptions"]


async def list_subscriptions(session: AsyncSession) -> list[SubscriptionRecord]:
    """List all subscriptions."""
    found = (await session.scalars(select(Subscription).order_by(Subscription.id))).all()
    counts = await _deliveries(session, (subscription.id for subscription in found))
    return [_record(subscription, counts.get(subscription.id, {})) for subscription in found]


async def describe_subscription(
    session: AsyncSession, subscription: Subscription
) -> SubscriptionRecord:
    """Describe a subscription, without its secret."""
    counts = await _deliveries(session, [subscription.id])
    return _record(subscription, counts.get(subscription.id, {}))


async def describe_new_subscription(
    session: AsyncSession, subscription: Subscription
) -> NewSubscriptionRecord:
    """Describe a subscription to its maker, with its secret."""
    record = await describe_subscription(session, subscription)
    return NewSubscriptionRecord(**dict(record), secret=subscription.secret)


async def _deliveries(
    session: AsyncSession, subscriptions: Iterable[int]
) -> dict[int, dict[str, int]]:
    """Messages of each subscription by state."""
    found = await session.execute(
        select(Delivery.subscription_id, Delivery.state, func.count())
        .where(Delivery.subscription_id.in_(list(subscriptions)))
        .group_by(Delivery.subscription_id, Delivery.state)
    )
    counts: dict[int, dict[str, int]] = {}
    for subscription, state, count in found:
        counts.setdefault(subscription, {})[state] = count
    return counts


def _record(subscription: Subscription, deliveries: dict[str, int]) -> SubscriptionRecord:
    fields = set(SubscriptionRecord.model_fields) - {"signed", "deliveries"}
    return SubscriptionRecord(
        **{name: getattr(subscription, name) for name in fields},
        signed=subscription.secret is not None,
        deliveries=deliveries,
    )
