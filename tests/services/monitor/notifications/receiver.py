"""A web server and a mail server that keep what they are sent."""

import asyncio
import base64
import ssl
from dataclasses import dataclass, field

__all__ = ["Receiver"]


@dataclass
class Receiver:
    """Both servers.

    The web server refuses the first requests, or answers a line a second, if told to.
    """

    refusals: int = 0
    slow: bool = False
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    http_port: int = 0
    mail_port: int = 0

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in lines[1:])
            if value
        }
        body = await reader.readexactly(int(headers["content-length"]))
        refuse = self.refusals > 0
        self.refusals -= refuse
        if self.slow and lines[0].startswith("POST /slow"):
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while not writer.is_closing():
                writer.write(b"X-Line: 1\r\n")
                await asyncio.sleep(0.05)
            return
        if not refuse:
            self.requests.append((headers, body))
        status = "503 Away" if refuse else "200 OK"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    async def serve_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            answer = b"250 fine\r\n"
            if word == b"EHLO":
                answer = b"250-here\r\n250 AUTH PLAIN\r\n"
            elif word == b"AUTH":
                self.logins.append(base64.b64decode(line.split()[2]).decode())
                answer = b"235 welcome\r\n"
            elif word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            writer.write(answer)
        writer.close()

    async def start(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.Server, asyncio.Server]:
        """Start both on free ports of the loopback address.

        The mail server over TLS where a context is given.
        """
        http = await asyncio.start_server(self.serve_http, "127.0.0.1", 0)
        mail = await asyncio.start_server(self.serve_mail, "127.0.0.1", 0, ssl=context)
        self.http_port = http.sockets[0].getsockname()[1]
        self.mail_port = mail.sockets[0].getsockname()[1]
        return http, mail
