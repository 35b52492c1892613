"""Check of rendered manifests of Kubernetes against the services.

``kubectl kustomize FOLDER | python -m tests.deploy.check`` says what would not work of a site's own
overlay; the exit status is 1 then.
"""

import sys

from tests.deploy.names import check_names
from tests.deploy.pods import check_images, check_pods
from tests.deploy.rendering import Object, read
from tests.deploy.scaling import check_scaling
from tests.deploy.settings import check_settings

__all__ = ["check", "main"]


def check(objects: list[Object]) -> list[str]:
    """Say what is wrong with the objects of an overlay."""
    checks = (check_images, check_pods, check_settings, check_names, check_scaling)
    return [fault for one in checks for fault in one(objects)]


def main() -> int:
    """Check what comes on standard input."""
    faults = check(read(sys.stdin.read()))
    print(*(faults or ["nothing found"]), sep="\n")  # noqa: T201 - what the command is for
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
