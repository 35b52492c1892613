"""Choice of the rows of the schedule that count."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cos.names import REPORT_ID

__all__ = ["lock_schedules", "prefer_newest_schedules"]

_PREFER = """
    WITH touched AS (
        SELECT id, exposure, report, version, sms_id, file_id, preferred FROM sms
        WHERE CAST(:ids AS text[]) IS NULL
            OR exposure IN (SELECT exposure FROM sms WHERE sms_id = ANY(CAST(:ids AS text[])))
    ), newest AS (
        SELECT DISTINCT ON (sms_id) sms_id, version
        FROM (SELECT DISTINCT sms_id FROM touched) AS ids
        JOIN files AS f ON f.rootname BETWEEN sms_id AND sms_id || 'zzz' AND f.suffix = 'sms' AND
          f.shown,
        substr(f.rootname, :id + 1) AS version
        ORDER BY sms_id, left(version, 1) COLLATE "C" DESC, length(version) DESC,
          version COLLATE "C" DESC
    ), ranked AS (
        SELECT t.id, row_number() OVER (PARTITION BY t.exposure ORDER BY t.report DESC,
          t.id) = 1 AS first
        FROM touched AS t
        JOIN newest USING (sms_id, version)
        JOIN files AS f ON f.id = t.file_id
        WHERE f.shown
    )
    UPDATE sms AS s SET preferred = :wanted
    FROM touched AS t LEFT JOIN ranked ON ranked.id = t.id
    WHERE s.id = t.id AND s.preferred != :wanted AND coalesce(ranked.first, false) = :wanted
"""


async def lock_schedules(connection: AsyncConnection) -> None:
    """Let nobody else write reports until the transaction ends.

    To be called before its own rows are written.

    Whoever wrote first and asked for the lock then would wait for another one who did the same.
    """
    await connection.execute(text("LOCK TABLE sms IN SHARE ROW EXCLUSIVE MODE"))


async def prefer_newest_schedules(
    connection: AsyncConnection, sms_ids: Collection[str] | None = None
) -> None:
    """Let readers see, of each exposure, the row of the newest report that plans it.

    Of the versions of a report only the newest counts, also where it plans no exposure, and
    whatever the order in which they came: they go on from b1 to b9, bz and b10.

    Parameters
    ----------
    connection
        Connection within a transaction that holds the lock (`lock_schedules`).
    sms_ids
        Ids of the reports that changed; all where they are not known.
    """
    # Those that no longer count first: an index sees to it that an exposure has one.
    for wanted in (False, True):
        values = {
            "ids": None if sms_ids is None else sorted(sms_ids),
            "wanted": wanted,
            "id": REPORT_ID,
        }
        await connection.execute(text(_PREFER), values)
