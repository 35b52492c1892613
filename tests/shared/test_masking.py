"""Texts without passwords."""

from shared.masking import mask_passwords


def test_passwords_are_masked() -> None:
    for text, masked in {
        "postgresql+asyncpg://cosmo:pw@db/cosmo": "postgresql+asyncpg://cosmo:***@db/cosmo",
        "postgresql://cosmo:p@w@db:5432/cosmo?password=pw": "postgresql://cosmo:***@db:5432/cosmo?password=***",
        "redis://:pw@broker:6379/0": "redis://:***@broker:6379/0",
        "chained::https://u:pw@host/raw?x-signature=pw&a=1": "chained::https://u:***@host/raw?x-signature=***&a=1",
        "neither s3://key:pw@bucket nor b://u:pw@c": "neither s3://key:***@bucket nor b://u:***@c",
        "at 12:30, http://127.0.0.1:8080/x?limit=1": "at 12:30, http://127.0.0.1:8080/x?limit=1",
    }.items():
        assert mask_passwords(text) == masked
