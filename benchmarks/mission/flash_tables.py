"""Decades of lamp flashes at the level of tables: what the monitors find in them, and the truth."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from benchmarks.mission.comparing import Flagged, Recovered, compare
from services.monitor.framework.declaration import Columns, Inputs, RunOutput
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from simulator.flash_tables import FlashTables

__all__ = ["compute_flashes", "flashes_flagged", "flashes_recovered"]

_TEXTS = frozenset(
    {
        "rootname",
        "detector",
        "segment",
        "opt_elem",
        "lamptab",
        "wcptab",
        "exptype",
        "lampused",
        "lampset",
    }
)
_FLAGS = frozenset({"found", "has_lines"})
_HALF = 271.0


def _columns(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    kinds = {name: object if name in _TEXTS else float for name in rows[0]}
    kinds |= dict.fromkeys(_FLAGS & rows[0].keys(), bool)
    return {name: np.array([row[name] for row in rows], dtype=kinds[name]) for name in rows[0]}


def compute_flashes(tables: FlashTables) -> dict[str, RunOutput]:
    """Run the monitors of FUV flashes on rows; what each left, by its name."""
    flashes = _columns(tables.flashes)
    count = len(flashes["date"])
    flashes |= {"mjd": flashes["date"], "template": np.ones(count, dtype=bool)}
    # No template is at hand to scale.
    flashes |= dict.fromkeys(("template_scale", "template_scale_error"), np.full(count, np.nan))
    exposures = _columns(tables.exposures)
    moves: Columns = {
        "rootname": np.array(list(tables.moves), dtype=object),
        "tsinceosm1": np.array(list(tables.moves.values())),
        "tsinceosm2": np.array(list(tables.moves.values())),
    }
    boxes: Columns = {
        "wcptab": np.array(["made_up_wcp.fits"], dtype=object),
        "opt_elem": np.array(["G130M"], dtype=object),
        "half": np.array([_HALF]),
        "offset": np.zeros(1),
    }
    nothing = {name: column[:0] for name, column in exposures.items()}
    inputs: dict[str, Inputs] = {
        "fuv-osm-shift": {
            "flashes": flashes,
            "boxes": boxes,
            "empty": nothing | {"life_adj": np.empty(0)},
            "WCPTAB": read_active([]),
            "LAMPTAB": read_active([]),
        },
        "fuv-osm-drift": {"flashes": flashes, "moves": moves},
        "lamps": {
            "flashes": flashes,
            "exposures": exposures,
            "commands": {
                "rootname": exposures["rootname"],
                "flash_duration": np.full(len(exposures["mjd"]), 12.0),
            },
        },
    }
    return {name: monitors()[name].compute(one) for name, one in inputs.items()}


_Flash = dict[str, float]
_Point = tuple[str, str, str, float, float, bool, _Flash]
"""Rootname, segment, region, value, error, whether it is an outlier, and the truth."""


def _points(tables: FlashTables, output: RunOutput, quantity: str) -> Iterator[_Point]:
    for values in (one for one in output.values if one.quantity == quantity):
        names = ("rootname", "segment", "region", "value", "error", "outlier")
        for root, segment, region, value, error, outlier in zip(
            *(getattr(values, name).tolist() for name in names), strict=True
        ):
            number = int(region.split(",")[0].removeprefix("flash ")) - 1
            true = tables.truth["flashes"][root][segment.replace("A-B", "FUVA")][number]
            yield root, segment, region, value, error, outlier, true


def flashes_recovered(tables: FlashTables, found: dict[str, RunOutput]) -> Iterator[Recovered]:
    """Compare what enters statistics with the truth.

    Parameters
    ----------
    tables
        Rows with their truth.
    found
        From `compute_flashes`.
    """
    first_year = _first_years(tables)
    true_values: dict[tuple[str, str], tuple[str, Callable[[str, str, _Flash], float]]] = {
        ("fuv-osm-shift", "shift_disp"): ("pix", lambda _, __, one: one["shift1"]),
        ("fuv-osm-shift", "shift_xdisp"): ("pix", lambda _, __, one: one["shift2"]),
        ("fuv-osm-drift", "drift"): ("pix / s", lambda _, __, one: one["drift"]),
        ("fuv-osm-drift", "drift_xdisp"): ("pix / s", lambda _, __, one: one["drift_across"]),
        ("lamps", "relative_rate"): (
            "",
            lambda root, segment, one: one["brightness"] / first_year[root, segment],
        ),
    }
    for (monitor, quantity), (unit, true) in true_values.items():
        pairs = [
            (value - true(root, segment, one), error)
            for root, segment, region, value, error, _, one in _points(
                tables, found[monitor], quantity
            )
            if "," not in region
        ]
        yield compare(monitor, quantity, unit, pairs)
    for quantity, true_decay in zip(
        ("decay_rate", "decay_tau"), tables.truth["creep"], strict=True
    ):
        pairs = [
            (value - true_decay, error)
            for one in found["fuv-osm-drift"].values
            if one.quantity == quantity
            for value, error in zip(one.value.tolist(), one.error.tolist(), strict=True)
        ]
        yield compare("fuv-osm-drift", quantity, "", pairs)
    hours = [
        (value - tables.truth["hours"][root], error)
        for one in found["lamps"].values
        if one.quantity == "hours"
        for root, value, error in zip(
            one.rootname.tolist(), one.value.tolist(), one.error.tolist(), strict=True
        )
    ]
    yield compare("lamps", "hours", "h", hours)


def _first_years(tables: FlashTables) -> dict[tuple[str, str], float]:
    """Return the median true brightness in the first year of the group of each segment."""
    groups: dict[tuple[object, ...], list[tuple[float, str, str, float]]] = {}
    for row in tables.flashes:
        key = row["lampused"], row["segment"], row["life_adj"]
        brightness = tables.truth["flashes"][row["rootname"]][row["segment"]][0]["brightness"]
        groups.setdefault(key, []).append(
            (row["date"], row["rootname"], row["segment"], brightness)
        )
    found = {}
    for rows in groups.values():
        begin = min(row[0] for row in rows)
        median = float(np.median([row[3] for row in rows if row[0] < begin + 365.25]))
        found.update({(root, segment): median for _, root, segment, _ in rows})
    return found


def flashes_flagged(tables: FlashTables, found: dict[str, RunOutput]) -> Iterator[Flagged]:
    """Compare the exposures that are flagged, or left out, with what was put into them.

    Parameters are those of `flashes_recovered`.
    """
    injected: dict[str, Collection[str]] = tables.truth["injected"]

    def count(
        monitor: str, quantity: str, fault: str, hit: Callable[[str, str, str, bool], bool]
    ) -> Flagged:
        points = list(_points(tables, found[monitor], quantity))
        every = {point[0] for point in points}
        flagged = {
            root for root, segment, region, *_, out, _ in points if hit(root, segment, region, out)
        }
        mine = every & set(injected[fault])
        return Flagged(
            monitor, fault, len(every), len(mine), len(flagged & mine), len(flagged - mine)
        )

    def outlier(_: str, __: str, ___: str, out: bool) -> bool:
        return out

    def named(word: str) -> Callable[[str, str, str, bool], bool]:
        return lambda _, __, region, ___: region.endswith(f", {word}")

    yield count("fuv-osm-shift", "shift", "side", outlier)
    yield count("fuv-osm-shift", "difference", "apart", outlier)
    yield count("fuv-osm-shift", "shift", "engineering", named("engineering position"))
    yield count("fuv-osm-shift", "shift", "copied", named("copied"))
    yield count("fuv-osm-shift", "shift", "faint", named("faint"))
    yield count("fuv-osm-drift", "drift", "pending", named("pending"))
    jumped = set(injected["jump"])
    yield count(
        "lamps",
        "rate",
        "jump",
        lambda root, _, region, out: out and (root in jumped or not region.endswith("faint")),
    )
