"""agent.ps1 and the lab's Python agent give the same answers, in every case."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.contract_cases import CASES
from tests.lab.contract_support import AGENT, Bench, Case, answers_of_both, differences, open_bench
from tests.lab.powershell_support import find_powershell

pytestmark = [pytest.mark.powershell, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with open_bench(find_powershell(), tmp_path_factory.mktemp("contract")) as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_both_agents_answer_alike(bench: Bench, case: Case) -> None:
    python, powershell = await answers_of_both(bench, case, AGENT)
    assert not differences(python, powershell)
