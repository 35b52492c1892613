"""Alerts, and subscriptions to them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, SecretStr

from services.monitor.framework.alerts import acknowledge
from services.monitor.notifications.mails import check_address
from services.monitor.notifications.subscriptions import (
    add_subscription,
    enable_again,
    end_subscription,
)
from services.monitor.notifications.webhooks import check_secret, make_secret, normalise_url
from services.monitor.queries import alerts
from services.monitor.queries.subscriptions import (
    describe_new_subscription,
    describe_subscription,
    list_subscriptions,
)
from services.monitor.response_models.alerts import (
    Acknowledgement,
    AlertRecord,
    NewSubscriptionRecord,
    SubscriptionList,
    SubscriptionRecord,
)
from services.monitor.response_models.common import Page
from services.monitor.web.cached_routes import CachedRoute, cached
from services.monitor.web.dependencies import CurrentContext, Operator, Session, Subscriber
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import LONGEST_NAME, Name, RowNumber
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.protection.bodies import RequestModel
from services.monitor.web.statuses import may_answer
from shared.database.models.monitoring import AlertState, Severity, Subscription
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(tags=["alerts"], route_class=CachedRoute)

_SubscriptionNumber = Annotated[RowNumber, Path(description="Number of the subscription")]


@router.get("/alerts", summary="Alerts, newest first")
@may_answer(404)
@cached()
async def list_alerts(
    request: Request,
    response: Response,
    session: Session,
    state: Annotated[AlertState | None, Query(description="State of the alerts")] = None,
    monitor: Annotated[
        Name | None,
        Query(description="Name of a monitor, or operations for the system itself"),
    ] = None,
    severity: Annotated[
        Severity | None, Query(description="This severity or a more severe one")
    ] = None,
    rootname: Annotated[
        Name | None, Query(description="Rootname that the alerts are about")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AlertRecord]:
    """List alerts, newest first; 404 for the name of no monitor.

    An alert is ``open`` until somebody acknowledges it or what it is about is over, then
    ``acknowledged`` or ``resolved``. E.g. ``/alerts?state=open&severity=alert`` lists those that
    are alerts or critical and that nobody has seen.
    """
    wanted = alerts.AlertFilter(state, monitor, severity, rootname)
    found = await alerts.list_alerts(session, wanted, limit, cursor)
    return page_of(request, response, found)


@router.post("/alerts/{alert_id}/acknowledge", summary="Acknowledge an open alert")
async def acknowledge_alert(
    alert_id: Annotated[RowNumber, Path(description="Number of the alert")],
    session: Session,
    name: Operator,
    context: CurrentContext,
) -> Acknowledgement:
    """Say that somebody has seen an alert; it stays until what it is about is over.

    404 where there is no such alert, or it is not open.
    """
    if not await acknowledge(session, alert_id, name):
        raise ApiError(
            404,
            "no_open_alert",
            f"alert {alert_id} is not open; /api/v1/alerts?state=open lists those",
        )
    await session.commit()
    context.notices.wake()  # who acknowledged it sees it at once
    get_logger().info("alert acknowledged", alert=alert_id, by=name)
    return Acknowledgement(acknowledged=alert_id)


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
        max_length=LONGEST_NAME,
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


@router.get(
    "/subscriptions", summary="Subscriptions to alerts and results, with their last deliveries"
)
async def show_subscriptions(session: Session, _name: Subscriber) -> SubscriptionList:
    """List subscriptions, oldest first, without their secrets.

    ``deliveries`` counts the messages of each by their state; ``disabled_at`` and ``last_error``
    say when and why one was disabled.
    """
    return SubscriptionList(items=await list_subscriptions(session))


@router.post("/subscriptions", summary="Subscribe to alerts or new results", status_code=201)
@may_answer(404)
async def subscribe(
    wanted: NewSubscription, session: Session, request: Request, name: Subscriber
) -> NewSubscriptionRecord:
    """Deliver alerts, or results of monitors, to a webhook or by e-mail, with retries.

    The answer is the only one that has the ``secret`` of a webhook's signatures, which is made
    where none is given. 400 for a target or a secret that cannot be used, 404 for the name of no
    monitor.
    """
    target, secret = _address(wanted)
    subscription = Subscription(
        channel=wanted.channel,
        target=target,
        secret=secret,
        monitor=alerts.alert_subject(wanted.monitor) if wanted.monitor else None,
        subject=wanted.subject,
        severity=wanted.severity,
        created_by=name,
    )
    await add_subscription(session, subscription)
    name_subject(request, f"subscription {subscription.id}")
    return await describe_new_subscription(session, subscription)


@router.post(
    "/subscriptions/{subscription_id}/enable", summary="Enable a disabled subscription again"
)
async def enable(
    subscription_id: _SubscriptionNumber, session: Session, _name: Subscriber
) -> SubscriptionRecord:
    """Deliver to a disabled subscription again; what happened meanwhile is delivered too."""
    found = await enable_again(session, subscription_id)
    if found is None:
        raise _unknown(subscription_id)
    return await describe_subscription(session, found)


@router.delete("/subscriptions/{subscription_id}", summary="Delete a subscription", status_code=204)
async def unsubscribe(
    subscription_id: _SubscriptionNumber, session: Session, _name: Subscriber
) -> None:
    """End a subscription; what waits for delivery is not sent any more."""
    if not await end_subscription(session, subscription_id):
        raise _unknown(subscription_id)


def _unknown(subscription_id: int) -> ApiError:
    return ApiError(404, "unknown_subscription", f"no subscription {subscription_id}")
