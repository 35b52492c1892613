"""Dated values and the marks of dated facts."""

import numpy as np

from services.monitor.framework.instrument_history import (
    Dated,
    annotation_marks,
    configuration_marks,
    held_at,
    lifetime_marks,
    value_at,
)
from shared.cos.instrument_history import ANNOTATIONS, FGS_BREAKS, HIGH_VOLTAGE

_HELD = (Dated(100.0, 1.0, "first"), Dated(200.0, 2.0, "second"))


def test_a_value_holds_from_its_date_with_its_source() -> None:
    times = np.array([50.0, 100.0, 199.9, 200.0, 300.0])
    assert value_at(_HELD, times).tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert [held_at(_HELD, time).source for time in times.tolist()] == ["first"] * 3 + [
        "second"
    ] * 2


def test_steps_of_the_voltage_after_the_known_history_are_found_from_exposures() -> None:
    """Three exposures at another level are a test; one whose level is unknown changes nothing."""
    mjd = 58100.0 + np.arange(60.0)
    level = np.full(60, 163.0)
    level[10:13], level[20], level[30:], level[50:] = 178.0, np.nan, 167.0, 163.0
    order = np.random.default_rng(3).permutation(np.repeat(np.arange(60), 2))
    marks = configuration_marks("FUVA", mjd[order], level[order])
    assert [(mark.x, mark.text) for mark in marks] == [(58130.0, "HV 167"), (58150.0, "HV 163")]
    assert configuration_marks("FUVA", mjd, np.full(60, np.nan)) == []


def test_known_steps_are_marked_as_known() -> None:
    mjd = np.array([56900.0, 57100.0])
    (raised, moved) = configuration_marks("FUVA", mjd, np.array([190.0, 190.0]))
    assert (raised.text, moved.text) == ("HV 173", "LP3, HV 167")
    assert [mark.text for mark in lifetime_marks(mjd)] == ["LP3"]


def test_marks_close_together_share_the_label_of_the_first() -> None:
    mjd = 58100.0 + np.arange(2000.0)
    level = np.where(mjd < 59518.0, 163.0, 167.0)  # a month after a move
    marks = configuration_marks("FUVA", mjd, level)
    assert [(mark.x, mark.text) for mark in marks] == [
        (59491.0, "LP5, HV 167"),
        (59518.0, ""),
        (59855.0, "LP6"),
    ]


def test_annotations_concern_their_topics() -> None:
    mjd = np.array([54962.0, 61000.0])
    assert [mark.text for mark in annotation_marks("FUV", mjd)] == ["FUVA shut off"]
    assert [mark.x for mark in annotation_marks("acquisition", mjd)] == [
        HIGH_VOLTAGE["FUVA"][-1][0]
    ]
    assert [one.mjd for one in ANNOTATIONS] == sorted(one.mjd for one in ANNOTATIONS)


def test_alignments_are_those_of_the_sensors() -> None:
    days = {
        (np.datetime64(f"{text[:4]}-01-01") + int(text[5:]) - 1)
        .astype("datetime64[D]")
        .astype(float)
        + 40587.0
        for breaks in FGS_BREAKS.values()
        for text in breaks
    }
    assert days <= {one.mjd for one in ANNOTATIONS if "pointing" in one.topics}
