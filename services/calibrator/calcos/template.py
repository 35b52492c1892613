"""First import of the warm template, which from here on logs as the service does.

So do its children, until what they print is the log of CalCOS.
"""

from shared.service import start_service

__all__: list[str] = []

start_service("calibrator")
