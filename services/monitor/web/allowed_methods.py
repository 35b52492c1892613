"""Methods of an address, over all routes that have it."""

from collections.abc import Sequence

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, compile_path

__all__ = ["allowed_methods"]


def allowed_methods(routes: Sequence[BaseRoute], path: str) -> list[str]:
    """List the methods of a path: each route knows its own alone.

    Parameters
    ----------
    routes
        Routes of the application.
    path
        Path of an address.

    Returns
    -------
    list of str
        The methods, with HEAD wherever there is GET; none for the path of no route.
    """
    found = {
        method
        for context in iter_route_contexts(routes)
        if isinstance(route := context.original_route, APIRoute)
        and compile_path(context.path or "")[0].match(path)
        for method in route.methods or ()
    }
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
