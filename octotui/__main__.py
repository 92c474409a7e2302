"""``python -m octotui``."""

from octotui.cli.main import main

if __name__ == "__main__":
    main()
