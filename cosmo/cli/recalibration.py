"""Commands that recalibrate datasets through the HTTP API."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cosmo.cli.api import connect
from cosmo.cli.documents import as_document
from cosmo.cli.options import CalibrationId, DataDir, Json, Rootname, Token, Url
from services.monitor.response_models.calibrations import CalibrationRecord
from services.monitor.response_models.comparisons import SegmentComparison
from shared.cos.references import FILETYPES
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError
from shared.recipes import parse_recipe

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")


def _document(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PermanentError(f"{path} cannot be read as JSON or YAML: {error}") from error
    if not isinstance(document, dict):
        raise PermanentError(f"{path} contains no recipe: a recipe is a mapping of keys to values")
    return document


def _listed(texts: list[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _place(document: dict[str, Any], setting: str) -> None:
    """Put KEYWORD=VALUE where a recipe has it.

    Among the switches, the references or the other keywords.
    """
    keyword, sign, text = setting.partition("=")
    keyword = keyword.strip().upper()
    if not sign:
        raise PermanentError(f"--set {setting}: give KEYWORD=VALUE, e.g. XTRCTALG=BOXCAR")
    try:
        value = yaml.safe_load(text) if text not in ("N/A", "") else text
    except yaml.YAMLError:
        value = text
    kind = "references" if keyword in FILETYPES else "keywords"
    if keyword in SWITCHES and keyword != "STATFLAG":
        kind = "switches"
    _part(document, kind)[keyword] = value


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the part of a recipe that an option writes to."""
    part = document.setdefault(name, {})
    if not isinstance(part, dict):
        raise PermanentError(f"the recipe's {name} should be keys with values, not {part!r}")
    return part


