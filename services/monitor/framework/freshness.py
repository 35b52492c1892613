"""Age of the newest data of a monitor, and the alert for data dated in the future."""

from services.monitor.framework.declaration import Finding, Monitor
from services.monitor.framework.rules import Rule
from shared.cos.times import date_text, now_mjd
from shared.database.models.monitoring import MonitorRun, Outcome, Severity

__all__ = ["AHEAD", "ahead_findings", "freshness_of"]

AHEAD = Rule(
    name="dated-ahead",
    severity=Severity.ALERT,
    text="the newest data of a monitor are not dated later than tomorrow",
)
_DAY = 86400.0


def freshness_of(monitor: Monitor, run: MonitorRun | None) -> str:
    """``fresh``, ``stale`` (no data for twice the cadence), ``ahead`` (dated after tomorrow),
    ``failed`` or ``empty``.

    Parameters
    ----------
    monitor
        The monitor.
    run
        Its newest run that computed something or failed.
    """
    if run is None:
        return "empty"
    if run.outcome is Outcome.FAILED:
        return "failed"
    if run.newest_mjd is None:
        return "stale"
    age = now_mjd() - run.newest_mjd
    if age < -1.0:
        return "ahead"
    # NaN, which is no age, is not fresh.
    return "fresh" if age <= 2 * monitor.cadence.total_seconds() / _DAY else "stale"


def ahead_findings(newest_mjd: float | None) -> list[Finding]:
    """Return the alert of a run whose newest input is dated after tomorrow.

    Parameters
    ----------
    newest_mjd
        Time of the newest input, MJD; None where there is none.
    """
    if newest_mjd is None or not newest_mjd > now_mjd() + 1.0:
        return []
    message = f"the newest data are dated {date_text(newest_mjd)}, so that their age is unknown"
    return [AHEAD.finding(message, newest_mjd, newest_mjd)]
