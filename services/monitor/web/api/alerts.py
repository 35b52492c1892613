"""Alerts, and subscriptions to them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, SecretStr
from sqlalchemy import func, select

from services.monitor.framework.alerts import acknowledge
from services.monitor.notifications.mails import check_address
from services.monitor.notifications.notifier import enable_subscription
from services.monitor.notifications.webhooks import check_secret, make_secret, normalise_url
from services.monitor.queries.monitors import find_monitor
from services.monitor.queries.pages import decode_cursor, split
from services.monitor.web.dependencies import CurrentContext, Operator, Session, Subscriber
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pagination import page
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.protection.bodies import RequestModel
from shared.alerts import OPERATIONS
from shared.database.models.monitoring import Alert, AlertState, Delivery, Severity, Subscription
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(tags=["alerts"])
_NAMES = (
    "id",
    "monitor",
    "run_id",
    "rule",
    "severity",
    "message",
    "value",
    "threshold",
    "source",
    "rootname",
    "state",
    "acknowledged_by",
)


def describe_alert(alert: Alert) -> dict[str, Any]:
    """Describe an alert."""
    times = {name: getattr(alert, name) for name in ("opened_at", "acknowledged_at", "resolved_at")}
    return {
        **{name: getattr(alert, name) for name in _NAMES},
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
    }


def _subject(name: str) -> str:
    """Name of a monitor, or that of the system itself."""
    return name if name == OPERATIONS else find_monitor(name).name


@router.get("/alerts", summary="Alerts, newest first")
async def list_alerts(
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    state: AlertState | None = None,
    monitor: str | None = None,
    severity: Annotated[
        Severity | None, Query(description="This severity or a more severe one")
    ] = None,
    rootname: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> Response:
    """Page of alerts."""
    query = select(Alert).order_by(Alert.id.desc())
    if state is not None:
        query = query.where(Alert.state == state)
    if monitor is not None:
        query = query.where(Alert.monitor == _subject(monitor))
    if severity is not None:
        levels = list(Severity)
        query = query.where(Alert.severity.in_(levels[levels.index(severity) :]))
    if rootname is not None:
        query = query.where(Alert.rootname == rootname.lower())
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Alert.id < after[0])

    async def make() -> dict[str, Any]:
        found, more = split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
        return page(
            request,
            response,
            [describe_alert(alert) for alert in found],
            (found[-1].id,) if more else None,
        )

    return await context.answers.give(request, session, make, response)


@router.post("/alerts/{alert_id}/acknowledge", summary="Acknowledge an open alert")
async def acknowledge_alert(
    alert_id: int, session: Session, name: Operator, context: CurrentContext
) -> dict[str, Any]:
    """Acknowledge one."""
    if not await acknowledge(session, alert_id, name):
        raise ApiError(
            404,
            "no_open_alert",
            f"alert {alert_id} is not open; /api/v1/alerts?state=open lists those",
        )
    await session.commit()
    context.notices.wake()  # who acknowledged it sees it at once
    get_logger().info("alert acknowledged", alert=alert_id, by=name)
    return {"acknowledged": alert_id}


class NewSubscription(RequestModel):
    """A subscription to alerts or results."""

    channel: Literal["webhook", "email"]
    target: str = Field(description="URL of a webhook, or an e-mail address", max_length=2000)
    secret: SecretStr | None = Field(
        None,
        description="Key of a webhook's signatures: whsec_ and 24 to 64 bytes in base64; one is "
        "made if left out",
        max_length=200,
    )
    monitor: str | None = Field(
        None,
        description="Name of the monitor, or operations for the system itself; all of them if left "
        "out",
    )
    subject: Literal["alerts", "results"] = "alerts"
    severity: Severity = Field(Severity.WARN, description="Least severe alert that is delivered")


def _address(wanted: NewSubscription) -> tuple[str, str | None]:
    """Target as it is written to, and the key of its signatures."""
    given = wanted.secret.get_secret_value() if wanted.secret else None
    try:
        if wanted.channel == "email":
            check_address(wanted.target)
            return wanted.target, None
        if given is not None:
            check_secret(given)
    except ValueError as error:
        raise ApiError(400, "bad_value", str(error)) from error
    try:
        return normalise_url(wanted.target), given or make_secret()
    except ValueError as error:
        raise ApiError(
            400, "bad_value", f"a webhook needs an http or https URL, not {wanted.target!r}"
        ) from error


async def _describe(session: Session, subscription: Subscription) -> dict[str, Any]:
    counts = await session.execute(
        select(Delivery.state, func.count())
        .where(Delivery.subscription_id == subscription.id)
        .group_by(Delivery.state)
    )
    names = (
        "id",
        "channel",
        "target",
        "monitor",
        "subject",
        "severity",
        "created_by",
        "failures",
        "last_error",
    )
    return {
        **{name: getattr(subscription, name) for name in names},
        "signed": subscription.secret is not None,
        "created_at": subscription.created_at.isoformat(),
        "disabled_at": subscription.disabled_at.isoformat() if subscription.disabled_at else None,
        "deliveries": {state: count for state, count in counts},  # noqa: C416 - rows, not pairs
    }


@router.get(
    "/subscriptions", summary="Subscriptions to alerts and results, with their last deliveries"
)
async def list_subscriptions(session: Session, _name: Subscriber) -> dict[str, Any]:
    """List subscriptions; their targets are nobody else's business, so a token is needed."""
    found = (await session.execute(select(Subscription).order_by(Subscription.id))).scalars().all()
    return {"items": [await _describe(session, subscription) for subscription in found]}


@router.post("/subscriptions", summary="Subscribe to alerts or new results", status_code=201)
async def subscribe(
    wanted: NewSubscription, session: Session, request: Request, name: Subscriber
) -> dict[str, Any]:
    """Subscribe; the answer is the only one that has the secret."""
    target, secret = _address(wanted)
    subscription = Subscription(
        channel=wanted.channel,
        target=target,
        secret=secret,
        monitor=_subject(wanted.monitor) if wanted.monitor else None,
        subject=wanted.subject,
        severity=wanted.severity,
        created_by=name,
    )
    session.add(subscription)
    await session.commit()
    await session.refresh(subscription)
    name_subject(request, f"subscription {subscription.id}")
    return {**await _describe(session, subscription), "secret": secret}


@router.post(
    "/subscriptions/{subscription_id}/enable", summary="Enable a disabled subscription again"
)
async def enable(subscription_id: int, session: Session, _name: Subscriber) -> dict[str, Any]:
    """Enable one; what happened while it was disabled is delivered."""
    found = await session.get(Subscription, subscription_id, with_for_update=True)
    if found is None:
        raise ApiError(404, "unknown_subscription", f"no subscription {subscription_id}")
    await enable_subscription(session, found)
    await session.commit()
    return await _describe(session, found)


@router.delete("/subscriptions/{subscription_id}", summary="Delete a subscription", status_code=204)
async def unsubscribe(subscription_id: int, session: Session, _name: Subscriber) -> Response:
    """Unsubscribe."""
    found = await session.get(Subscription, subscription_id, with_for_update=True)
    if found is None:
        raise ApiError(404, "unknown_subscription", f"no subscription {subscription_id}")
    await enable_subscription(session, found)  # nothing is left to alert of
    await session.delete(found)
    await session.commit()
    return Response(status_code=204)
