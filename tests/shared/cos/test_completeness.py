"""Raw files that an exposure must have."""

from shared.cos.completeness import missing_raw

BOTH = ("FUVA", "FUVB")


def test_each_segment_in_the_mode_of_the_other() -> None:
    assert missing_raw("ldfd01vpq", {"rawtag_a"}, BOTH) == ["ldfd01vpq_rawtag_b"]
    assert missing_raw("ldfd01vpq", {"rawaccum_b"}, BOTH) == ["ldfd01vpq_rawaccum_a"]
    assert missing_raw("ldfd01vpq", {"rawtag_a", "rawtag_b"}, BOTH) == []
    assert missing_raw("ldfd01vpq", {"rawtag_a"}, ("FUVA",)) == []


def test_one_file_for_the_whole_exposure() -> None:
    assert missing_raw("ldfd01vpq", {"rawtag"}, ()) == []
    assert missing_raw("ldfd01vlq", {"rawacq"}, ()) == []


def test_without_any_file_the_mode_is_not_known() -> None:
    assert missing_raw("ldfd01vpq", set(), ()) == ["ldfd01vpq_raw*"]
