"""Postgres advisory locks: each key has its one place here, so that no two purposes share one."""

from enum import IntEnum, unique

__all__ = ["ROOTNAMES", "AdvisoryLock"]

ROOTNAMES = 0x434F534D
"""First of the two keys of locks on rootnames, of which the second is a hash.

Those of two keys are a space apart.
"""


@unique
class AdvisoryLock(IntEnum):
    """What an advisory lock is for."""

    EVENTS = 0x434F534D4F
    """Held while committed events get their places in the feed."""
    DISPATCHER = 0x434F534D50
    """Held by the one dispatcher that is at work."""
    SCAN = 0x434F534D51
    """Held by each transaction of a scan that writes what it found."""
    SCANNER = 0x434F534D56
    """Held by the one archive service that scans."""
    SCHEDULER = 0x434F534D52
    """Held by the one scheduler of monitors that is at work."""
    NOTIFIER = 0x434F534D53
    """Held by the one notifier of subscribers that is at work."""
    CHECK = 0x434F534D54
    """Held by the one that checks the invariants."""
    SEQUENCER = 0x434F534D55
    """Held by the one sequencer of events that is at work."""
    CATALOGUE = 0x434F534D57
    """Held by each transaction that writes what catalogues list."""
