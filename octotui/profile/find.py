"""Finding a profile by path or by name."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from platformdirs import user_config_path

from octotui.profile.faults import Fault, ProfileFaults


def profile_folders() -> tuple[Path, Path]:
    """Where profiles are looked for by name: ``./profiles``, then the user's own folder."""
    return Path("profiles"), user_config_path("octotui", appauthor=False) / "profiles"


def find_profile(name_or_path: str) -> Path:
    """The file that a person means: a path, or a profile's name with or without ``.toml``.

    A name that is neither in ``./profiles`` nor in the user's folder is answered with those that
    are. A path is not checked beyond that; reading it tells what is wrong. Raises ProfileFaults.
    """
    path = Path(name_or_path)
    if _is_file(path) or "/" in name_or_path or path.name != name_or_path:
        return path
    for folder in profile_folders():
        for candidate in (folder / name_or_path, folder / f"{name_or_path}.toml"):
            if _is_file(candidate):
                return candidate
    if name_or_path.endswith(".toml") or _exists(path):
        return path
    names = sorted({file.stem for folder in profile_folders() for file in _profiles(folder)})
    close = get_close_matches(name_or_path, names, 1)
    searched = " or ".join(str(folder) for folder in profile_folders())
    raise ProfileFaults(
        [
            Fault(
                file=name_or_path,
                line=0,
                column=0,
                path="",
                message=f"there is no such file, and no profile of that name in {searched}"
                + (f"; there: {', '.join(names)}" if names else ""),
                suggestion=close[0] if close else "",
            )
        ]
    )


def profile_files() -> list[Path]:
    """Every profile that has a name: those of both folders, by name."""
    files = (file for folder in profile_folders() for file in _profiles(folder))
    return sorted(files, key=lambda file: file.stem)


def _profiles(folder: Path) -> list[Path]:
    try:
        return list(folder.glob("*.toml"))
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
