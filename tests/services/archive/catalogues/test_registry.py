"""Catalogues by their names, and the settings that they need."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from services.archive.catalogues import open_catalogue
from shared.errors import PermanentError
from shared.settings import ArchiveSettings
from shared.settings.archive import CATALOGUES


@pytest.mark.parametrize("name", CATALOGUES)
def test_each_archive_is_opened_by_its_name(name: str) -> None:
    assert open_catalogue(name, ArchiveSettings()).name == name


def test_an_unknown_archive_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(PermanentError, match=r"eso is no archive; known are mast, s3, cadc"):
        open_catalogue("eso", ArchiveSettings())


def test_client_libraries_are_loaded_with_the_archive_that_needs_them() -> None:
    program = (
        "import sys; import services.archive.catalogues as catalogues; "
        "assert not {'astroquery', 'obstore', 'pyvo', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metadata_rate": 0}, "greater than 0"),
        ({"metadata_rate": -1}, "greater than 0"),
        ({"mast_token": "secret\n"}, "one word of ASCII, without a space or a newline"),
        ({"mast_token": "two words"}, "one word of ASCII"),
        ({"mast_token": ""}, "one word of ASCII"),
        ({"mast_url": "mast.stsci.edu"}, "begins with https://"),
        ({"cadc_url": "file:///etc"}, "begins with https://"),
        ({"s3_url": "https://"}, "begins with https://"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ArchiveSettings.model_validate(settings)
