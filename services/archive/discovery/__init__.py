"""What remote archives have, listed and compared, and the files of what is wanted of it."""

from services.archive.discovery.discovery import Discovery

__all__ = ["Discovery"]
