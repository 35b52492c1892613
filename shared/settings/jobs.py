"""Settings of jobs."""

from pydantic import Field

from shared.settings.group import SettingsGroup

__all__ = ["JobSettings"]


class JobSettings(SettingsGroup):
    """How jobs are claimed, renewed, retried and swept."""

    lease_seconds: float = Field(30.0, gt=0, description="How long a claim holds without renewal")
    sweep_seconds: float = Field(
        5.0, gt=0, description="Pause between two sweeps of the dispatcher"
    )
    resend_seconds: float = Field(
        10.0,
        gt=0,
        description="Time after which the message of a job that did not start is sent again",
    )
    max_attempts: int = Field(6, ge=1, description="Attempts before a transient failure is final")
    backoff_seconds: float = Field(
        5.0, ge=0, description="First pause before a retry; doubles each time, up to 30 s"
    )
    window: int = Field(
        200,
        ge=1,
        description="Maximum number of messages of one queue in Redis; a queue of bulk work gives "
        "out up to four times as many jobs a second",
    )
    grace_seconds: float = Field(
        10.0, ge=0, description="Time after SIGTERM before a running job is given back"
    )
