"""Export of a run: edited inputs, derived tables, list of references, and a script."""

import inspect
import io
import json
import platform
import pprint
import tarfile
from collections.abc import Iterable, Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from services.calibrator.recipes.edits.arguments import SHIFTS
from services.calibrator.recipes.edits.changes import (
    CellEdit,
    Change,
    FileLeftOut,
    HeaderEdit,
    RowAdded,
    TableCopied,
    describe,
)
from services.calibrator.recipes.sub_exposures import splitting
from services.calibrator.recipes.sub_exposures.light_curve import Part
from services.calibrator.run.workspace import Workspace
from shared.recipes import Recipe

if TYPE_CHECKING:
    from services.calibrator.run.preparation import Prepared

__all__ = ["export"]


def export(
    label: str,
    recipe: Recipe,
    prepared: "Prepared",
    workspace: Workspace,
    parts: Sequence[Part] = (),
) -> Path:
    """Write the archive of a run; the same run gives the same bytes.

    Parameters
    ----------
    label
        Dataset.
    recipe
        Its recipe.
    prepared
        What went into the run.
    workspace
        Its folders; the raw files are as CalCOS saw them.
    parts
        Its sub-exposures.

    Returns
    -------
    Path
        ``<label>_export.tar``.
    """
    derived = [change for change in prepared.changes if isinstance(change, TableCopied)]
    texts = {
        "README.txt": _readme(label, prepared),
        "recipe.json": json.dumps(recipe.canonical(), indent=2) + "\n",
        "changes.json": json.dumps(describe(prepared.changes), indent=2) + "\n",
        "references.txt": "".join(
            f"{item.sha256}  {item.name}  {item.keyword}\n" for item in prepared.references
        ),
        "reproduce.py": _script(label, prepared, parts),
    }
    target = workspace.root / f"{label}_export.tar"
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in texts.items():
            _add(archive, f"{label}/{name}", text.encode())
        for path in sorted(workspace.inputs.iterdir()):
            _add(archive, f"{label}/inputs/{path.name}", path.read_bytes())
        for table in derived:
            _add(
                archive,
                f"{label}/derived/{table.file}",
                (workspace.references / table.file).read_bytes(),
            )
    return target


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(
        name
    )  # its time and owner are zero, so that equal runs have equal archives
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _script(label: str, prepared: "Prepared", parts: Sequence[Part]) -> str:
    arguments = {name: value for name, value in prepared.arguments.items() if name != "shift_file"}
    shifts = SHIFTS if "shift_file" in prepared.arguments else None
    values = {
        "VERSIONS": _versions(),
        "TARGET": prepared.target.name,
        "ARGUMENTS": {"verbosity": 1, **arguments},
        "SHIFTS": shifts,
        "REFERENCES": {item.name: item.sha256 for item in prepared.references},
        "PARTS": [
            (item.which.exposure, item.which.file, item.intervals, item.which.pulse_heights)
            for item in parts
        ],
        "DERIVED": {
            change.file: change.source
            for change in prepared.changes
            if isinstance(change, TableCopied)
        },
    }
    constants = "\n".join(
        f"{name} = {pprint.pformat(value, width=110, sort_dicts=False)}"
        for name, value in values.items()
    )
    template = resources.files(__package__).joinpath("reproduce.txt").read_text()
    source = inspect.getsource(splitting).partition("Intervals = ")
    functions = f"\n\n{source[1]}{source[2].rstrip()}\n" if parts else ""
    return (
        template.replace("@LABEL@", label)
        .replace("@CONSTANTS@", constants)
        .replace("@SPLITTING@", functions)
        .replace("@CALLS@", "\n".join(_calls(prepared.changes)) or "    pass")
    )


def _calls(changes: Iterable[Change]) -> Iterable[str]:
    for change in changes:
        match change:
            case FileLeftOut(file):
                yield f"    (inputs / {file!r}).unlink(missing_ok=True)"
            case TableCopied(file, source):
                yield f"    shutil.copyfile(references / {source!r}, inputs / {file!r})"
            case HeaderEdit(file, extension, keyword, old, new):
                yield (
                    f"    set_keyword(inputs / {file!r}, {extension}, {keyword!r}, {new!r})  # "
                    f"was {old!r}"
                )
            case CellEdit(file, extension, row, column, old, new):
                yield (
                    f"    set_cell(inputs / {file!r}, {extension}, {row}, {column!r}, {new!r})  "
                    f"# was {old!r}"
                )
            case RowAdded(file, extension, values):
                yield f"    add_row(inputs / {file!r}, {extension}, {dict(values)!r})"


def _versions() -> dict[str, str]:
    """Name the packages that decide about the bytes of products, with the versions of the run."""
    return {name: version(name) for name in ("calcos", "astropy", "numpy", "scipy")}


def _readme(label: str, prepared: "Prepared") -> str:
    made = ", ".join(f"{name} {number}" for name, number in _versions().items())
    events = f"""
{prepared.target.name} has calibrated events of an earlier run:
the archive of HST may have another version of it, or
none. It is in inputs/; put it with the raw files where you start from these.
"""
    return f"""\
Recalibration of {label}, made with {made} (Python {platform.python_version()})

inputs/         raw files and association table as CalCOS saw them
derived/        reference tables that the recipe derived from others
references.txt  SHA-256, name and keyword of every reference file of the run
recipe.json     the recipe
changes.json    each change that it made to each file
reproduce.py    runs CalCOS again; needs Python with these packages, and the
                reference files in one folder:

    python reproduce.py REFERENCE_FOLDER OUTPUT_FOLDER

makes the same products from inputs/; with --raw RAW_FOLDER it starts from the raw files
as the archive has them, and makes the changes itself. It warns where a package has another version
or a reference another content.
{events if "_corrtag" in prepared.target.name else ""}"""
