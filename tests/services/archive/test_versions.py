"""Which of several versions of a file is taken."""

from services.archive.metadata import FileMetadata
from services.archive.sources import SourceFile
from services.archive.versions import Versions, choose_versions


def _file(place: str, modified: float | None = 1e9, name: str = "lsv140a0q_spt.fits") -> SourceFile:
    stem = name.partition(".")[0]
    return SourceFile(f"file:///{place}/{name}", name, stem, 1, place, modified)


def _choose(*versions: tuple[SourceFile, FileMetadata], contents: str = "") -> Versions:
    """Choose between versions, whose contents are one letter each."""
    letters = dict(zip((file.url for file, _ in versions), contents, strict=False))
    return choose_versions(
        [file for file, _ in versions],
        {file.url: facts for file, facts in versions},
        lambda file: letters[file.url],
    )


def _taken(chosen: Versions) -> str:
    return chosen.files[0].url.split("/")[3]


def test_one_version_needs_no_choice() -> None:
    chosen = _choose((_file("a"), FileMetadata()))
    assert (chosen.older, chosen.conflicts) == ({}, {})


def test_date_of_the_header_decides_before_the_time_of_change() -> None:
    chosen = _choose(
        (_file("a", 1e9), FileMetadata(date="2020-03-02")),
        (_file("b", 2e9), FileMetadata(date="2019-12-31")),
    )
    assert _taken(chosen) == "a"
    reason = chosen.older["lsv140a0q_spt"]["file:///b/lsv140a0q_spt.fits"]
    assert "DATE 2019-12-31" in reason
    assert "a/lsv140a0q_spt.fits" in reason


def test_time_of_change_decides_between_equal_dates() -> None:
    chosen = _choose(
        (_file("a", 1e9), FileMetadata(date="2020-03-02")),
        (_file("b", 2e9), FileMetadata(date="2020-03-02")),
    )
    assert _taken(chosen) == "b"


def test_dates_are_compared_as_exactly_as_both_say_them() -> None:
    day, evening, morning = (
        FileMetadata(date=f"2020-03-02{time}") for time in ("", "T20:00:00", "T08:00:00")
    )
    assert _taken(_choose((_file("a", 2e9), morning), (_file("b", 1e9), evening))) == "b"
    assert _taken(_choose((_file("a", 2e9), day), (_file("b", 1e9), evening))) == "a"


def test_date_that_is_none_decides_nothing() -> None:
    for date in ("", "N/A", "02/03/99"):
        chosen = _choose(
            (_file("a", 1e9), FileMetadata(date="2020-03-02")),
            (_file("b", 2e9), FileMetadata(date=date)),
        )
        assert _taken(chosen) == "b"


def test_stale_plain_twin_is_left() -> None:
    plain, zipped = _file("a", 1e9), _file("a", 2e9, "lsv140a0q_spt.fits.gz")
    chosen = _choose((plain, FileMetadata()), (zipped, FileMetadata()))
    assert chosen.files == [zipped]
    assert list(chosen.older["lsv140a0q_spt"]) == [plain.url]


def test_equally_new_and_equal_is_no_conflict() -> None:
    plain, zipped = _file("a"), _file("a", name="lsv140a0q_spt.fits.gz")
    chosen = _choose((zipped, FileMetadata()), (plain, FileMetadata()), contents="xx")
    assert (chosen.files, chosen.conflicts) == ([plain], {})
    assert chosen.older["lsv140a0q_spt"][zipped.url].startswith("same content")


def test_equally_new_and_different_is_a_conflict_that_names_both() -> None:
    for modified in (1e9, None):
        chosen = _choose(
            (_file("a", modified), FileMetadata()),
            (_file("b", modified), FileMetadata()),
            contents="xy",
        )
        conflict = chosen.conflicts["lsv140a0q_spt"]
        assert "/a/lsv140a0q_spt.fits and file:///b/lsv140a0q_spt.fits are equally new" in conflict
        assert chosen.older == {}


def test_older_third_version_does_not_matter() -> None:
    versions = [
        (_file(place, modified), FileMetadata())
        for place, modified in (("a", 1e9), ("b", 2e9), ("c", 2e9))
    ]
    assert "a/" not in _choose(*versions, contents="xyz").conflicts["lsv140a0q_spt"]
    assert set(_choose(*versions, contents="xyy").older["lsv140a0q_spt"]) == {
        "file:///a/lsv140a0q_spt.fits",
        "file:///c/lsv140a0q_spt.fits",
    }


def test_version_that_cannot_be_read_is_left() -> None:
    chosen = _choose(
        (_file("a", 1e9), FileMetadata()), (_file("b", 2e9), FileMetadata(error="truncated"))
    )
    assert _taken(chosen) == "a"
    assert "cannot be read" in chosen.older["lsv140a0q_spt"]["file:///b/lsv140a0q_spt.fits"]


def test_of_reports_the_text_counts() -> None:
    text, other = _file("a", 1e9, "181137b4.txt"), _file("a", 2e9, "181137b4.l-exp")
    assert _choose((other, FileMetadata()), (text, FileMetadata())).files == [text]
