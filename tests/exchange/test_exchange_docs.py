"""docs/exchange.md keeps its word."""

import re
import textwrap
from pathlib import Path
from typing import Any

from tradingd.testing.exchange.rest import ENDPOINTS

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"


async def test_the_example_of_the_page_runs() -> None:
    """The first block of code is a whole program: an account, a book, an order by ccxt, the ledger after it."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    imports, body = block.group(1).split("\nasync with", 1)
    names: dict[str, Any] = {}
    exec(f"{imports}\nasync def main():\n" + textwrap.indent("async with" + body, "    "), names)  # noqa: S102
    await names["main"]()


def test_every_endpoint_is_on_the_page() -> None:
    """What is served is told."""
    page = PAGE.read_text()
    tails = {path.split("/v3/")[-1].split("/v1/")[-1] for _, path in ENDPOINTS}
    assert [tail for tail in sorted(tails) if f"`{tail}`" not in page] == []
