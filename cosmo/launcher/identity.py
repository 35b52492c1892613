"""User of Postgres, which refuses root, and whose initdb refuses users without a name."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from shared.errors import PermanentError
from shared.operating_system import assume_user, child_can, enter_user_namespace

__all__ = ["Identity", "other_user", "server_identity"]


@dataclass(frozen=True)
class Identity:
    """A user that a child process becomes.

    Attributes
    ----------
    user
        Its number, and that of its group, as the child sees it.
    outside
        Its number as the rest of the system sees it: that of this process where the child enters a
        user namespace.
    """

    user: int
    outside: int

    def assume(self) -> None:
        """Become this user; to be called in the child."""
        if self.user == self.outside:
            assume_user(self.user)
        else:
            enter_user_namespace(self.user)

    @property
    def advice(self) -> str:
        """What to do where this user cannot work."""
        if self.user != self.outside:
            return ""
        return (
            f"\nPostgres refuses root and runs as user {self.user} here: put COSMO and its "
            "--data-dir below a folder "
            "that all users may enter, or start COSMO as an ordinary user"
        )

    def own(self, folder: Path) -> None:
        """Give a folder and what is in it to this user, as Postgres demands, where another start
        left it to another.

        Raises
        ------
        PermanentError
            If it may not be given away.
        """
        try:
            if folder.stat().st_uid == self.outside:
                return
            for parent, _, names in os.walk(folder):
                for name in (".", *names):
                    os.chown(Path(parent, name), self.outside, -1, follow_symlinks=False)
        except OSError as error:
            raise PermanentError(
                f"{folder} cannot be given to user {self.outside}, who runs Postgres "
                f"({error.strerror}): choose a "
                "--data-dir on another file system, or start COSMO as an ordinary user"
            ) from error


def server_identity() -> Identity | None:
    """Return the identity for Postgres; None where that of this process will do.

    A user namespace leaves the files to whoever this is. Where none can be entered, as in most
    containers, root takes another user's number.

    Raises
    ------
    PermanentError
        If there is no user that Postgres accepts.
    """
    mine = os.geteuid()
    if mine != 0 and _has_name(mine):
        return None
    user = other_user()
    for identity in (Identity(user, mine), Identity(user, user)):
        if child_can(identity.assume):
            return identity
    if mine == 0:
        raise PermanentError(
            "Postgres refuses to run as root, and root may become no other user here: start COSMO "
            "as an ordinary one"
        )
    raise PermanentError(
        f"Postgres needs a name for user {mine}: add a line to /etc/passwd, or start COSMO as a "
        "user who has one"
    )


def _has_name(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def other_user() -> int:
    """Choose a user beside root: ``nobody``, or else the first one."""
    named = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0}
    if not named:
        raise PermanentError(
            "Postgres needs a user beside root: add one to /etc/passwd (`useradd cosmo`)"
        )
    return named.get("nobody", next(iter(named.values())))
