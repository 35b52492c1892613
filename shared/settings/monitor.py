"""Settings of the monitors and of the messages about them."""

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from shared.settings.group import SettingsGroup

__all__ = ["MonitorSettings"]


class MonitorSettings(SettingsGroup):
    """When monitors run, and how they report it."""

    look_seconds: float = Field(
        2.0, gt=0, description="Shortest pause between two checks for new rows"
    )
    quiet_seconds: float = Field(
        10.0, ge=0, description="Quiet time after new rows before a monitor runs"
    )
    longest_wait_seconds: float = Field(
        300.0, ge=0, description="Longest wait of a monitor while rows keep coming"
    )
    delivery_attempts: int = Field(
        6, ge=1, description="Attempts before a message to a subscriber is given up"
    )
    smtp_host: str | None = Field(
        None, description="Mail server for subscriptions by e-mail; without one no mail is sent"
    )
    smtp_port: int = Field(25, gt=0, le=65535, description="Port of the mail server")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        "none",
        description="How the connection to the mail server is secured: none, starttls or tls",
    )
    smtp_user: str | None = Field(
        None, description="User of the mail server; without one there is no login"
    )
    smtp_password: SecretStr | None = Field(None, description="Password of that user")
    subscription_failures: int = Field(
        10, ge=1, description="Failed attempts in succession after which a subscription is disabled"
    )
    webhook_networks: str = Field(
        "",
        description="Networks that webhooks may go to in addition to public addresses, comma "
        "separated "
        "(10.0.0.0/8)",
    )
    mail_from: str = Field("cosmo@localhost", description="Sender of the mails")

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in text.split(","):
            if part.strip():
                ip_network(part.strip())
        return text
