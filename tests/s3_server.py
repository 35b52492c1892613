"""The S3 server of moto as a program that can be killed: what it was given is in its folder.

``python s3_server.py PORT FOLDER`` serves at 127.0.0.1. The file ``requests`` of the folder lists
the requests, with their ranges; one that matches the regular expression in the file ``kill`` kills
the server.
"""

import io
import os
import pickle
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response


class Journaled:
    """Application that writes what changed it to a file before it answers.

    Parameters
    ----------
    app
        The application; what the file has is repeated to it.
    folder
        Folder of the file.
    """

    def __init__(self, app: Any, folder: Path) -> None:
        self._app = app
        self._journal, self._requests, self._kill = (
            folder / name for name in ("journal", "requests", "kill")
        )
        self._lock = Lock()
        self._journal.touch()
        for arguments in self._entries():
            Client(app).open(**arguments)

    def _entries(self) -> Iterator[dict[str, Any]]:
        with self._journal.open("rb") as stream:
            try:
                while True:
                    yield pickle.load(stream)
            except (EOFError, pickle.UnpicklingError):  # a kill cut it off, before the answer
                return

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        line = f"{request.method} {request.path} {request.headers.get('Range', '')}".strip()
        with self._requests.open("a") as log:
            log.write(f"{line}\n")
        if self._kill.exists() and re.search(self._kill.read_text(), line):
            self._kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        response = Response.from_app(self._app, environ)
        if request.method not in ("GET", "HEAD") and response.status_code < 400:
            arguments = {
                "path": request.path,
                "method": request.method,
                "query_string": request.query_string.decode(),
                "headers": dict(request.headers),
                "data": body,
            }
            with self._lock, self._journal.open("ab") as stream:
                stream.write(pickle.dumps(arguments))
        return response(environ, start)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    server = Journaled(DomainDispatcherApplication(create_backend_app), Path(sys.argv[2]))
    run_simple("127.0.0.1", int(sys.argv[1]), server, threaded=True, request_handler=_Quiet)
