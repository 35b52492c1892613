"""``python -m cosmo`` is the command ``cosmo``."""

from cosmo.cli import main

if __name__ == "__main__":
    main()
