"""Monitor osm-shift, on flashes whose shifts are known."""

import pytest

from services.monitor.framework.loading import load
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.database.models.science import Lampflash

_SHIFTS = {"ldtest01q": (3.0, 3.1), "ldtest02q": (-35.0, -35.1), "ldtest03q": (None,)}
"""Of the flashes of each exposure, in pixels."""


async def _add_flashes(database: Database) -> None:
    async with database.transaction() as session:
        dataset = Dataset(rootname="ldtest010", kind="association")
        session.add(dataset)
        await session.flush()
        for number, (rootname, shifts) in enumerate(_SHIFTS.items()):
            file = File(
                dataset_id=dataset.id,
                origin="calibrated",
                path="calibrated/ldtest010",
                name=f"{rootname}_lampflash.fits",
                rootname=rootname,
                suffix="lampflash",
                size=1,
                sha256="0" * 64,
                shown=True,
            )
            session.add(file)
            await session.flush()
            session.add_all(
                Lampflash(
                    id=10 * file.id + flash,
                    file_id=file.id,
                    rootname=rootname,
                    segment="FUVA",
                    date=58000.0 + number,
                    flash=flash,
                    x_shift=shift,
                    filetype="lampflash",
                )
                for flash, shift in enumerate(shifts, 1)
            )


@pytest.mark.integration
async def test_a_large_shift_is_an_alert(database: Database) -> None:
    monitor = monitors()["osm-shift"]
    await _add_flashes(database)
    async with database.session() as session:
        inputs = {name: await load(session, query) for name, query in monitor.inputs.items()}
    output = monitor.compute(inputs)
    monitor.check_output(output)
    assert output.values[0].value.tolist() == [3.0, -35.0]
    assert output.values[0].outlier.tolist() == [False, True]
    assert [finding.rootname for finding in output.findings] == ["ldtest02q"]
    assert [figure.name for figure in output.figures] == ["shift"]
