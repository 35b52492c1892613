"""Comparison of the residuals of lines with the truth."""

from collections.abc import Iterator

from benchmarks.mission.comparing import Recovered, compare
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client
from simulator.truth import target_displacement

__all__ = ["wavelengths_recovered"]

_LAMP = "lamp"


def wavelengths_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare mean and slope of the residuals of the lines of each spectrum.

    The displacement of targets is against the lamp, whose own lines have none: that of the
    dispersion relation, and of where the target stands in the aperture.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    faulty = truth.faulty()
    for quantity, words, unit in (
        ("residual", "residual", "pix"),
        ("slope", "slope of the residual", "pix in 1000 pix"),
    ):
        found: dict[str, list[tuple[float, float]]] = {"lamp": [], "targets": []}
        for row in client.values("wavelength", quantity=quantity):
            name, source = row["rootname"], row["region"]
            if name not in truth.exposures or name in faulty or "," in source:
                continue
            exposure = truth.exposures[name]
            channel = exposure["channels"][row["segment"]]
            offset = 0.0 if source == _LAMP else target_displacement(exposure, row["segment"])
            true = offset if quantity == "residual" else 1000.0 * channel["wavelength_stretch"]
            kind = "lamp" if source == _LAMP else "targets"
            found[kind].append((row["value"] - true, row["error"]))
        for kind, pairs in found.items():
            yield compare("wavelength", f"{words}, {kind}", unit, pairs)
