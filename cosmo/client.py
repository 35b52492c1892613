"""A thin typed client of the HTTP API."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from shared.errors import CosmoError, PermanentError, TransientError

__all__ = ["Client"]


class Client:
    """The HTTP API from Python.

    Parameters
    ----------
    url
        Address of the monitor service, e.g. ``http://127.0.0.1:8080``.
    token
        Bearer token, for calls that change state.
    timeout
        Seconds that an answer may take.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=timeout
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request.

        One that only reads once more if the server has closed the idle connection meanwhile.
        """
        try:
            return self._http.request(method, path, **options)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if method != "GET":
                raise
            return self._http.request(method, path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._send(method, path, **options)
        except httpx.TransportError as error:
            raise TransientError(
                f"no answer from {self._http.base_url}: {error}; is `cosmo up` running?"
            ) from error
        if answer.is_success:
            return answer
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = answer.text[:200]
        kind: type[CosmoError] = TransientError if answer.status_code >= 500 else PermanentError
        raise kind(f"{method} {path}: {answer.status_code}: {message}")

    def _get(self, path: str, **parameters: Any) -> Any:
        chosen = {key: value for key, value in parameters.items() if value is not None}
        return self._request("GET", path, params=chosen).json()

    def _pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        chosen: dict[str, Any] | None = {
            key: value for key, value in parameters.items() if value is not None
        }
        target: str | None = path
        while target is not None:
            answer = self._request("GET", target, params=chosen)
            yield from answer.json()["items"]
            target, chosen = answer.links.get("next", {}).get("url"), None

    def status(self) -> dict[str, Any]:
        """Report what runs, what waits and what failed."""
        status: dict[str, Any] = self._get("status")
        return status

    def datasets(
        self, *, state: str | None = None, kind: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield every dataset, page by page, newest change first."""
        return self._pages("datasets", state=state, kind=kind)

    def dataset(self, rootname: str) -> dict[str, Any]:
        """Return the state, files, runs and provenance of a dataset.

        Raises
        ------
        PermanentError
            If there is no such dataset.
        """
        dataset: dict[str, Any] = self._get(f"datasets/{rootname}")
        return dataset

    def timeline(self, rootname: str) -> list[dict[str, Any]]:
        """List what happened to a dataset, oldest first."""
        timeline: list[dict[str, Any]] = self._get(f"datasets/{rootname}/timeline")["items"]
        return timeline

    def spectrum(self, rootname: str, **choice: str) -> dict[str, Any]:
        """Return the calibrated spectrum of a dataset, with units."""
        spectrum: dict[str, Any] = self._get(f"datasets/{rootname}/spectrum", **choice)
        return spectrum

    def table(self, name: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a science table, page by page."""
        return self._pages(f"tables/{name}", **filters)

    def monitors(self) -> list[dict[str, Any]]:
        """List the monitors: freshness, last run, open alerts."""
        found: list[dict[str, Any]] = self._get("monitors")["items"]
        return found

    def monitor(self, name: str) -> dict[str, Any]:
        """Describe a monitor: what it means, its statistics, its figures."""
        found: dict[str, Any] = self._get(f"monitors/{name}")
        return found

    def values(self, name: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield the values of a monitor; filters as of tables."""
        return self._pages(f"monitors/{name}/data", **filters)

    def compute(self, name: str) -> None:
        """Ask for a run of a monitor, even where nothing is new."""
        self._request("POST", f"monitors/{name}/runs")

    def alerts(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """List alerts, newest first.

        Filter by ``state``, ``monitor``, ``severity`` and ``rootname``.
        """
        return self._pages("alerts", **filters)

    def failures(self) -> Iterator[dict[str, Any]]:
        """Yield the failed jobs, with their reasons."""
        return self._pages("failures")

    def audit(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """List calls that would change state, newest first.

        Filter by ``token`` (its name) and ``since``.
        """
        return self._pages("audit", **filters)

    def requeue(self, job_id: int) -> None:
        """Try a failed job again."""
        self._request("POST", f"failures/{job_id}/requeue")

    def drop(self, job_id: int) -> None:
        """Remove a failed job from the list of failures."""
        self._request("POST", f"failures/{job_id}/drop")

    def recalibrate(
        self, rootname: str, recipe: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Ask for a calibration with a recipe, or for the list of what the recipe changes.

        Raises
        ------
        PermanentError
            If the recipe is refused; the message says why.
        """
        body = {"rootname": rootname, "recipe": recipe, "dry_run": dry_run}
        calibration: dict[str, Any] = self._request("POST", "calibrations", json=body).json()
        return calibration

    def calibration(self, calibration_id: int) -> dict[str, Any]:
        """Return the state, changes, warnings and files of a recalibration."""
        calibration: dict[str, Any] = self._get(f"calibrations/{calibration_id}")
        return calibration

    def calibrations(self, rootname: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the recalibrations, newest first."""
        return self._pages("calibrations", rootname=rootname)

    def cancel(self, calibration_id: int) -> None:
        """Stop a recalibration that waits or runs."""
        self._request("POST", f"calibrations/{calibration_id}/cancel")

    def promote(self, calibration_id: int) -> None:
        """Make the products of a recalibration the current ones of its dataset."""
        self._request("POST", f"calibrations/{calibration_id}/promote")

    def export(self, calibration_id: int) -> bytes:
        """Return the archive of a recalibration.

        Edited inputs, list of references, script that reproduces it.
        """
        return self._request("GET", f"calibrations/{calibration_id}/export").content

    def upload_reference(self, path: Path, keyword: str, name: str | None = None) -> dict[str, Any]:
        """Upload a reference file for recipes.

        Raises
        ------
        PermanentError
            If it is refused; the message says why.
        """
        chosen = name or path.name.removesuffix(".gz")
        with path.open("rb") as stream:
            answer = self._request(
                "POST",
                "references",
                params={"name": chosen, "keyword": keyword},
                content=stream,
                timeout=600.0,
            )
        found: dict[str, Any] = answer.json()
        return found

    def references(self, keyword: str | None = None) -> Iterator[dict[str, Any]]:
        """List uploaded reference files, newest first."""
        return self._pages("references", keyword=keyword)

    def light_curve(self, calibration_id: int) -> list[dict[str, Any]]:
        """Return the light curve of a recalibration's sub-exposures, a row for each of them and
        each segment.
        """
        rows: list[dict[str, Any]] = self._get(f"calibrations/{calibration_id}/lightcurve")["items"]
        return rows

    def compare(
        self, rootname: str, second: int, first: int | None = None, **choice: str
    ) -> dict[str, Any]:
        """Compare two runs of a dataset; the first one is the current one, where none is named.

        Parameters
        ----------
        rootname
            Dataset, or a member of it.
        second, first
            Ids of the runs.
        choice
            ``product`` (its suffix) and ``exposure``, default: the best one in both runs.

        Raises
        ------
        PermanentError
            If there is no such run, or no such product in both.
        """
        comparison: dict[str, Any] = self._get(
            f"datasets/{rootname}/comparison", first=first, second=second, **choice
        )
        return comparison

    def draw_comparison(
        self, rootname: str, second: int, first: int | None = None, **choice: str
    ) -> bytes:
        """Return the picture (PNG) of the extraction boxes of two runs on the events of an
        exposure.

        Arguments of `compare`.
        """
        chosen = {"second": second, **({} if first is None else {"first": first}), **choice}
        return self._request("GET", f"datasets/{rootname}/comparison.png", params=chosen).content

    def force(self, rootname: str) -> None:
        """Process an incomplete dataset."""
        self._request("POST", f"datasets/{rootname}/force")
