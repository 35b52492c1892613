"""Stand-in of the HST archives: a folder of COS data over real HTTP.

`server` puts the others together. `folder` reads the data, `description` what the folder's owner
says of rights, `catalogue` keeps both in SQL. One module an archive and interface: `mast_missions`,
`mast_portal`, `mast_files`, `s3`, `cadc` (with `caom` and `votable`), `crds`. `faults` makes them
fail by rule.

Replies have the keys, types and nulls of recorded ones.
"""
