"""State of the web process: whether it is alive, and whether it takes requests."""

from dataclasses import dataclass, field

from shared.worker.heartbeat import Heartbeat
from shared.worker.readiness import READY

__all__ = ["DRAINING", "STARTING", "ProcessState"]

STARTING = "starting"
DRAINING = "stopping: new requests are for other replicas"


@dataclass
class ProcessState:
    """What the process says of itself.

    Attributes
    ----------
    stage
        ``READY``, or what it does instead of taking requests.
    heartbeat
        Beats while its event loop is not blocked.
    failed
        It cannot work as it is set, and so is to end.
    """

    stage: str = READY
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    failed: bool = False

    def unready(self) -> str | None:
        """Say why it takes no requests; None where it does."""
        return None if self.stage == READY else self.stage
