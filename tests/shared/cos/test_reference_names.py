"""Values of reference keywords.

Every form that CalCOS expands, and nothing outside known folders.
"""

from pathlib import Path

import pytest

from shared.cos.reference_names import ReferenceName, locate_reference, reference_folders
from shared.errors import PermanentError
from shared.reference_digests import reference_digests


@pytest.mark.parametrize(
    ("value", "name", "folder"),
    [
        ("lref$x_flat.fits", "x_flat.fits", ""),
        ("LREF$X_FLAT.FITS", "X_FLAT.FITS", ""),
        ("$lref/x_flat.fits", "x_flat.fits", ""),
        ("${lref}/x_flat.fits", "x_flat.fits", ""),
        ("x_flat.fits", "x_flat.fits", ""),
        ("./x_flat.fits.gz", "x_flat.fits", ""),
        ("lref$mine/x_flat.fits", "x_flat.fits", "mine"),
        ("mine/x_flat.fits", "x_flat.fits", "mine"),
        ("/data/mine/../refs/x_flat.fits", "x_flat.fits", "/data/refs"),
        ("oref$x_flat.fits", "x_flat.fits", None),
        ("../refs/x_flat.fits", "x_flat.fits", None),
        ("lref$../../etc/x_flat.fits", "x_flat.fits", None),
    ],
)
def test_forms(value: str, name: str, folder: str | None) -> None:
    parsed = ReferenceName.parse(value)
    assert (parsed.name, parsed.folder) == (name, folder)
    assert ReferenceName.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    "value",
    [
        "lref$../../etc/hostname",
        "/etc/passwd",
        "lref$",
        "lref$.fits",
        "lref$a b.fits",
        "lref$x\n.fits",
        "$",
        "x.fits/",
    ],
)
def test_what_is_no_name_of_a_fits_file_is_refused(value: str) -> None:
    with pytest.raises(PermanentError, match="does not name a FITS file"):
        ReferenceName.parse(value)


def test_only_known_folders_are_looked_at(tmp_path: Path) -> None:
    references, source, outside = (tmp_path / name for name in ("references", "source", "outside"))
    for folder in (references / "mine", source, outside):
        folder.mkdir(parents=True)
    for path in (
        references / "x_flat.fits.gz",
        references / "mine" / "y_flat.fits",
        source / "z_flat.fits",
    ):
        path.touch()
    (outside / "x_flat.fits").write_text("not for you")
    (outside / "w_flat.fits").write_text("not for you")
    folders = reference_folders(references, source.as_uri())

    def found(value: str) -> tuple[Path, bool] | None:
        located = locate_reference(value, folders)
        return (located.path, located.as_given) if located else None

    assert found("lref$x_flat.fits") == (references / "x_flat.fits.gz", True)
    assert found("lref$X_FLAT.FITS") == (references / "x_flat.fits.gz", True)
    assert found(f"{references}/mine/y_flat.fits") == (references / "mine" / "y_flat.fits", True)
    assert found("lref$mine/y_flat.fits") == (references / "mine" / "y_flat.fits", True)
    assert found("./z_flat.fits") == (source / "z_flat.fits", True)
    assert found(f"{source}/z_flat.fits") == (source / "z_flat.fits", True)
    assert found(f"{outside}/x_flat.fits") == (references / "x_flat.fits.gz", False)
    assert found("lref$../outside/x_flat.fits") == (references / "x_flat.fits.gz", False)
    assert found(f"{references}/../outside/w_flat.fits") is None
    assert found("lref$../outside/w_flat.fits") is None
    digests = reference_digests(
        folders, ["lref$../outside/w_flat.fits", f"{outside}/w_flat.fits", "../outside/a"]
    )
    assert set(digests.values()) == {None}


def test_a_source_in_a_folder_with_blanks(tmp_path: Path) -> None:
    source = tmp_path / "my cos" / "fév 100%"
    assert reference_folders(None, source.as_uri()) == (source,)
    assert reference_folders(tmp_path, str(source)) == (tmp_path, source)


def test_a_source_behind_a_url_holds_no_references(tmp_path: Path) -> None:
    assert reference_folders(tmp_path, "memory://raw") == (tmp_path,)
    assert reference_folders(tmp_path, "zip://::file:///raw.zip") == (tmp_path,)
    assert reference_folders(None, None) == ()
