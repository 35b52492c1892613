"""Deliveries to a real web server and a real mail server."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes

import pytest
from sqlalchemy import func, select, update

from services.monitor.deliveries import Courier
from shared.database.engine import Database
from shared.database.models.monitoring import Delivery, Subscription
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.settings import MonitorSettings

pytestmark = pytest.mark.integration

_SECRET = "s3cret"


@dataclass
class Receiver:
    """A server that keeps what it is sent, and refuses the first requests if told to."""

    refusals: int = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    http_port: int = 0
    mail_port: int = 0

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:]) if value}
        body = await reader.readexactly(int(headers["content-length"]))
        refuse = self.refusals > 0
        self.refusals -= refuse
        if not refuse:
            self.requests.append((headers, body))
        status = "503 Away" if refuse else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def serve_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                break
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    http = await asyncio.start_server(receiver.serve_http, "127.0.0.1", 0)
    mail = await asyncio.start_server(receiver.serve_mail, "127.0.0.1", 0)
    receiver.http_port = http.sockets[0].getsockname()[1]
    receiver.mail_port = mail.sockets[0].getsockname()[1]
    async with http, mail:
        yield receiver


def _settings(receiver: Receiver) -> MonitorSettings:
    return MonitorSettings(delivery_attempts=2, smtp_host="127.0.0.1", smtp_port=receiver.mail_port)


async def _subscribe(database: Database, receiver: Receiver, **wanted: str | None) -> None:
    given = {
        "channel": "webhook", "target": f"http://127.0.0.1:{receiver.http_port}/hook", "secret": _SECRET,
        "monitor": None, "subject": "alerts", "severity": "warn", "created_by": "tester",
    }  # fmt: skip
    async with database.transaction() as session:
        session.add(Subscription(**{**given, **wanted}))


async def _alert(database: Database, severity: str, monitor: str = "fuv-dark") -> None:
    async with database.transaction() as session:
        detail = {"severity": severity, "message": f"a {severity}"}
        await record_event(session, monitor, NewEvent("alert.opened", detail), Outbox())


async def _now(database: Database) -> None:
    """Let what waits for its next attempt be due."""
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(not_before=func.now()))


async def _states(database: Database) -> list[tuple[str, int]]:
    async with database.session() as session:
        rows = await session.execute(select(Delivery.state, Delivery.attempts).order_by(Delivery.id))
        return [(state, attempts) for state, attempts in rows]


async def test_a_webhook_gets_what_it_asked_for_signed_and_once(database: Database, receiver: Receiver) -> None:
    await _alert(database, "alert")  # before the subscription
    await _subscribe(database, receiver, monitor="fuv-dark", severity="alert")
    await _alert(database, "warn")
    await _alert(database, "alert", "nuv-dark")
    await _alert(database, "alert")
    for courier in (Courier(database, _settings(receiver)), Courier(database, _settings(receiver))):
        await courier.collect()
        await courier.deliver()
    ((headers, body),) = receiver.requests
    expected = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-cosmo-signature"] == f"sha256={expected}"
    told = json.loads(body)
    assert (told["name"], told["monitor"], told["detail"]["message"]) == ("alert.opened", "fuv-dark", "a alert")
    assert await _states(database) == [("delivered", 1)]


async def test_a_subscriber_that_is_away_is_tried_again_and_given_up(database: Database, receiver: Receiver) -> None:
    await _subscribe(database, receiver)
    courier = Courier(database, _settings(receiver))
    receiver.refusals = 3
    await _alert(database, "warn")
    await courier.collect()
    assert await courier.deliver() == 1
    assert await _states(database) == [("waiting", 1)]
    assert await courier.deliver() == 0  # not before its pause
    await _now(database)
    await courier.deliver()
    assert await _states(database) == [("failed", 2)]

    await _alert(database, "warn")
    await courier.collect()
    await courier.deliver()
    await _now(database)
    await courier.deliver()
    assert await _states(database) == [("failed", 2), ("delivered", 2)]
    assert len(receiver.requests) == 1


async def test_results_go_by_mail(database: Database, receiver: Receiver) -> None:
    await _subscribe(database, receiver, channel="email", target="team@example.org", subject="results")
    await _alert(database, "alert")
    async with database.transaction() as session:
        await record_event(session, "nuv-dark", NewEvent("monitor.updated", {"run": 3}), Outbox())
    courier = Courier(database, _settings(receiver))
    await courier.collect()
    await courier.deliver()
    (mail,) = receiver.mails
    message = message_from_bytes(mail)
    assert message["To"] == "team@example.org"
    assert message["Subject"] == "[COSMO] nuv-dark: monitor.updated"
    assert await _states(database) == [("delivered", 1)]
