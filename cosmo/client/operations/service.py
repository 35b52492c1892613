"""The service itself: status, events, audit."""

from datetime import datetime

from cosmo.client.calls import Call, get
from cosmo.client.endpoints import listing, operation, stream
from cosmo.client.events import EventStream
from cosmo.client.retries import Retry
from services.monitor.response_models.audit import AuditRecord
from services.monitor.response_models.common import Page
from services.monitor.response_models.events import EventRecord
from services.monitor.response_models.status import Health, SystemStatus

__all__ = ["ServiceOperations"]


class ServiceOperations:
    """The service itself: status, events, audit."""

    retry: Retry

    @operation
    def status(self) -> Call[SystemStatus]:
        """Report what runs, what waits and what failed."""
        return get("/status", SystemStatus)

    @operation
    def ready(self) -> Call[Health]:
        """Check that the database, its schema, the broker and each of the services are there.

        Raises
        ------
        ServerError
            If something is not there; its `detail` lists what.
        """
        return get("/health/ready", Health)

    @stream
    def events(self, after: int | None = None) -> EventStream[EventRecord]:
        """Iterate without end over what happens, as it happens.

        A connection that breaks is made again, and goes on after the last event.

        Parameters
        ----------
        after
            Id of the event to go on after; 0 for the first one; what happens from now on, if left
            out.
        """
        return EventStream("/events", EventRecord, self.retry, after)

    @listing
    def audit(
        self, *, token: str | None = None, since: datetime | None = None
    ) -> Call[Page[AuditRecord]]:
        """Iterate over calls that would change state, newest first.

        Needs the scope ``admin``.

        Parameters
        ----------
        token
            Name of the token.
        since
            Only calls at or after this time, with zone.
        """
        return get("/audit", Page[AuditRecord], token=token, since=since)
