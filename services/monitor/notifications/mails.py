"""E-mails to subscribers."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

import aiosmtplib

from services.monitor.notifications.message import Message
from shared.settings import MonitorSettings

__all__ = ["check_address", "send_mail"]


def check_address(target: str) -> None:
    """Refuse what the mail library cannot address.

    Raises
    ------
    ValueError
        If it is not an e-mail address.
    """
    try:
        address = Address(addr_spec=target)
        mail = EmailMessage(policy=SMTP)
        mail["To"] = target
        parsed = mail["To"].addresses
    except Exception as error:  # its parser has errors of many kinds
        raise ValueError(f"{target!r} is not an e-mail address") from error
    if len(parsed) != 1 or not (address.username and address.domain) or not target.isascii():
        raise ValueError(f"{target!r} is not an e-mail address")


async def send_mail(message: Message, settings: MonitorSettings, timeout: float) -> None:  # noqa: ASYNC109
    """Send a message by the mail server of the settings.

    Parameters
    ----------
    message
        The message.
    settings
        The mail server.
    timeout
        Longest wait for an answer of the server, second.

    Raises
    ------
    Exception
        If it cannot be sent, of whatever kind the library has.
    """
    if settings.smtp_host is None:
        raise ValueError("no mail server is configured; set COSMO_MONITOR__SMTP_HOST")
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = settings.mail_from, message.target, message.title
    mail["Date"] = formatdate()
    # The same for every attempt, so that a mail that was sent twice is shown once.
    domain = Address(addr_spec=settings.mail_from).domain or "cosmo"
    mail["Message-ID"] = f"<cosmo-{message.delivery}-{message.body['event']}@{domain}>"
    mail.set_content(message.text)
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    await aiosmtplib.send(
        mail,
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        username=settings.smtp_user,
        password=password,
        timeout=timeout,
    )
