"""Raw exposures, real and made, and a reference cache that tests share."""

import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.calibrator.run.headers import Exposure
from services.calibrator.run.references import ReferenceFolder
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Stage
from shared.jobs import claims
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.settings import JobSettings

HEADER = {
    "DETECTOR": "FUV",
    "OBSMODE": "TIME-TAG",
    "EXPTYPE": "EXTERNAL/SCI",
    "OBSTYPE": "SPECTROSCOPIC",
    "OPT_ELEM": "G140L",
    "CENWAVE": 1105,
    "SEGMENT": "FUVA",
    "DETECTHV": "NomA",
    "APERTURE": "PSA",
    "FPPOS": 2,
    "RANDCORR": "PERFORM",
}
DATA_HEADER = {"NAXIS2": 1000, "NUMFLASH": 2}

MakeExposure = Callable[..., Exposure]


@pytest.fixture
def make_exposure(tmp_path: Path) -> MakeExposure:
    """Maker of an exposure of segment A with only the keywords that it is given beside those that
    all have.
    """

    def make(
        rootname: str = "ldfd01vnq",
        suffix: str = "rawtag_a",
        data: Mapping[str, Any] | None = None,
        **keywords: object,
    ) -> Exposure:
        header = fits.Header(list((HEADER | keywords).items()))
        data_header = fits.Header(list((DATA_HEADER | dict(data or {})).items()))
        return Exposure(
            tmp_path / f"{rootname}_{suffix}.fits", rootname, suffix, header, data_header
        )

    return make


@pytest.fixture(scope="session")
def reference_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of unpacked references that the tests share."""
    return tmp_path_factory.mktemp("reference-cache")


@pytest.fixture(scope="session")
def references(data_dir: Path, reference_cache: Path) -> ReferenceFolder:
    """Real and stand-in references of the real association."""
    return ReferenceFolder(data_dir / "references", reference_cache, "3.6.2")


@pytest.fixture(scope="session")
def association_files(data_dir: Path) -> dict[str, Path]:
    """Files of the real association that CalCOS reads, by name."""
    paths = sorted((data_dir / "ldfd01010" / "raw").iterdir())
    return {path.name: path for path in paths if "_ji" not in path.name and "vlq" not in path.name}


@pytest.fixture(scope="session")
def small_files(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Cut of the real association to its first exposure, which CalCOS does in some 12 s."""
    folder = tmp_path_factory.mktemp("small")
    raw = data_dir / "ldfd01010" / "raw"
    for name in ("ldfd01vnq_rawtag_a.fits.gz", "ldfd01vnq_spt.fits.gz"):
        shutil.copyfile(raw / name, folder / name)
    with fits.open(raw / "ldfd01010_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus.writeto(folder / "ldfd01010_asn.fits")
    return {path.name: path for path in sorted(folder.iterdir())}


Claim = Callable[[str], Awaitable[ClaimedJob]]


@pytest.fixture
def claim_new(database: Database) -> Claim:
    """Maker of a dataset whose calibration this process holds."""

    async def make(rootname: str) -> ClaimedJob:
        async with database.transaction() as session:
            dataset = Dataset(rootname=rootname, kind="association")
            session.add(dataset)
            await session.flush()
            job_id = await add_job(session, dataset.id, NewJob(Stage.CALIBRATE, {}, {}), Outbox())
        assert job_id is not None
        async with database.transaction() as session:
            job = await claims.claim(session, job_id, "tester", JobSettings())
        assert job is not None
        return job

    return make
