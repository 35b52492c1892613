"""The recipe: one validated, versioned document that says how a run of CalCOS differs from the
default.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from shared.errors import PermanentError
from shared.recipes.division import SubExposures
from shared.recipes.document import Document
from shared.recipes.extraction import Extraction
from shared.recipes.keywords import CONTEXT, REFERENCE, Keywords, References, Switches
from shared.recipes.options import COMPRESSION, SHIFT, Options
from shared.recipes.problems import problems

__all__ = ["PATTERNS", "Edits", "Members", "Recipe", "parse_recipe", "recipe_schema"]

_ROOTNAME = r"^[A-Za-z0-9]{9}$"
_FILE = r"^[A-Za-z0-9]{9}_(rawtag|rawaccum|corrtag)(_[ab])?\.fits$"
_CONTEXT = f"^{CONTEXT}$"

PATTERNS = {
    _ROOTNAME: "rootname",
    _FILE: "file",
    _CONTEXT: "context",
    REFERENCE: "reference",
    COMPRESSION: "compression",
    SHIFT: "shift",
}
"""Pattern of each text in a recipe to its kind."""

Rootname = Annotated[str, Field(pattern=_ROOTNAME), AfterValidator(str.lower)]
"""Rootname of an exposure; lower case once it is read."""

RawFile = Annotated[str, Field(pattern=_FILE), AfterValidator(str.lower)]
"""Name of a file that CalCOS takes instead of an association; lower case once it is read."""


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


Rootnames = Annotated[tuple[Rootname, ...], AfterValidator(_sorted)]
"""Rootnames whose order means nothing."""


class Edits(Document):
    """What is set in headers."""

    switches: Switches = Field(default_factory=dict)
    references: References = Field(default_factory=dict)
    keywords: Keywords = Field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the keyword to value, of all kinds; references by file name."""
        return {**self.switches, **self.references, **self.keywords}


def _filled(exposures: dict[str, Edits]) -> dict[str, Edits]:
    return {rootname: edits for rootname, edits in exposures.items() if edits != Edits()}


class Members(Document):
    """Which exposures are calibrated."""

    drop: Rootnames = Field((), strict=False, description="Exposures that are left out")
    only: Rootname | None = Field(
        None, description="One exposure, calibrated without its association"
    )
    file: RawFile | None = Field(
        None,
        description="One raw file, or one corrtag file of the current products, calibrated without "
        "its association",
    )
    wavecals: Rootnames = Field(
        (), strict=False, description="Wavecals of other datasets to be added, as EXP-GWAVE"
    )

    @property
    def single(self) -> str | None:
        """Rootname of the exposure that is calibrated without its association."""
        return self.file[:9] if self.file else self.only

    @property
    def calibrated(self) -> str | None:
        """Name of the file of calibrated events, if that is what CalCOS starts from."""
        return self.file if self.file and "_corrtag" in self.file else None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name, what in (("only", "exposure"), ("file", "file")):
            if getattr(self, name) and (self.drop or self.wavecals):
                raise ValueError(
                    f"`{name}` calibrates one {what} without its association; it excludes drop and "
                    "wavecals"
                )
        if self.only and self.file:
            raise ValueError(
                "`only` names an exposure and `file` one file of it; give one of the two"
            )
        for names in (self.drop, self.wavecals):
            if len(set(names)) < len(names):
                raise ValueError("a rootname is listed twice")
        return self


class Recipe(Edits):
    """How a run differs from the default; what is left out stays as the raw headers have it."""

    version: Literal[1] = Field(1, description="Version of this kind of document")
    exposures: Annotated[dict[Rootname, Edits], AfterValidator(_filled)] = Field(
        default_factory=dict, description="The same for single exposures, over what holds for all"
    )
    context: Annotated[str, Field(pattern=_CONTEXT)] | None = Field(
        None,
        description="Context of CRDS whose best references stand in for those of the headers; "
        "`references` go over it",
    )
    options: Options = Options()
    members: Members = Members()
    extraction: Extraction = Extraction()
    sub_exposures: SubExposures | None = Field(
        None, description="Parts of the exposures, each calibrated by itself"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        left_out = sorted(set(self.members.drop) & set(self.exposures))
        if left_out:
            raise ValueError(f"{', '.join(left_out)}: dropped and edited; do one or the other")
        single = self.members.single
        if single and set(self.exposures) - {single}:
            raise ValueError(f"only {single} is calibrated, so only its headers can be edited")
        if self.sub_exposures and self.options.only_csum:
            raise ValueError(
                "only_csum leaves no spectra, so there is nothing to divide; drop it or "
                "sub_exposures"
            )
        every: list[Edits] = [self, *self.exposures.values()]
        for edits in every:
            algorithm = {**self.keywords, **edits.keywords}.get("XTRCTALG")
            _check_extraction(algorithm, {**self.switches, **edits.switches}, self.extraction)
        return self

    def edits(self, rootname: str) -> dict[str, Any]:
        """Return the keyword to value for an exposure."""
        own = self.exposures.get(rootname)
        return self.values() | (own.values() if own else {})

    def files(self) -> set[str]:
        """Return the names of the reference files that it names."""
        every: list[Edits] = [self, *self.exposures.values()]
        return {
            name for edits in every for name in edits.references.values() if name.endswith(".fits")
        }

    def canonical(self) -> dict[str, Any]:
        """Return JSON document that is the same for recipes that mean the same: what equals the
        default is left out.
        """
        return {
            "version": self.version,
            **self.model_dump(mode="json", exclude_defaults=True, exclude_none=True),
        }


def _check_extraction(algorithm: Any, switches: dict[str, str], extraction: Extraction) -> None:
    if algorithm == "TWOZONE":
        omitted = [name for name in ("TRCECORR", "ALGNCORR") if switches.get(name) == "OMIT"]
        if omitted:
            raise ValueError(
                f"XTRCTALG=TWOZONE needs {' and '.join(omitted)}: the profile is where the "
                "straightened, aligned "
                "spectrum is; omit it with XTRCTALG=BOXCAR"
            )
        if extraction.boxcar and not extraction.twozone:
            raise ValueError(
                "extraction.boxcar has no effect with XTRCTALG=TWOZONE; give extraction.twozone"
            )
    if algorithm == "BOXCAR" and extraction.twozone and not extraction.boxcar:
        raise ValueError(
            "extraction.twozone has no effect with XTRCTALG=BOXCAR; give extraction.boxcar"
        )


def parse_recipe(document: Any) -> Recipe:
    """Read a recipe out of a JSON or YAML document.

    Parameters
    ----------
    document
        The document as Python values.

    Raises
    ------
    PermanentError
        If a key is unknown, a value impossible or a combination does not work; the message says
        where and why.
    """
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise PermanentError(f"recipe: {'; '.join(problems(error, PATTERNS))}") from error


def recipe_schema() -> dict[str, Any]:
    """Return JSON Schema of the document (draft 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}
