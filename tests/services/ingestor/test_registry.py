"""Extractors are found by being there, and a wrong declaration says what to do."""

import pytest

from services.ingestor.extractors import registry
from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows
from shared.database.models.operations import File
from shared.database.models.science import SCIENCE_TABLES, Jitter, PreferredRow


def test_every_science_table_is_filled_by_an_extractor() -> None:
    suffixes = ("jit", "spt", "x1d", "corrtag_a", "rawacq", "sms")
    filled = {name for name in SCIENCE_TABLES for s in suffixes if registry.has_rows(s, [name])}
    assert filled == set(SCIENCE_TABLES)


def test_only_fits_files_have_headers() -> None:
    assert registry.has_rows("flt_a", ["keywords"])
    assert not any(registry.has_rows(kind, ["keywords"]) for kind in ("sms", "readings"))


def test_preferred_rows_come_from_the_best_kind_of_file() -> None:
    kinds = registry.preferred_kinds()
    preferred = {name for name, model in SCIENCE_TABLES.items() if issubclass(model, PreferredRow)}
    assert kinds.keys() == preferred - {"sms"}
    assert kinds["headers"].index("x1d") < kinds["headers"].index("corrtag_a")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("jitter", "no Extractor"),
        (Extractor(table=File, suffixes=("jit",), extract=lambda _: Rows(Jitter)), "ScienceRow"),  # type: ignore[arg-type]
        (Extractor(table=Jitter, suffixes=("jit",), extract=lambda _: Rows(Jitter)), "both"),
    ],
)
def test_a_wrong_declaration_says_what_to_do(declared: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        registry.check_declaration("mine", declared, {("jitter", "jit"): "other"})
