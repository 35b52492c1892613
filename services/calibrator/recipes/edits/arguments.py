"""Arguments of ``calcos.calcos`` out of a recipe's options."""

from pathlib import Path
from typing import Any

from shared.recipes.options import Options

__all__ = ["SHIFTS", "calcos_arguments", "write_shifts"]

SHIFTS = "shifts.txt"
"""Name of the shift file, beside the raw files."""

_TEXTS = {"stimfile": "stim", "livetimefile": "livetime", "burstfile": "burst"}


def calcos_arguments(options: Options, label: str, inputs: Path) -> dict[str, Any]:
    """Return the keyword arguments that differ from CalCOS's own defaults.

    Parameters
    ----------
    options
        Options of a recipe.
    label
        Dataset; begins the names of text files that CalCOS writes beside its products.
    inputs
        Folder of the raw files.
    """
    chosen = options.model_dump(exclude_defaults=True, exclude_none=True)
    arguments: dict[str, Any] = {
        name: value for name, value in chosen.items() if name not in (*_TEXTS, "shift_file")
    }
    if "find_target" in arguments:
        arguments["find_target"] = options.find_target.model_dump()
    if options.only_csum:
        arguments["create_csum_image"] = True  # as the command line of CalCOS does
    if options.shift_file:
        arguments["shift_file"] = str(inputs / SHIFTS)
    return arguments | {
        name: f"{label}_{kind}.txt" for name, kind in _TEXTS.items() if name in chosen
    }


def write_shifts(options: Options, inputs: Path) -> None:
    """Write the shift file, where there is one."""
    if options.shift_file:
        (inputs / SHIFTS).write_text("".join(f"{line}\n" for line in options.shift_file))
