"""A sample of the campaign: random scripts of faults, each decided by its seed."""

import pytest

from tradingd.testing.campaign import play_seed
from tradingd.testing.rehearsal.campaign import draw


def test_a_seed_decides_everything() -> None:
    """The same draw twice, another one for another seed."""
    assert draw(7).describe() == draw(7).describe()
    assert [rule.describe() for rule in draw(7).script.rules] == [rule.describe() for rule in draw(7).script.rules]
    assert draw(7).describe() != draw(8).describe()


def test_some_draws_have_two_accounts_with_one_symbol() -> None:
    """Which strategies then name by the account."""
    assert any(len(draw(seed).accounts) > 1 for seed in range(20))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(30))
def test_no_seed_has_a_violation(seed: int) -> None:
    """No order twice, no fill lost or doubled, the books equal to the ledger or a halt that says why."""
    _, report, _ = play_seed(seed)
    assert report.violations == (), draw(seed).describe()
