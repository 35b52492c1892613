"""Writers of raw science files in the format of the archive's."""
