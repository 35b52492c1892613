"""What is believed of times, and what the calendar knows."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from shared.cos.dates import decimal_year, mjd_of_year, parse_day_of_year
from shared.cos.times import FIRST_MJD, date_text, from_mjd, is_believable, now_mjd
from shared.errors import PermanentError

_ODD = [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e20, 1e9, 3e6, -1.0, 0.0, 5e-324]


def test_a_time_of_cos_lies_between_its_installation_and_tomorrow() -> None:
    now = now_mjd()
    assert is_believable([FIRST_MJD, 57388.0, now, now + 0.9]).all()
    assert not is_believable([FIRST_MJD - 0.1, now + 1.1, 94204.8, *_ODD]).any()


def test_dates_are_texts_whatever_the_number() -> None:
    assert date_text(57569.5) == "2016-06-30"
    assert date_text(None) == ""
    assert [date_text(value) for value in (math.nan, 1e20, 1e9, -math.inf)] == [
        "MJD nan",
        "MJD 1e+20",
        "MJD 1e+09",
        "MJD -inf",
    ]
    assert from_mjd(57569.5) == datetime(2016, 6, 30, 12, tzinfo=UTC)


def test_decimal_years_of_what_is_no_date_are_not_numbers() -> None:
    odd = np.array([math.nan, math.inf, -math.inf, 1e300, -1e300, 1e20, 1e9])
    assert np.isnan(decimal_year(odd)).all()
    assert np.isnan(mjd_of_year(np.append(odd, [0.0, -3.0]))).all()
    mjd = np.array([55000.0, 57388.0, 57753.9, 94204.8])
    assert mjd_of_year(decimal_year(mjd)) == pytest.approx(mjd, abs=1e-6)


def test_only_leap_years_have_day_366() -> None:
    assert parse_day_of_year("2016.366:12:00:00") == 57753.5
    assert parse_day_of_year("2015.365:00:00:00") == 57387.0
    for text in (
        "2015.366:12:00:00",
        "2100.366:00:00:00",
        "2016.367:00:00:00",
        "2016.000:00:00:00",
        "9999.366:00:00:00",
    ):
        with pytest.raises(PermanentError, match="is not a date"):
            parse_day_of_year(text)
