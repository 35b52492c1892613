"""Arguments of CalCOS that a recipe may set."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.recipes.document import Document

__all__ = ["COMPRESSION", "SHIFT", "FindTarget", "Options"]

_ANY, _NUMBER = "[Aa][Nn][Yy]", r"-?\d+(\.\d*)?"
SHIFT = (
    rf"^(\w{{9}}|{_ANY})\s+(-?\d+|{_ANY})\s+(\d+|{_ANY})\s+(\w{{4}}|{_ANY})"
    rf"(\s+({_NUMBER}|[Nn]/[Aa])){{1,2}}$"
)
"""Line of a shift file (`calcos.shiftfile`): rootname, fpoffset, flash, segment, shift1 and perhaps
shift2.
"""

COMPRESSION = r"^(rice|gzip|hcompress),-?\d+(\.\d+)?$"
"""Kind of compression and quantisation of an image."""

_Bins = Annotated[int, Field(ge=1, le=64)]


class FindTarget(Document):
    """Whether the spectrum is looked for across the dispersion."""

    flag: bool = Field(
        False, description="Use the place where the target is found, not that of the wavecal"
    )
    cutoff: float | None = Field(
        None, ge=0, description="Only if its standard deviation is at most this, pixel"
    )

    @model_validator(mode="after")
    def _cutoff_needs_flag(self) -> Self:
        if self.cutoff is not None and not self.flag:
            raise ValueError("a cutoff says when a found target counts: set flag to true as well")
        return self


class Options(Document):
    """Arguments of ``calcos.calcos``; the command line of CalCOS has the same."""

    verbosity: Literal[0, 1, 2] = Field(1, description="How much CalCOS writes to its trailer")
    find_target: FindTarget = FindTarget()
    create_csum_image: bool = Field(False, description="Also sum all counts to an image (--csum)")
    raw_csum_coords: bool = Field(False, description="That image in raw coordinates (--raw)")
    only_csum: bool = Field(False, description="That image and hardly anything else (--only_csum)")
    binx: _Bins | None = Field(None, description="Binning of that image along the dispersion")
    biny: _Bins | None = Field(None, description="Binning of that image across the dispersion")
    compress_csum: bool = Field(False, description="Compress that image (--compress)")
    compression_parameters: str | None = Field(
        None,
        pattern=COMPRESSION,
        description="Kind of compression and quantisation; CalCOS takes gzip,-0.01",
    )
    shift_file: tuple[Annotated[str, Field(pattern=SHIFT)], ...] = Field(
        (),
        strict=False,
        description="Lines `rootname fpoffset flash segment shift1 [shift2]` in place of the "
        "wavecal's",
    )
    save_temp_files: bool = Field(False, description="Keep the spectra of single segments")
    stimfile: bool = Field(False, description="Write the places of the stims to a text file")
    livetimefile: bool = Field(False, description="Write the live times to a text file")
    burstfile: bool = Field(False, description="Write what was found of bursts to a text file")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        summed = self.create_csum_image or self.only_csum
        asked = ("raw_csum_coords", "binx", "biny", "compress_csum", "compression_parameters")
        idle = [name for name in asked if getattr(self, name)]
        if idle and not summed:
            raise ValueError(
                f"{', '.join(idle)}: only for the summed image; set create_csum_image to true as "
                "well"
            )
        if self.compression_parameters and not self.compress_csum:
            raise ValueError(
                "compression_parameters without compress_csum; set that to true as well"
            )
        if self.compress_csum:
            raise ValueError(
                "compress_csum: CalCOS 3.6.2 asks astropy for it in words of before astropy 5 "
                "(compressionType), and "
                "stops; leave it out, since all products are packed with gzip"
            )
        texts = [
            name
            for name in ("shift_file", "stimfile", "livetimefile", "burstfile")
            if getattr(self, name)
        ]
        if self.only_csum and texts:
            raise ValueError(
                f"only_csum leaves out what {', '.join(texts)} are for; drop one or the other"
            )
        return self
