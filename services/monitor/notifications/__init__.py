"""Notifications of subscribers: alerts and fresh results, by webhook and by e-mail."""

from services.monitor.notifications.notifier import Notifier

__all__ = ["Notifier"]
