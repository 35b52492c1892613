"""Tables of the monitors.

Their runs, values, figures, artifacts and alerts, and who is told of them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.enum_column import enum_column

__all__ = [
    "Alert",
    "AlertState",
    "Artifact",
    "Delivery",
    "MonitorFigure",
    "MonitorPart",
    "MonitorRun",
    "MonitorValue",
    "Outcome",
    "Severity",
    "Subscription",
]


class Outcome(StrEnum):
    """How a run of a monitor ended."""

    NO_NEW_DATA = "no_new_data"
    UPDATED = "updated"
    FAILED = "failed"


class Severity(StrEnum):
    """How grave an alert is, in ascending order."""

    INFO = "info"
    WARN = "warn"
    ALERT = "alert"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class MonitorRun(Base):
    """One computation of a monitor."""

    __tablename__ = "monitor_runs"
    __table_args__ = (
        Index("ix_monitor_runs_monitor_id", "monitor", "id"),
        Index(
            "ix_monitor_runs_result",
            "monitor",
            "id",
            postgresql_where=text("outcome <> 'no_new_data'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    monitor: Mapped[str]
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    outcome: Mapped[Outcome] = mapped_column(enum_column(Outcome))
    reason: Mapped[str | None] = mapped_column(comment="Why it failed")
    generation: Mapped[int] = mapped_column(
        BigInteger, comment="Newest event that its inputs reflect"
    )
    newest_mjd: Mapped[float | None] = mapped_column(
        Double, comment="Time of its newest input", info={"unit": "d"}
    )
    versions: Mapped[dict[str, Any]] = mapped_column(
        comment="Version of the monitor and of what it computes with"
    )
    statistics: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="Its numbers, by group and period"
    )
    seconds: Mapped[float] = mapped_column(Double, info={"unit": "s"})
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MonitorValue(Base):
    """One value that a monitor derived, normally of one exposure."""

    __tablename__ = "monitor_values"
    __table_args__ = (
        UniqueConstraint("monitor", "key", "quantity"),
        Index("ix_monitor_values_time", "monitor", "quantity", "mjd"),
        Index("ix_monitor_values_monitor_id", "monitor", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment="Key of the row")
    monitor: Mapped[str] = mapped_column(comment="Name of the monitor")
    run_id: Mapped[int] = mapped_column(
        ForeignKey("monitor_runs.id", ondelete="CASCADE"),
        index=True,
        comment="Run that last changed the value",
    )
    file_id: Mapped[int | None] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"),
        index=True,
        comment="File that it was measured from",
    )
    key: Mapped[str] = mapped_column(
        comment="What the value is of, unique in its monitor and quantity"
    )
    rootname: Mapped[str | None] = mapped_column(index=True, comment="Rootname of the exposure")
    mjd: Mapped[float] = mapped_column(Double, comment="Time of the value, MJD", info={"unit": "d"})
    segment: Mapped[str | None] = mapped_column(comment="FUVA, FUVB or NUV")
    hvlevel: Mapped[int | None] = mapped_column(comment="Commanded high-voltage level")
    life_adj: Mapped[int | None] = mapped_column(comment="Lifetime position")
    region: Mapped[str | None] = mapped_column(comment="Region of the detector")
    quantity: Mapped[str] = mapped_column(comment="Name of the quantity")
    value: Mapped[float] = mapped_column(Double, comment="Value, in the unit of its quantity")
    error: Mapped[float | None] = mapped_column(Double, comment="One-sigma error, in the same unit")
    outlier: Mapped[bool] = mapped_column(
        default=False, comment="An outlier rule of the monitor hit it"
    )


class MonitorFigure(Base):
    """A figure of a monitor, as its newest run left it."""

    __tablename__ = "monitor_figures"
    __table_args__ = (UniqueConstraint("monitor", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    monitor: Mapped[str]
    name: Mapped[str]
    run_id: Mapped[int] = mapped_column(
        ForeignKey("monitor_runs.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(comment="Place on the page")
    title: Mapped[str]
    caption: Mapped[str]
    content: Mapped[bytes] = mapped_column(
        LargeBinary, comment="Description of the figure (services.monitor.figures): JSON, gzipped"
    )
    plotly: Mapped[bytes | None] = mapped_column(LargeBinary, comment="Plotly JSON, gzipped")


class MonitorPart(Base):
    """What a monitor found in a part of its inputs, kept so that later runs compute only the parts
    that changed.
    """

    __tablename__ = "monitor_parts"
    __table_args__ = (UniqueConstraint("monitor", "key"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    monitor: Mapped[str]
    key: Mapped[str] = mapped_column(comment="Which part, e.g. a segment and a period")
    inputs: Mapped[str] = mapped_column(comment="Digest of the inputs that it reflects")
    content: Mapped[dict[str, Any]] = mapped_column(comment="What was found")
    tables: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        comment="Tables that were found: for each a stream of Arrow, which has its name as "
        "metadata",
    )


class Artifact(Base):
    """A file that a monitor made: a reference file, a map."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("path", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    monitor: Mapped[str] = mapped_column(index=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("monitor_runs.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(comment="Kind of file, e.g. GSAGTAB or gain map")
    path: Mapped[str] = mapped_column(comment="Folder in the store")
    name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger, info={"unit": "byte"})
    sha256: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="Checks, and the difference to the active file"
    )
    current: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Alert(Base):
    """Something that a rule of a monitor found."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "ix_alerts_unresolved",
            "monitor",
            "key",
            unique=True,
            postgresql_where=text("state <> 'resolved'"),
        ),
        Index("ix_alerts_state_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    monitor: Mapped[str] = mapped_column(
        comment="Monitor, or operations where it is about the system itself"
    )
    run_id: Mapped[int | None] = mapped_column(
        ForeignKey("monitor_runs.id", ondelete="CASCADE"),
        index=True,
        comment="Run of the monitor that found it last",
    )
    key: Mapped[str] = mapped_column(
        comment="Rule, configuration and rootname: the same finding is one alert"
    )
    rule: Mapped[str] = mapped_column(comment="The rule in words")
    severity: Mapped[Severity] = mapped_column(enum_column(Severity))
    message: Mapped[str]
    value: Mapped[float | None] = mapped_column(Double)
    threshold: Mapped[float | None] = mapped_column(Double)
    source: Mapped[str] = mapped_column(comment="Where the threshold is from")
    rootname: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[AlertState] = mapped_column(enum_column(AlertState), default=AlertState.OPEN)
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(comment="Name of the token")
    resolved_at: Mapped[datetime | None]


class Subscription(Base):
    """A subscription to alerts or new results."""

    __tablename__ = "subscriptions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    channel: Mapped[str] = mapped_column(comment="webhook or email")
    target: Mapped[str] = mapped_column(comment="URL or address")
    secret: Mapped[str | None] = mapped_column(
        comment="Key of the signature of a webhook's payload"
    )
    monitor: Mapped[str | None] = mapped_column(
        comment="Name of the monitor; all of them where empty"
    )
    subject: Mapped[str] = mapped_column(comment="alerts or results")
    severity: Mapped[Severity] = mapped_column(
        enum_column(Severity), comment="Lowest severity of alerts that are delivered"
    )
    created_by: Mapped[str] = mapped_column(comment="Name of the token")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failures: Mapped[int] = mapped_column(
        default=0, server_default="0", comment="Failed attempts in succession"
    )
    last_error: Mapped[str | None] = mapped_column(comment="Why an attempt failed last")
    disabled_at: Mapped[datetime | None] = mapped_column(
        comment="When it was disabled, having failed too often"
    )


class Delivery(Base):
    """One message to one subscriber."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscription_id", "event_id"),
        Index("ix_deliveries_due", "not_before", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(default="waiting", comment="waiting, delivered or failed")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
