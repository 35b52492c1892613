"""Alerts, and subscriptions to them."""

from typing import Literal

from cosmo.client.calls import Call, Flow, delete, get, post, quoted
from cosmo.client.endpoints import listing, operation
from services.monitor.response_models.alerts import (
    Acknowledgement,
    AlertRecord,
    NewSubscriptionRecord,
    SubscriptionList,
    SubscriptionRecord,
)
from services.monitor.response_models.common import Page

__all__ = ["AlertOperations"]


class AlertOperations:
    """Alerts, and subscriptions to them."""

    @listing
    def alerts(
        self,
        *,
        state: str | None = None,
        monitor: str | None = None,
        severity: str | None = None,
        rootname: str | None = None,
    ) -> Call[Page[AlertRecord]]:
        """Iterate over alerts, newest first.

        Parameters
        ----------
        state
            ``open``, ``acknowledged`` or ``resolved``.
        monitor
            Name of the monitor; ``operations`` for the system itself.
        severity
            This severity or a more severe one.
        rootname
            Exposure that they are about.
        """
        return get(
            "/alerts",
            Page[AlertRecord],
            state=state,
            monitor=monitor,
            severity=severity,
            rootname=rootname,
        )

    @operation
    def acknowledge(self, alert_id: int) -> Call[Acknowledgement]:
        """Acknowledge an open alert.

        Needs the scope ``operate``.
        """
        return post(quoted("alerts", alert_id, "acknowledge"), Acknowledgement)

    @operation
    def subscriptions(self) -> Flow[list[SubscriptionRecord]]:
        """List the subscriptions, and how their deliveries went.

        Needs the scope ``subscribe``.
        """
        page = yield from get("/subscriptions", SubscriptionList)
        return page.items

    @operation
    def subscribe(
        self,
        channel: Literal["webhook", "email"],
        target: str,
        *,
        secret: str | None = None,
        monitor: str | None = None,
        subject: Literal["alerts", "results"] = "alerts",
        severity: str = "warn",
    ) -> Call[NewSubscriptionRecord]:
        """Have alerts or new results delivered to a webhook or by e-mail.

        Needs the scope ``subscribe``.

        Parameters
        ----------
        channel
            ``webhook`` or ``email``.
        target
            URL of the webhook, or an e-mail address.
        secret
            Key of a webhook's signatures; one is made, if left out.
        monitor
            Name of the monitor, or ``operations``; all of them, if left out.
        subject
            ``alerts`` or ``results``.
        severity
            Least severe alert that is delivered.

        Returns
        -------
        NewSubscriptionRecord
            The subscription; no other answer has its secret.
        """
        body = {
            "channel": channel,
            "target": target,
            "secret": secret,
            "monitor": monitor,
            "subject": subject,
            "severity": severity,
        }
        return post("/subscriptions", NewSubscriptionRecord, body=body)

    @operation
    def enable_subscription(self, subscription_id: int) -> Call[SubscriptionRecord]:
        """Deliver to a disabled subscription again, what happened meanwhile too."""
        path = quoted("subscriptions", subscription_id, "enable")
        return post(path, SubscriptionRecord, repeatable=True)

    @operation
    def unsubscribe(self, subscription_id: int) -> Call[None]:
        """End a subscription."""
        return delete(quoted("subscriptions", subscription_id))
