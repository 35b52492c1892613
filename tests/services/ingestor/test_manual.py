"""Files that are added by hand and are none of COS."""

from pathlib import Path

import pytest
from astropy.io import fits

from services.ingestor.manual import add_file
from shared.database.engine import Database
from shared.errors import PermanentError
from shared.store import Store


async def test_file_of_another_instrument_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l_2017300120000_00_163_cci.fits"
    fits.PrimaryHDU(header=fits.Header({"INSTRUME": "STIS"})).writeto(path)
    nowhere = Database("postgresql+asyncpg://cosmo@127.0.0.1:1/cosmo")
    with pytest.raises(PermanentError, match="is of STIS, not of COS"):
        await add_file(nowhere, Store(str(tmp_path / "store")), path)
    await nowhere.dispose()
