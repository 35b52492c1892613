"""Subscriptions: made, enabled again, ended."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.notifications.notifier import enable_subscription
from shared.database.models.monitoring import Subscription

__all__ = ["add_subscription", "enable_again", "end_subscription"]


async def add_subscription(session: AsyncSession, subscription: Subscription) -> Subscription:
    """Add a subscription, and commit."""
    session.add(subscription)
    await session.commit()
    await session.refresh(subscription)
    return subscription


async def enable_again(session: AsyncSession, subscription_id: int) -> Subscription | None:
    """Deliver to a subscription again, and commit; None if there is none of this number."""
    found = await session.get(Subscription, subscription_id, with_for_update=True)
    if found is None:
        return None
    await enable_subscription(session, found)
    await session.commit()
    return found


async def end_subscription(session: AsyncSession, subscription_id: int) -> bool:
    """End a subscription, and commit; False if there is none of this number."""
    found = await session.get(Subscription, subscription_id, with_for_update=True)
    if found is None:
        return False
    await enable_subscription(session, found)  # no alert about it is left open
    await session.delete(found)
    await session.commit()
    return True
