"""Commands that see what remote archives have, and fetch it."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from cosmo.cli.api import connect
from cosmo.cli.documents import as_document
from cosmo.cli.options import DataDir, Json, Token, Url
from cosmo.client import Client
from services.monitor.response_models.archive import ArchiveStatus, CatalogueStatus, PlanRecord
from shared.catalogues.selection import Selection, describe_problems, problems_of
from shared.errors import PermanentError

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")
_DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

Proposals = Annotated[
    list[int] | None, typer.Option("--proposal", help="Proposal; may be repeated.")
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="Target; * stands for any text; may be repeated."),
]
Cone = Annotated[
    str | None,
    typer.Option(help="RA,DEC,RADIUS of a circle in the sky, degree, e.g. 182.6,39.4,0.1."),
]
First = Annotated[
    datetime | None,
    typer.Option("--from", help="Exposures that started from then on (UTC).", formats=_DAY),
]
Last = Annotated[
    datetime | None,
    typer.Option("--before", help="Exposures that started before then (UTC).", formats=_DAY),
]
Configuration = Annotated[str | None, typer.Option(help="COS/FUV or COS/NUV.")]
Everything = Annotated[bool, typer.Option("--everything", help="All that there is.")]


def _selection(
    proposal: Proposals = None,
    target: Targets = None,
    cone: Cone = None,
    first: First = None,
    last: Last = None,
    configuration: Configuration = None,
    everything: Everything = False,
) -> Selection:
    """Make a selection of options."""
    try:
        return Selection.of_parameters(
            proposals=proposal,
            targets=target,
            cone=cone,
            first=first,
            last=last,
            configuration=configuration,
            everything=everything,
        )
    except ValidationError as error:
        raise PermanentError(describe_problems(problems_of(error))) from error


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a selection in place of its parameter ``selection``."""
    options = inspect.signature(_selection).parameters
    _, *own = inspect.signature(command).parameters.values()

    def run(**given: Any) -> None:
        selection = _selection(**{name: given.pop(name) for name in options})
        command(selection, **given)

    parameters = [*options.values(), *own]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(run)["__signature__"] = inspect.Signature(
        [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    )
    return run


def _plan(client: Client, selection: Selection) -> PlanRecord:
    return client.archive_plan(everything=selection.everything, **selection.parameters())


@_selecting
def plan(
    selection: Selection,
    url: Url = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Say what fetching datasets from remote archives amounts to, without fetching any."""
    with connect(url, data_dir) as client:
        found = _plan(client, selection)
    if as_json:
        typer.echo(json.dumps(as_document(found), indent=2))
        return
    typer.echo(f"{selection.describe()}:")
    for line in _lines(found):
        typer.echo(f"  {line}")


@_selecting
def fetch(
    selection: Selection,
    order: Annotated[
        Literal["newest", "oldest"], typer.Option(help="Which datasets come first.")
    ] = "newest",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before fetching.")] = False,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Fetch datasets from remote archives, and those that come later, until `archive end`."""
    with connect(url, data_dir, token) as client:
        for line in _lines(_plan(client, selection)):
            typer.echo(line)
        if selection.everything and not yes:
            typer.confirm("Fetch everything?", abort=True)
        found = client.fetch_from_archive(selection.document(), order=order)
    typer.echo(f"selection {found.id} is fetched: {found.description}, {found.order} first")


def end(
    selection: Annotated[int, typer.Argument(help="Number, which `cosmo archive status` lists.")],
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Fetch no more of a selection; what was fetched is kept."""
    with connect(url, data_dir, token) as client:
        client.end_archive_selection(selection)
    typer.echo(f"selection {selection} ended")


def status(url: Url = None, data_dir: DataDir = _DEFAULT_DIR, as_json: Json = False) -> None:
    """Show which remote archives answer, what is wanted of them and what is still to come."""
    with connect(url, data_dir) as client:
        found = client.archive_status()
    if as_json:
        typer.echo(json.dumps(as_document(found), indent=2))
        return
    for line in _status(found):
        typer.echo(line)


def _lines(found: PlanRecord) -> Iterator[str]:
    about = "about " if found.estimated else ""
    yield (
        f"{found.datasets} datasets; {found.coming} to fetch: {about}{found.files} files, "
        f"{about}{found.bytes / 1e9:.3f} GB"
    )
    if found.estimated:
        yield f"the files of {found.estimated} are not listed yet, and are estimated"
    yield f"{found.held} held, {found.exclusive} exclusive, {found.withdrawn} withdrawn"
    if found.incomplete:
        names = ", ".join(found.incomplete_names)
        yield f"{found.incomplete} incomplete at the archive: {names}"
    if found.unknown:
        yield f"no catalogue has anything of {', '.join(found.unknown)}"
    if not found.fits:
        yield f"the disk of the store has room for {(found.room or 0) / 1e9:.3f} GB"
    if found.listed_at is None:
        yield "no catalogue has been listed yet: its first listing takes a while"


def _status(found: ArchiveStatus) -> Iterator[str]:
    for catalogue in found.catalogues:
        yield _catalogue(catalogue)
    yield f"{found.entries} datasets are in the catalogues"
    for selection in found.selections:
        yield (
            f"selection {selection.id} of {selection.created_by}: {selection.description}, "
            f"{selection.order} first"
        )
    if found.refused:
        yield found.refused
    yield from (_lines(found.wanted) if found.selections else ["nothing is wanted of them"])
    if (transfer := found.transfer) is not None:
        rate = transfer.bytes_per_second
        speed = "" if rate is None else f", {rate / 1e6:.2f} MB a second"
        yield (
            f"come in the last hour: {transfer.datasets} datasets, "
            f"{transfer.bytes / 1e9:.3f} GB{speed}"
        )


def _catalogue(found: CatalogueStatus) -> str:
    state = "answers"
    if found.failing_since is not None:
        state = f"does not answer since {_time(found.failing_since)} ({found.error})"
    if found.retry_at is not None and found.failing_since is not None:
        state += f", asked again at {_time(found.retry_at)}"
    listed = found.last_full
    text = f"{found.catalogue} {state}"
    if listed is not None:
        text += (
            f"; listed {_time(listed.finished_at)}: {listed.entries} datasets, {listed.new} new, "
            f"{listed.changed} delivered again, {listed.missing} missing"
        )
    return text


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


COMMANDS = (plan, fetch, end, status)
