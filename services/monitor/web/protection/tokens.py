"""Bearer tokens: who calls, and what they may do."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from services.monitor.web.error_responses import ApiError
from shared.settings import ApiSettings, Scope, Token

__all__ = ["Caller", "Requires", "authenticate"]


@dataclass(frozen=True)
class Caller:
    """Who sent a known token.

    Attributes
    ----------
    name
        Name of the token.
    scopes
        What it may do.
    """

    name: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Refuse what the token may not do.

        Raises
        ------
        ApiError
            403, which names the scope.
        """
        if scope not in self.scopes:
            held = ", ".join(sorted(self.scopes)) or "none"
            message = (
                f"this call needs the scope `{scope}`; the token {self.name} has {held} "
                "(COSMO_API__TOKENS)"
            )
            raise ApiError(403, "wrong_scope", message, {"scope": scope})


def authenticate(settings: ApiSettings, authorization: str) -> Caller:
    """Find whose token a request has.

    Parameters
    ----------
    settings
        The tokens.
    authorization
        Value of the header ``Authorization``.

    Raises
    ------
    ApiError
        401 for no or an unknown token, 403 where none is configured.
    """
    tokens = _usable(settings.tokens)
    if not tokens:
        raise ApiError(
            403,
            "no_tokens",
            "this call needs a token and none is configured; set COSMO_API__TOKENS, e.g. "
            '{"operator": "<secret>"}',
        )
    scheme, _, given = authorization.partition(" ")
    sent = given.strip().encode() if scheme.lower() == "bearer" else b""
    # All are compared, so that the time does not show how far down the list a token stands.
    found = [
        name
        for name in tokens
        if hmac.compare_digest(sent, tokens[name].token.get_secret_value().encode())
    ]
    if not found:
        raise ApiError(
            401,
            "unauthorised",
            "this call needs a known token: send it as `Authorization: Bearer ...`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Caller(found[0], tokens[found[0]].scopes)


def _usable(tokens: Mapping[str, Token]) -> dict[str, Token]:
    """All but those that are empty, as an unset variable of a deployment leaves them: these must
    open nothing.
    """
    return {name: token for name, token in tokens.items() if token.token.get_secret_value()}


class Requires:
    """Dependency of a call that needs a scope; gives the name of the caller's token.

    Parameters
    ----------
    scope
        The scope.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> str:
        """Check who calls.

        Raises
        ------
        ApiError
            401 or 403.
        """
        caller = authenticate(
            request.app.state.context.settings.api, request.headers.get("authorization", "")
        )
        caller.require(self.scope)
        return caller.name
