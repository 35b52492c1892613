"""Examples of the how-to pages for extensions: written into a checkout, their tests pass."""

import shutil
from pathlib import Path

import pytest

from shared.database.schema import newest_revision
from tests.docs.checkout import ROOT, copy_checkout, run_python

_EXAMPLES = ROOT / "docs" / "howto" / "examples"
_NAMES = sorted(path.name for path in _EXAMPLES.iterdir())


def _add(example: Path, checkout: Path) -> list[str]:
    """Write the files of an example into a checkout; the paths of its tests."""
    written = [path.relative_to(example) for path in sorted(example.rglob("*.py"))]
    for path in written:
        target = checkout / path
        assert not target.exists(), f"the checkout has {path}: the example takes another name"
        shutil.copy(example / path, target)
        if path.parent.name == "versions":
            text = target.read_text()
            before = text.partition('down_revision = "')[2].partition('"')[0]
            target.write_text(text.replace(f'"{before}"', f'"{newest_revision()}"'))
    return [str(path) for path in written if path.parts[0] == "tests"]


@pytest.mark.integration
def test_examples_work(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    tests = [test for name in _NAMES for test in _add(_EXAMPLES / name, checkout)]
    assert len(tests) == len(_NAMES) == 3
    models = "tests/shared/database/test_schema.py"
    done = run_python(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, models)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [*_NAMES, "monitor"])
def test_every_file_of_an_example_is_on_its_page(name: str) -> None:
    page = (
        ROOT / "docs" / "howto" / f"add-{'an' if name == 'endpoint' else 'a'}-{name}.rst"
    ).read_text()
    folder = (
        ROOT / "cosmo" / "cli" / "templates" / "monitor" if name == "monitor" else _EXAMPLES / name
    )
    for path in folder.rglob("*"):
        if path.suffix in (".py", ".txt") and path.name != "__init__.txt":
            assert str(path.relative_to(folder)) in page, path
