"""Message to a subscriber."""

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Message"]


@dataclass(frozen=True)
class Message:
    """One notification of one subscriber.

    Attributes
    ----------
    delivery
        Key of the delivery, the same for every attempt.
    subscription
        Key of the subscription.
    channel
        ``webhook`` or ``email``.
    target
        URL or address.
    secret
        Key of a webhook's signature; None for none.
    attempts
        Attempts that were made.
    body
        What is said.
    """

    delivery: int
    subscription: int
    channel: str
    target: str
    secret: str | None
    attempts: int
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The body as JSON."""
        return json.dumps(self.body, indent=2)

    @property
    def title(self) -> str:
        """One line that says what it is about."""
        text = self.body["detail"].get("message") or self.body["name"]
        return f"[COSMO] {self.body['monitor']}: {' '.join(str(text).split())}"
