"""Common parts of the declarations of both monitors of drifts."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from services.monitor.framework.declaration import (
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
    Values,
)
from services.monitor.framework.increments import file_ranges
from services.monitor.framework.rules import Finding
from services.monitor.framework.statistics import describe, summarise
from services.monitor.library.exposure_values import finding_of, recent
from services.monitor.library.groups import grouped
from services.monitor.library.lamp_flashes import RANGES, flashes_by_files
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.osm_drifts.decay import Decay, fit_decay
from services.monitor.monitors.osm_drifts.drifts import Drifts, drift_values, upstream_values
from services.monitor.monitors.osm_drifts.figures import drift_figures
from services.monitor.monitors.osm_drifts.rules import FAR, FAST
from shared.database.models.science import ScheduledExposure

__all__ = ["drift_monitor"]

_EXPLANATION = """
After a move the mechanisms that turn the gratings creep for some hours, and with them the spectrum
on the detector. The lamp is flashed several times within an exposure: the drift of a flash is its
shift less that of the first flash of the same exposure and segment, over the time between the two.
Errors are those of both shifts over that time.

When a mechanism moved last is known from the schedule (SMS reports), which says how long before the
start of an exposure it did; the time of the flash within the exposure is added. A flash of whose
exposure there is no report is pending until one comes: it has a drift, but no time since a move,
and enters no statistic. Reports that were replaced do not count.

A drift that decays, A exp(-t / tau), is fitted to the flashes of each grating and lifetime position
(FUV) or stripe (NUV); a drift is compared with the mean of that between the two flashes.

