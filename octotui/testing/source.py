"""The conformance suite for sources: derive from it, say what a source offers, and run pytest.

    class TestMySource(SourceSuite):
        publishes_hashes = False

        @pytest.fixture
        async def source(self): ...

Fixtures may be async, and close what they open. Where your source waits between attempts, turn that
off in the tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from octotui.api import Package, Source
from octotui.api.errors import SourceError
from octotui.testing.suite import Suite

#: Seconds that anything may take that should be done at once.
PROMPT = 30.0


class SourceSuite(Suite):
    """What every source must do. Flags say what yours cannot; they default to "it can"."""

    #: It tells a package's SHA-256 apart from the file: needs ``tampered``.
    publishes_hashes: ClassVar[bool] = True
    #: It can be out of reach: needs ``unreachable``.
    can_be_unreachable: ClassVar[bool] = True
    #: A transfer can end early: needs ``truncated``.
    transfers_can_break_off: ClassVar[bool] = True

    pytestmark: ClassVar[Any] = pytest.mark.asyncio

    @pytest.fixture
    def source(self) -> Source:
        """An open source that is well and offers ``version``."""
        raise NotImplementedError("the fixture `source` is missing")

    @pytest.fixture
    def version(self) -> str:
        """A version on offer."""
        raise NotImplementedError("the fixture `version` is missing")

    @pytest.fixture
    def content(self) -> bytes:
        """The bytes of that version's package."""
        raise NotImplementedError("the fixture `content` is missing")

    @pytest.fixture
    def unknown_version(self) -> str:
        """A version that is not on offer."""
        return "2001.1.1"

    @pytest.fixture
    def tampered(self) -> Source | None:
        """A source whose package of ``version`` is not the one whose hash it publishes."""
        self.needed("publishes_hashes")
        return None

    @pytest.fixture
    def truncated(self) -> Source | None:
        """A source whose transfers always end early."""
        self.needed("transfers_can_break_off")
        return None

    @pytest.fixture
    def unreachable(self) -> Source | None:
        """A source where nobody answers."""
        self.needed("can_be_unreachable")
        return None

    async def test_it_lists_what_it_offers(self, source: Source, version: str) -> None:
        releases = await source.releases()
        versions = [release.version for release in releases]
        assert version in versions
        assert len(set(versions)) == len(versions)
        for release in releases:
            assert re.fullmatch(r"\d+\.\d+\.\d+", release.version)
            assert re.fullmatch(r"(\d{4}-\d\d-\d\d)?", release.released)

    async def test_it_locates_a_package(self, source: Source, version: str, content: bytes) -> None:
        package = await source.locate(version)
        assert package.version == version
        assert re.fullmatch(r"[\w.-]+\.msi", package.file_name), "a plain file name"
        assert package.size in (None, len(content))
        if self.publishes_hashes:
            assert package.sha256 == hashlib.sha256(content).hexdigest()
        else:
            assert package.sha256 == ""

    async def test_what_it_does_not_offer_is_named(
        self, source: Source, unknown_version: str
    ) -> None:
        with pytest.raises(SourceError, match=re.escape(unknown_version)):
            await source.locate(unknown_version)

    async def test_a_download_arrives_whole(
        self, source: Source, version: str, content: bytes, tmp_path: Path
    ) -> None:
        located, to = await source.locate(version), tmp_path / "package.msi"
        told: list[tuple[int, int | None]] = []
        package = await source.download(located, to, lambda *progress: told.append(progress))
        assert to.read_bytes() == content
        assert package == replace(
            located, size=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == len(content)
        assert {total for _, total in told} <= {None, len(content)}
        self._nothing_else(tmp_path, to)

    async def test_a_download_replaces_what_is_there(
        self, source: Source, version: str, content: bytes, tmp_path: Path
    ) -> None:
        to = tmp_path / "package.msi"
        to.write_bytes(b"old")
        await source.download(await source.locate(version), to, ignore)
        assert to.read_bytes() == content

    async def test_two_downloads_at_once_do_not_mix(
        self, source: Source, version: str, content: bytes, tmp_path: Path
    ) -> None:
        package, to = await source.locate(version), tmp_path / "package.msi"
        await asyncio.gather(*(source.download(package, to, ignore) for _ in range(2)))
        assert to.read_bytes() == content
        self._nothing_else(tmp_path, to)

    async def test_what_cannot_be_written_is_told(
        self, source: Source, version: str, tmp_path: Path
    ) -> None:
        no_folder = tmp_path / "nowhere"
        no_folder.write_bytes(b"a file")
        to = no_folder / "package.msi"
        with pytest.raises(SourceError, match="nowhere"):
            await source.download(await source.locate(version), to, ignore)

    async def test_cancelling_is_prompt_and_leaves_nothing(
        self, source: Source, version: str, tmp_path: Path
    ) -> None:
        package, to = await source.locate(version), tmp_path / "package.msi"
        begun = asyncio.Event()
        download = asyncio.create_task(
            source.download(package, to, lambda done, total: begun.set())
        )
        async with asyncio.timeout(PROMPT):
            await begun.wait()
            download.cancel()
            with pytest.raises(asyncio.CancelledError):
                await download
        self._nothing_else(tmp_path)

    async def test_a_tampered_package_is_refused(
        self, tampered: Source, version: str, tmp_path: Path
    ) -> None:
        self.only_if("publishes_hashes")
        await self._refused(tampered, version, tmp_path)

    async def test_a_truncated_package_is_refused(
        self, truncated: Source, version: str, tmp_path: Path
    ) -> None:
        self.only_if("transfers_can_break_off")
        await self._refused(truncated, version, tmp_path)

    async def test_an_unreachable_source_is_told(
        self, unreachable: Source, version: str, tmp_path: Path
    ) -> None:
        self.only_if("can_be_unreachable")
        package = Package(version, "package.msi", "https://example.invalid/package.msi")
        async with asyncio.timeout(PROMPT):
            for call in (
                unreachable.releases(),
                unreachable.locate(version),
                unreachable.download(package, tmp_path / "package.msi", ignore),
            ):
                with pytest.raises(SourceError):
                    await call
        self._nothing_else(tmp_path)

    async def test_closing_twice_is_no_fault(self, source: Source) -> None:
        await source.releases()
        await source.close()
        await source.close()

    async def test_closing_what_was_never_used_is_no_fault(self, source: Source) -> None:
        await source.close()

    async def _refused(self, source: Source, version: str, folder: Path) -> None:
        """The download fails, and what was there before is still there, and nothing else."""
        package, to = await source.locate(version), folder / "package.msi"
        to.write_bytes(b"what was there before")
        with pytest.raises(SourceError) as caught:
            await source.download(package, to, ignore)
        assert package.file_name in str(caught.value)
        assert to.read_bytes() == b"what was there before"
        self._nothing_else(folder, to)

    @staticmethod
    def _nothing_else(folder: Path, *files: Path) -> None:
        assert sorted(folder.iterdir()) == sorted(files)


def ignore(done: int, total: int | None) -> None:
    """A Progress for whom it is all the same."""