def recalibrate(
    rootname: Rootname,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEYWORD=VALUE: a reference file, a switch, another keyword."),
    ] = None,
    omit: Annotated[
        list[str] | None, typer.Option(help="Switches to OMIT, comma separated.")
    ] = None,
    perform: Annotated[
        list[str] | None, typer.Option(help="Switches to PERFORM, comma separated.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Exposures to leave out, comma separated.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Recipe (JSON or YAML); the other options override it.", dir_okay=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the changes that the recipe makes.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the run has ended.")] = True,
    export: Annotated[
        Path | None,
        typer.Option(help="File for the archive that reproduces the run.", dir_okay=False),
    ] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Calibrate a dataset with a recipe; its products are kept beside the default ones."""
    document = _document(recipe)
    for setting in settings or []:
        _place(document, setting)
    for names, state in ((omit, "OMIT"), (perform, "PERFORM")):
        for name in _listed(names or []):
            _part(document, "switches")[name.upper()] = state
    if drop:
        _part(document, "members")["drop"] = _listed(drop)
    parse_recipe(document)  # refused here, before anything is sent
    with connect(url, data_dir, token) as client:
        found = client.recalibrate(rootname, document, dry_run=dry_run)
        if wait or dry_run or export:
            found = client.wait_for_calibration(found.id)
        if export and found.state == "done" and not dry_run:
            client.download_export(found.id, export)
    _show(found, as_json)


def _show(found: CalibrationRecord, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_document(found), indent=2))
    else:
        typer.echo(f"calibration {found.id} of {found.rootname}: {found.state}")
        for change in found.changes:
            typer.echo(f"  {change['file']}: {change['text']}")
        for warning in found.warnings:
            typer.echo(f"warning: {warning}")
        if found.run_id:
            typer.echo(
                f"run {found.run_id}; compare it: cosmo compare {found.rootname} {found.run_id}"
            )
    if found.state in ("failed", "cancelled"):
        raise PermanentError(
            f"calibration {found.id} {found.state}: {found.error or 'cancelled on request'}"
        )


def cancel(
    calibration_id: CalibrationId,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Stop a recalibration that waits or runs."""
    with connect(url, data_dir, token) as client:
        client.cancel(calibration_id)
    typer.echo(f"calibration {calibration_id} cancelled")


def promote(
    calibration_id: CalibrationId,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Make the products of a recalibration the current ones of its dataset."""
    with connect(url, data_dir, token) as client:
        client.promote(calibration_id)
    typer.echo(f"calibration {calibration_id} promoted")


def compare(
    rootname: Rootname,
    second: Annotated[int, typer.Argument(help="Run.")],
    first: Annotated[
        int | None, typer.Option(help="Run to compare with; default: the current one.")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Exposure to compare; default: the sum of all exposures.")
    ] = None,
    product: Annotated[
        str | None,
        typer.Option(help="Product to compare, e.g. x1d; default: the best one in both runs."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(help="File for an image (PNG) of the extraction boxes.", dir_okay=False),
    ] = None,
    url: Url = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Compare two runs of a dataset: spectra, counts, flags, headers, extraction boxes."""
    with connect(url, data_dir) as client:
        found = client.compare(rootname, second, first, product=product, exposure=exposure)
        if image:
            picture = client.draw_comparison(
                rootname, second, first, product=product, exposure=exposure
            )
            image.write_bytes(picture)
    if as_json:
        typer.echo(json.dumps(as_document(found), indent=2))
        return
    typer.echo(" and ".join(f"{file.name} of run {file.run_id}" for file in found.files))
    for file, warnings in zip(found.files, found.warnings, strict=True):
        for warning in warnings:
            typer.echo(f"run {file.run_id}: {warning}")
    for segment in found.segments:
        _show_segment(segment)
    if found.only_in_one:
        typer.echo(f"only in one of the runs: {', '.join(found.only_in_one)}")
    for item in found.headers:
        typer.echo(f"[{item.extension}] {item.keyword}: {item.first} and {item.second}")


def _show_segment(segment: SegmentComparison) -> None:
    if segment.mean_ratio is not None:
        ratio = f"{segment.mean_ratio:.4f} +- {segment.mean_ratio_error:.4f}"
        typer.echo(f"{segment.segment}: flux ratio {ratio} over {segment.points} points")
    else:
        typer.echo(f"{segment.segment}: no common points")
    one, other = segment.totals
    for name in ("gcounts", "net", "background", "good_points"):
        numbers = getattr(one, name), getattr(other, name)
        if None not in numbers:
            typer.echo(f"  {name}: {numbers[0]:.6g} and {numbers[1]:.6g}")
    for flag in sorted({*one.flags, *other.flags}, key=int):
        typer.echo(
            f"  points with DQ {flag}: {one.flags.get(flag, 0)} and {other.flags.get(flag, 0)}"
        )


def upload(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Reference file, plain or gzipped.")
    ],
    keyword: Annotated[
        str, typer.Option(help="Reference keyword that the file is for, e.g. FLATFILE.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name that recipes use for it; default: the file's name.")
    ] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Upload a reference file for recipes."""
    with connect(url, data_dir, token) as client:
        found = client.upload_reference(file, keyword, name)
    typer.echo(
        f"uploaded; use it in a recipe: cosmo recalibrate ... --set {found.keyword}={found.name}"
    )


def lightcurve(
    calibration_id: CalibrationId,
    url: Url = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Show the light curve of a recalibration with sub-exposures."""
    with connect(url, data_dir) as client:
        rows = client.light_curve(calibration_id).items
    if as_json:
        typer.echo(json.dumps([as_document(row) for row in rows], indent=2))
        return
    typer.echo(f"{'part':<15}{'segment':<9}{'MJD':<14}{'seconds':>9}{'count/s':>22}{'flux':>24}")
    for row in rows:
        rate = f"{row.net:.4g} +- {row.net_error:.2g}"
        flux = "" if row.flux is None else f"{row.flux:.4g} +- {row.flux_error:.2g}"
        where = f"{row.part:<15}{row.segment:<9}{row.mjd:<14.6f}"
        typer.echo(f"{where}{row.exptime:>9.1f}{rate:>22}{flux:>24}")


COMMANDS = (recalibrate, cancel, promote, compare, lightcurve, upload)