A flash that was copied from another segment, one that was not found, one at no lifetime position
(LIFE_ADJ -1), and those whose first flash is such a one are kept and shown as what they are, and
enter no statistic. An exposure with one flash shows no drift.
"""


def _moves_query() -> RowQuery:
    """Return the query for the times between moves of both mechanisms and exposures."""
    return shown(
        ScheduledExposure,
        ScheduledExposure.rootname,
        ScheduledExposure.tsinceosm1.label("tsinceosm1"),
        ScheduledExposure.tsinceosm2.label("tsinceosm2"),
    ).order_by(ScheduledExposure.expstart, ScheduledExposure.id)


def _fits(drifts: Drifts) -> dict[tuple[str, str], Decay]:
    """Return the decays by group and mechanism, as far as there are any."""
    counted = np.flatnonzero(drifts.counted)
    groups = list(grouped(drifts.group[counted]))
    found = {}
    for name, since in drifts.since.items():
        for (one,), rows in groups:
            mine = counted[rows]
            columns = (since, drifts.seconds, drifts.along, drifts.error)
            decay = fit_decay(*(column[mine] for column in columns))
            if decay is not None:
                found[one, name] = decay
    return found


def _decay_values(fits: Mapping[tuple[str, str], Decay], newest: float) -> Iterator[Values]:
    """Yield the decays that all flashes give; the region is group and mechanism."""
    count = len(fits)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    regions = np.array([f"{group} {name.upper()}" for group, name in fits], dtype=object)
    for quantity in ("rate", "tau"):
        yield Values(
            quantity=f"decay_{quantity}",
            mjd=np.full(count, newest),
            value=np.array([getattr(one, quantity) for one in fits.values()], dtype=float),
            error=np.array(
                [getattr(one, f"{quantity}_error") for one in fits.values()], dtype=float
            ),
            rootname=texts,
            segment=texts,
            region=regions,
            hvlevel=nothing,
            life_adj=nothing,
            file_id=nothing,
            outlier=np.zeros(count, dtype=bool),
        )


def _statistics(drifts: Drifts) -> dict[str, Any]:
    """Return the statistics of each group, and of what is left out of them by its reason."""
    found: dict[str, Any] = {}
    counted = np.flatnonzero(drifts.counted)
    for (name,), rows in grouped(drifts.group[counted]):
        mine = counted[rows]
        for quantity, value in (("drift", drifts.along), ("drift_xdisp", drifts.across)):
            periods = summarise(drifts.columns["mjd"][mine], value[mine])
            quartiles = np.percentile(value[mine], (25, 75)).tolist()
            mission = {**periods["mission"], **dict(zip(("p25", "p75"), quartiles, strict=True))}
            found[f"{name} {quantity}"] = {**periods, "mission": mission}
    for reason in sorted(set(drifts.status.tolist()) - {""}):
        found[f"left out, {reason}: drift"] = {
            "mission": describe(drifts.along[drifts.status == reason])
        }
    return found


def _findings(drifts: Drifts) -> Iterator[Finding]:
    columns = drifts.columns
    newest = recent(columns["mjd"])
    for rule, hit, value, unit in (
        (FAST, drifts.fast, drifts.along, "pix/s"),
        (FAR[drifts.detector], drifts.far, drifts.moved, "pix"),
    ):
        for index in np.flatnonzero(hit & newest):
            segment, number = columns["segment"][index], columns["flash"][index]
            message = (
                f"flash {number:.0f} of {columns['rootname'][index]}, {segment} "
                f"{columns['opt_elem'][index]}/{columns['cenwave'][index]:.0f}: "
                f"{value[index]:.3g} {unit} since the first flash"
            )
            yield finding_of(
                rule,
                columns,
                index,
                message,
                value[index],
                configuration=f"{segment} flash {number:.0f}",
            )


def _compute(detector: str, inputs: Inputs) -> RunOutput:
    flashes = inputs.get("flashes")
    if flashes is None or not (flashes["detector"] == detector).any():
        return RunOutput(newest_mjd=None)
    drifts = Drifts.of(detector, flashes, inputs["moves"])
    newest = float(flashes["mjd"][flashes["detector"] == detector].max())
    fits = _fits(drifts)
    return RunOutput(
        newest_mjd=newest,
        values=[
            *drift_values(drifts),
            upstream_values(detector, flashes),
            *(_decay_values(fits, newest) if fits else ()),
        ],
        figures=drift_figures(drifts, fits),
        findings=list(_findings(drifts)),
        statistics=_statistics(drifts),
    )


def drift_monitor(detector: str, explanation: str) -> Monitor:
    """Declare the monitor of the drifts of a detector.

    Parameters
    ----------
    detector
        FUV or NUV.
    explanation
        Paragraph about the detector.
    """
    mechanisms = ("OSM1",) if detector == "FUV" else ("OSM1", "OSM2")
    since = {
        f"since_{name.lower()}": Quantity(
            unit="s", description=f"Time of the flash since {name} moved; none where pending"
        )
        for name in mechanisms
    }
    return Monitor(
        name=f"{detector.lower()}-osm-drift",
        title=f"Drift of {detector} spectra",
        explanation="\n\n".join((_EXPLANATION.strip(), explanation.strip())),
        detector=detector,
        version=1,
        tables=frozenset({"lampflash", "sms"}),
        inputs={RANGES: file_ranges({"lampflash"}), "moves": _moves_query()},
        parts={"by_files": flashes_by_files(detector)},
        quantities={
            "drift": Quantity(
                unit="pix / s", description="Drift along dispersion since the first flash"
            ),
            "drift_xdisp": Quantity(
                unit="pix / s", description="Drift across dispersion since the first flash"
            ),
            **since,
            "drift_upstream": Quantity(
                unit="pix / s",
                description="Drift along dispersion as the original monitor computes it, for "
                "comparison only: it takes segments together",
            ),
            "decay_rate": Quantity(
                unit="pix / s", description="A of A exp(-t / tau), by group and mechanism"
            ),
            "decay_tau": Quantity(unit="s", description="tau of the same"),
        },
        compute=lambda inputs: _compute(detector, inputs),
        cadence=timedelta(days=30),
        rules=(FAST, FAR[detector]),
    )
