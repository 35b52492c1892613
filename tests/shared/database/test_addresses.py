"""URLs of Postgres: of managed servers, of several hosts, and wrong ones."""

import re
import ssl
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cosmo.launcher.embedded import EmbeddedPostgres
from shared.database.addresses import connection_arguments
from shared.database.engine import Database
from shared.errors import PermanentError
from tests.forwarder import forwarder


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not a URL of Postgres such as postgresql+asyncpg://"),
        ("mysql://cosmo:hush@host/cosmo", "mysql:// is not a URL of Postgres"),
        ("postgresql://cosmo:hush@host:port/cosmo", "is not a URL of Postgres"),
        ("postgresql://cosmo:hush@host/cosmo?pool=3&sslmode=require", "unknown option, pool;"),
        ("postgresql://cosmo:hush@host/cosmo?sslmode=always", "sslmode=always"),
        ("postgresql://cosmo:hush@host/cosmo?sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("postgresql://cosmo:hush@a,b/cosmo?target_session_attrs=standby", "none of any, primary"),
    ],
)
def test_a_wrong_url_is_refused_in_a_line_without_its_password(url: str, said: str) -> None:
    with pytest.raises(PermanentError, match=re.escape(said)) as refused:
        Database(url)
    assert "hush" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql", "postgres"])
def test_passwords_keep_their_characters(scheme: str) -> None:
    address, arguments = connection_arguments(f"{scheme}://cosmo:a%40b%2Fc@host:5433/cosmo")
    assert (address.password, address.host, address.port) == ("a@b/c", "host", 5433)
    assert arguments == {}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://cosmo@one:5433,two/cosmo",
        "postgresql+asyncpg://cosmo@/cosmo?host=one:5433&host=two:5432",
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_used(url: str) -> None:
    address, arguments = connection_arguments(url)
    assert (address.username, address.database, address.query) == ("cosmo", "cosmo", {})
    assert arguments == {
        "host": ["one", "two"],
        "port": ["5433", "5432"],
        "target_session_attrs": "read-write",
    }


@pytest.mark.integration
async def test_a_host_that_is_away_is_passed_over(postgres: EmbeddedPostgres) -> None:
    async with forwarder(postgres._sockets / ".s.PGSQL.5432") as way:
        database = Database(f"postgresql://cosmo@127.0.0.1:1,127.0.0.1:{way.port}/postgres")
        async with database.session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await database.dispose()


@pytest.mark.integration
async def test_the_certificate_of_a_managed_server_is_checked(
    postgres: EmbeddedPostgres, certificates: Path
) -> None:
    for shown, root, works in (
        ("server", "server", True),
        ("server", "stranger", False),
        ("elsewhere", "elsewhere", False),  # which names another address
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{shown}.pem", certificates / f"{shown}.key")
        async with forwarder(postgres._sockets / ".s.PGSQL.5432", starttls=context) as way:
            database = Database(
                f"postgresql://cosmo:hush@127.0.0.1:{way.port}/postgres"
                f"?sslmode=verify-full&sslrootcert={certificates / root}.pem"
            )
            try:
                async with database.session() as session:
                    assert await session.scalar(text("SELECT 1")) == 1
                assert works
            except (OSError, DBAPIError) as error:
                assert not works, error  # noqa: PT017 - either may be right
            await database.dispose()
