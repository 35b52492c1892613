"""Notifications to a real web server and a real mail server."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from standardwebhooks import Webhook, WebhookVerificationError

from services.monitor.notifications.notifier import Notifier, enable_subscription
from services.monitor.notifications.webhooks import make_secret
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, AlertState, Delivery, Subscription
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.sequencer import place_events
from shared.settings import MonitorSettings
from tests.services.monitor.notifications.receiver import Receiver

pytestmark = pytest.mark.integration

_SECRET = make_secret()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    http, mail = await receiver.start()
    yield receiver
    http.close()
    mail.close()


def _notifier(
    database: Database, receiver: Receiver, deadline: float = 10.0, **changes: Any
) -> Notifier:
    settings = {
        "delivery_attempts": 2,
        "smtp_host": "127.0.0.1",
        "smtp_port": receiver.mail_port,
        "webhook_networks": "127.0.0.0/8",
    }
    return Notifier(database, MonitorSettings(**{**settings, **changes}), deadline)


async def _subscribe(database: Database, receiver: Receiver, **wanted: str | None) -> int:
    given = {
        "channel": "webhook",
        "target": f"http://127.0.0.1:{receiver.http_port}/hook",
        "secret": _SECRET,
        "monitor": None,
        "subject": "alerts",
        "severity": "warn",
        "created_by": "tester",
    }
    async with database.transaction() as session:
        subscription = Subscription(**{**given, **wanted})
        session.add(subscription)
        await session.flush()
        return subscription.id


async def _alert(database: Database, severity: str, monitor: str = "fuv-dark") -> None:
    async with database.transaction() as session:
        detail = {"severity": severity, "message": f"a {severity}"}
        await record_event(session, monitor, NewEvent(EventName.ALERT_OPENED, detail), Outbox())
    await place_events(database)


async def _now(database: Database) -> None:
    """Let what waits for its next attempt be due."""
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(not_before=func.now()))


async def _states(database: Database) -> list[tuple[str, int]]:
    async with database.session() as session:
        rows = await session.execute(
            select(Delivery.state, Delivery.attempts).order_by(Delivery.id)
        )
        return [(state, attempts) for state, attempts in rows]


async def test_a_webhook_gets_what_it_asked_for_signed_and_once(
    database: Database, receiver: Receiver
) -> None:
    await _alert(database, "alert")  # before the subscription
    await _subscribe(database, receiver, monitor="fuv-dark", severity="alert")
    await _alert(database, "warn")
    await _alert(database, "alert", "nuv-dark")
    await _alert(database, "alert")
    for notifier in (_notifier(database, receiver), _notifier(database, receiver)):
        await notifier.collect()
        await notifier.deliver()
    ((headers, body),) = receiver.requests
    told = Webhook(_SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(_SECRET).verify(body, {**headers, "webhook-id": "msg_0"})
    assert (told["name"], told["monitor"], told["detail"]["message"]) == (
        "alert.opened",
        "fuv-dark",
        "a alert",
    )
    assert await _states(database) == [("delivered", 1)]


async def test_a_subscriber_that_is_away_is_tried_again_and_given_up(
    database: Database, receiver: Receiver
) -> None:
    await _subscribe(database, receiver)
    notifier = _notifier(database, receiver)
    receiver.refusals = 3
    await _alert(database, "warn")
    await notifier.collect()
    assert await notifier.deliver() == 1
    assert await _states(database) == [("waiting", 1)]
    assert await notifier.deliver() == 0  # not before its pause
    await _now(database)
    await notifier.deliver()
    assert await _states(database) == [("failed", 2)]

    await _alert(database, "warn")
    await notifier.collect()
    await notifier.deliver()
    await _now(database)
    await notifier.deliver()
    assert await _states(database) == [("failed", 2), ("delivered", 2)]
    assert len(receiver.requests) == 1


async def test_a_clock_that_was_put_back_holds_nothing_up(
    database: Database, receiver: Receiver
) -> None:
    await _subscribe(database, receiver)
    notifier = _notifier(database, receiver)
    await _alert(database, "warn")
    await notifier.collect()
    for ahead, delivered in ((timedelta(seconds=3), 0), (timedelta(hours=2), 1)):
        async with database.transaction() as session:
            await session.execute(update(Delivery).values(not_before=func.now() + ahead))
        assert await notifier.deliver() == delivered


async def test_results_go_by_mail(database: Database, receiver: Receiver) -> None:
    await _subscribe(
        database, receiver, channel="email", target="team@example.org", subject="results"
    )
    await _alert(database, "alert")
    async with database.transaction() as session:
        await record_event(
            session, "nuv-dark", NewEvent(EventName.MONITOR_UPDATED, {"run": 3}), Outbox()
        )
    await place_events(database)
    notifier = _notifier(database, receiver)
    await notifier.collect()
    await notifier.deliver()
    (mail,) = receiver.mails
    message = message_from_bytes(mail)
    assert message["To"] == "team@example.org"
    assert message["Subject"] == "[COSMO] nuv-dark: monitor.updated"
    assert await _states(database) == [("delivered", 1)]


@pytest.mark.parametrize(
    ("channel", "target"),
    [
        ("webhook", "http://a..b/"),
        ("webhook", "http://[::ffff:127.0.0.1]:1/"),
        ("webhook", "ftp:///x"),
        ("webhook", "no address at all"),
        ("email", "a@b@c"),
        ("email", "\u0000@example.org"),
        ("email", "@"),
    ],
)
async def test_a_subscription_that_cannot_be_served_costs_itself_alone(
    database: Database, receiver: Receiver, channel: str, target: str
) -> None:
    """Whatever is in the table: what the API refuses today may have been let in before."""
    if "\0" not in target:  # Postgres keeps no such text
        await _subscribe(database, receiver, channel=channel, target=target)
    await _subscribe(database, receiver)
    await _alert(database, "warn")
    notifier = _notifier(database, receiver)
    await notifier.collect()
    await notifier.deliver()
    assert len(receiver.requests) == 1
    assert (await _states(database))[-1] == ("delivered", 1)
    assert set((await _states(database))[:-1]) <= {("waiting", 1)}


async def test_a_server_that_answers_a_line_now_and_then_ends_at_the_deadline(
    database: Database, receiver: Receiver
) -> None:
    receiver.slow = True
    await _subscribe(database, receiver, target=f"http://127.0.0.1:{receiver.http_port}/slow")
    await _subscribe(database, receiver)
    for _ in range(20):
        await _alert(database, "warn")
    notifier = _notifier(database, receiver, deadline=0.5)
    await notifier.collect()
    started = time.monotonic()
    while len(receiver.requests) < 20:
        assert await notifier.deliver()
    assert (
        time.monotonic() - started < 15
    )  # 4 turns of 0.5 s; all twenty of the slow one take as long as 20 deadlines
    async with database.session() as session:
        errors = set(
            (
                await session.execute(select(Delivery.error).where(Delivery.error.is_not(None)))
            ).scalars()
        )
    assert errors == {"no answer within 0.5 s"}


async def test_private_addresses_are_refused_after_resolution(
    database: Database, receiver: Receiver
) -> None:
    hosts = ["127.0.0.1", "[::ffff:127.0.0.1]"]
    with contextlib.suppress(socket.gaierror):  # minimal systems know no localhost
        socket.getaddrinfo("localhost", None)
        hosts.append("localhost")
    targets = [f"http://{host}:{receiver.http_port}/" for host in hosts]
    for target in (
        *targets,
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://[fe80::1]/",
        "http://[64:ff9b::a00:1]/",
    ):
        await _subscribe(database, receiver, target=target)
    await _alert(database, "warn")
    notifier = _notifier(database, receiver, webhook_networks="")
    await notifier.collect()
    await notifier.deliver()
    assert receiver.requests == []
    async with database.session() as session:
        errors = (await session.execute(select(Delivery.error))).scalars().all()
    assert len(errors) == len(hosts) + 4
    assert all(
        "which is not public; COSMO_MONITOR__WEBHOOK_NETWORKS" in str(error) for error in errors
    )


async def test_a_subscription_that_fails_again_and_again_is_disabled_and_enabled(
    database: Database, receiver: Receiver
) -> None:
    number = await _subscribe(database, receiver)
    receiver.refusals = 100
    notifier = _notifier(database, receiver, delivery_attempts=3)
    for _ in range(4):
        await _alert(database, "warn")
    await notifier.collect()
    for _ in range(3):
        await _now(database)
        await notifier.deliver()
    async with database.session() as session:
        subscription = await session.get_one(Subscription, number)
        assert subscription.disabled_at is not None
        assert subscription.failures >= 10
        assert "503" in str(subscription.last_error)
        (alert,) = (await session.execute(select(Alert))).scalars()
        assert alert.message.startswith(f"subscription {number} of tester was disabled")
    receiver.refusals = 0
    await _now(database)
    assert await notifier.deliver() == 0
    await _alert(database, "alert")  # happens while it is disabled
    async with database.transaction() as session:
        await enable_subscription(session, await session.get_one(Subscription, number))
    await notifier.collect()
    await notifier.deliver()
    assert "a alert" in {
        body.decode().split('"message": "')[1].split('"')[0] for _, body in receiver.requests
    }
    async with database.session() as session:
        (alert,) = (await session.execute(select(Alert))).scalars()
        assert alert.state == AlertState.RESOLVED
        assert (await session.get_one(Subscription, number)).failures == 0


async def test_a_mail_has_date_and_identity_and_its_subject_one_line(
    database: Database, receiver: Receiver
) -> None:
    await _subscribe(database, receiver, channel="email", target="team@example.org")
    await _alert(database, "warn\r\nBcc: all@example.org")
    async with database.transaction() as session:
        detail = {"severity": "warn", "message": "two\nlines\r\nBcc: all@example.org"}
        await record_event(session, "fuv-dark", NewEvent(EventName.ALERT_OPENED, detail), Outbox())
    await place_events(database)
    notifier = _notifier(database, receiver)
    await notifier.collect()
    await notifier.deliver()
    (mail,) = receiver.mails
    message = message_from_bytes(mail)
    assert message["Subject"] == "[COSMO] fuv-dark: two lines Bcc: all@example.org"
    assert message["Bcc"] is None
    assert message["Date"]
    assert message["Message-ID"].endswith("@localhost>")


async def test_mails_go_over_tls_with_a_login(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    made = await asyncio.create_subprocess_exec(*make, *names, "-keyout", key, "-out", certificate)
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver()
    http, mail = await receiver.start(context)
    await _subscribe(database, receiver, channel="email", target="team@example.org")
    await _alert(database, "warn")
    notifier = _notifier(
        database, receiver, smtp_security="tls", smtp_user="cosmo", smtp_password="s3cret"
    )
    await notifier.collect()
    await notifier.deliver()
    assert receiver.mails == []  # nobody vouches for the certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    await _now(database)
    await notifier.deliver()
    assert len(receiver.mails) == 1
    assert receiver.logins == ["\0cosmo\0s3cret"]
    for server in (http, mail):
        server.close()
