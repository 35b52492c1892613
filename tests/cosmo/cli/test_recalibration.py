"""What ``cosmo recalibrate`` refuses by itself, before it sends anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosmo.cli.app import app
from shared.errors import PermanentError


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("switches:\n", ["--omit", "FLATCORR"], "switches should be keys with values, not None"),
        (
            "members: [ldfd01vnq]\n",
            ["--drop", "ldfd01vnq"],
            "members should be keys with values, not",
        ),
        ("keywords: {XTRCTALG: [\n", [], "cannot be read as JSON or YAML"),
        ("- XTRCTALG\n", [], "a recipe is a mapping of keys to values"),
        ("{}", ["--set", "XTRCTALG"], "give KEYWORD=VALUE"),
        ("{}", ["--set", "XTRCTALG=["], r"XTRCTALG is one of BOXCAR, TWOZONE, not '\['"),
        ("{}", ["--set", "SDQFLAGS=all"], "SDQFLAGS is of type int, not 'all'"),
        ("{}", ["--set", "SP_SET_A="], "SP_SET_A is of type float, not ''"),
        ("{}", ["--set", "FLATFILE=flat"], "should be the name of a FITS file"),
        ("{}", ["--omit", "FLATCOR"], "FLATCOR: not among the calibration switches"),
    ],
)
def test_what_cannot_be_a_recipe_is_refused(
    tmp_path: Path, text: str, arguments: list[str], reason: str
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    result = CliRunner().invoke(
        app, ["recalibrate", "ldfd01010", "--recipe", str(recipe), *arguments]
    )
    assert isinstance(result.exception, PermanentError)
    with pytest.raises(PermanentError, match=reason):
        raise result.exception
