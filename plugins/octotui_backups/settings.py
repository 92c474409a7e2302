"""What a profile says under ``[backup]`` with ``kind = "node"``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class NodeBackupSettings(BaseModel):
    """Where the backup goes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: str = Field(
        min_length=1,
        description=(
            "The folder for the backup, as SQL Server sees it: its account writes there, "
            "and a drive letter is one of its machine's"
        ),
    )

    @field_validator("path")
    @classmethod
    def _is_a_folder(cls, path: str) -> str:
        if not path.isprintable():
            raise ValueError(
                "must not hold control characters: in double quotes a backslash begins an "
                r"escape, so write it in single quotes, as in '\\backup\octopus'"
            )
        if not (path.startswith(("\\\\", "/")) or path[1:3] in (":\\", ":/")):
            raise ValueError(r"must be absolute, as in '\\backup\octopus' or 'D:\Backup'")
        return path
