"""Which rows of the schedule count."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["prefer_newest_schedules"]


async def prefer_newest_schedules(connection: AsyncConnection) -> None:
    """Let readers see, of each exposure, the row of the newest report that plans it.

    Of the versions of a report only the newest counts; whatever the order in which they came.

    Parameters
    ----------
    connection
        Connection within a transaction.
    """
    await connection.execute(text("LOCK TABLE sms IN SHARE ROW EXCLUSIVE MODE"))
    await connection.execute(
        text(
            """
            WITH shown AS (
                SELECT s.id, s.exposure, s.report, s.version = max(s.version) OVER (PARTITION BY s.sms_id) AS newest
                FROM sms AS s JOIN files AS f ON f.id = s.file_id WHERE f.shown
            ), ranked AS (
                SELECT id, row_number() OVER (PARTITION BY exposure ORDER BY report DESC, id) = 1 AS first
                FROM shown WHERE newest
            )
            UPDATE sms AS s SET preferred = NOT s.preferred
            WHERE s.preferred != coalesce((SELECT first FROM ranked WHERE ranked.id = s.id), false)
            """
        )
    )
