"""Jobs and events: what has to be done and what happened, in Postgres.

The broker only wakes workers up.

`events` writes a fact and the jobs it causes in one transaction, `claims` takes, renews, finishes
and gives back jobs, `runner` does so around a handler, `dispatcher` sends messages and sweeps,
`sequencer` brings committed events into the order of the feed, `operations` is what an operator can
do.
"""
