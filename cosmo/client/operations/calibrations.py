"""Recalibrations: requested, waited for, cancelled, promoted, and their results."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cosmo.client.calls import Call, Flow, Pause, document, get, post, quoted
from cosmo.client.downloads import download
from cosmo.client.endpoints import listing, operation
from cosmo.client.errors import WaitTimeoutError
from cosmo.client.retries import Retry
from cosmo.client.tables import read_table, table_call
from services.monitor.response_models.calibrations import (
    CalibrationDetail,
    CalibrationRecord,
    CancelledCalibration,
    LightCurveRecord,
    PromotedCalibration,
)
from services.monitor.response_models.common import Page
from shared.recipes import Recipe

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["CalibrationOperations"]

_PENDING: Final = ("queued", "running")


class CalibrationOperations:
    """Recalibrations: requested, waited for, cancelled, promoted, and their results."""

    retry: Retry

    @operation
    def recalibrate(
        self, rootname: str, recipe: Recipe | Mapping[str, Any], *, dry_run: bool = False
    ) -> Call[CalibrationRecord]:
        """Request a calibration with a recipe, or the list of what the recipe changes.

        The same recipe on the same inputs is not calibrated twice. Needs the scope
        ``recalibrate``.

        Parameters
        ----------
        rootname
            Dataset, or a member of it.
        recipe
            How the run differs from the default one.
        dry_run
            Only list the changes that the recipe makes.

        Raises
        ------
        RequestError
            If the recipe is refused; the message says why.
        TooManyRequestsError
            If too many recalibrations of the token wait or run.
        """
        given = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else dict(recipe)
        body = {"rootname": rootname, "recipe": given, "dry_run": dry_run}
        return post("/calibrations", CalibrationRecord, body=body, repeatable=True)

    @operation
    def calibration(self, calibration_id: int) -> Call[CalibrationDetail]:
        """Describe a recalibration: state, changes, warnings and files."""
        return _description(calibration_id)

    @operation
    def wait_for_calibration(
        self, calibration_id: int, *, timeout: float | None = None, interval: float = 0.5
    ) -> Flow[CalibrationDetail]:
        """Wait until a recalibration is done, failed or cancelled.

        Parameters
        ----------
        calibration_id
            Id of the recalibration.
        timeout
            Longest wait in seconds; without end, if left out.
        interval
            Seconds from one look to the next.

        Returns
        -------
        CalibrationDetail
            How it ended, with its files.

        Raises
        ------
        WaitTimeoutError
            If it still waits or runs after the longest wait.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            found = yield from _description(calibration_id)
            if found.state not in _PENDING:
                return found
            if deadline is not None and time.monotonic() + interval > deadline:
                raise WaitTimeoutError(
                    f"calibration {calibration_id}", f"still {found.state} after {timeout:g} s"
                )
            yield Pause(interval)

    @listing
    def calibrations(self, rootname: str | None = None) -> Call[Page[CalibrationRecord]]:
        """Iterate over recalibrations, newest first.

        Parameters
        ----------
        rootname
            Only those of this dataset.
        """
        return get("/calibrations", Page[CalibrationRecord], rootname=rootname)

    @operation
    def recipe_schema(self) -> Call[dict[str, Any]]:
        """Get the JSON Schema of a recipe."""
        return document("/calibrations/schema")

    @operation
    def cancel(self, calibration_id: int) -> Call[CancelledCalibration]:
        """Stop a recalibration that waits or runs.

        Needs the scope ``recalibrate``.
        """
        return post(quoted("calibrations", calibration_id, "cancel"), CancelledCalibration)

    @operation
    def promote(self, calibration_id: int) -> Call[PromotedCalibration]:
        """Make the products of a recalibration the current ones of its dataset.

        Needs the scope ``operate``.
        """
        return post(quoted("calibrations", calibration_id, "promote"), PromotedCalibration)

    @operation
    def light_curve(self, calibration_id: int) -> Call[LightCurveRecord]:
        """Read the light curve of a recalibration with sub-exposures.

        It has a row for each sub-exposure and each segment.
        """
        return get(quoted("calibrations", calibration_id, "lightcurve"), LightCurveRecord)

    @operation
    def light_curve_table(self, calibration_id: int) -> Flow["QTable"]:
        """Read the light curve of a recalibration with sub-exposures as a table with units."""
        return read_table(table_call(quoted("calibrations", calibration_id, "lightcurve")))

    @operation
    def download_products(self, calibration_id: int, folder: Path) -> Flow[list[Path]]:
        """Download all files of a recalibration into a folder; each as `download_file`."""
        found = yield from _description(calibration_id)
        paths = []
        for file in found.files:
            path = quoted("files", file.id, "content")
            paths.append((yield from download(path, folder / file.name, self.retry)))
        return paths

    @operation
    def download_export(self, calibration_id: int, target: Path) -> Flow[Path]:
        """Download the archive that reproduces a recalibration; as `download_file`.

        It has the edited inputs, the list of references, and a script.
        """
        return download(quoted("calibrations", calibration_id, "export"), target, self.retry)


def _description(calibration_id: int) -> Call[CalibrationDetail]:
    return get(quoted("calibrations", calibration_id), CalibrationDetail)
