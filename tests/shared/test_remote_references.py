"""Reference files in a bucket, and their copies on this machine."""

import gzip
from pathlib import Path

import fsspec
import pytest

from shared.cos.reference_names import locate_reference
from shared.errors import OutageError, PermanentError
from shared.reference_digests import reference_digests
from shared.remote_references import RemoteReferences, check_references, open_references
from shared.settings import ReferenceSettings
from tests.object_store import ObjectStore

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(object_store: ObjectStore, tmp_path: Path) -> ReferenceSettings:
    return ReferenceSettings(folder=f"{object_store.url}/references", cache=tmp_path / "cache")


def _put(place: str, content: bytes) -> None:
    fsspec.filesystem("s3").pipe(f"bucket/references/{place}", content)


def test_files_are_found_and_copied_once(
    settings: ReferenceSettings, object_store: ObjectStore
) -> None:
    flat = gzip.compress(b"flat")
    _put("x_flat.fits.gz", flat)
    _put("mine/y_flat.fits", b"mine")
    _put("z_flat.fits", b"z")
    _put("mine/z_flat.fits", b"mine")
    references = open_references(settings)
    assert isinstance(references, RemoteReferences)

    def found(value: str) -> tuple[bytes, bool] | None:
        located = locate_reference(value, [references])
        return (located.path.read_bytes(), located.as_given) if located else None

    for _ in range(2):
        assert found("lref$X_FLAT.FITS") == (flat, True)
        assert found("lref$mine/y_flat.fits") == (b"mine", True)
        assert found("z_flat.fits") == (b"z", True)
        assert found("lref$mine/z_flat.fits") == (b"mine", True)
        assert found("lref$other/z_flat.fits") == (b"z", False)
        assert found("/elsewhere/z_flat.fits") == (b"z", False)
        assert found("lref$../z_flat.fits") == (b"z", False)
        assert found("y_flat.fits") is None
    assert len(object_store.requests("GET .*/z_flat")) == 2


def test_a_changed_file_has_another_digest_and_another_copy(
    settings: ReferenceSettings, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    local.mkdir()
    references = open_references(settings)
    assert isinstance(references, RemoteReferences)
    digests = []
    for content in (b"old", b"new"):
        _put("x_flat.fits", content)
        (local / "x_flat.fits").write_bytes(content)
        names = ("x_flat.fits", "nosuch_flat.fits")
        digests.append(reference_digests([references], names))
        assert digests[-1] == reference_digests([local], names)
    assert digests[0] != digests[1]
    copies = sorted(tmp_path.glob("cache/**/x_flat.fits"))
    assert sorted(copy.read_bytes() for copy in copies) == [b"new", b"old"]


def test_a_server_that_is_away_changes_no_digest(
    settings: ReferenceSettings, object_store: ObjectStore
) -> None:
    _put("x_flat.fits", b"x")
    references = open_references(settings)
    assert isinstance(references, RemoteReferences)
    before = reference_digests([references], ["x_flat.fits"])
    object_store.stop()
    with pytest.raises(OutageError, match="s3://bucket/references does not list"):
        reference_digests([references], ["x_flat.fits"])
    object_store.start()
    assert reference_digests([references], ["x_flat.fits"]) == before


def test_a_url_that_lists_nothing_is_refused(settings: ReferenceSettings, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"references lists no .*COSMO_REFERENCES__FOLDER"):
        check_references(settings)
    _put("x_flat.fits", b"x")
    check_references(settings)
    check_references(ReferenceSettings(folder=tmp_path / "made-later"))
    with pytest.raises(PermanentError, match="or correct COSMO_REFERENCES__FOLDER"):
        check_references(ReferenceSettings(folder="s3://nosuch/references", cache=tmp_path))
