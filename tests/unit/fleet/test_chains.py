"""The limits of chains, beside those of the recipes for monitoring."""

from fleet.chains import CHAINS, UNKNOWN, chain_of
from sources.clock import NS
from tools.recipes.chains import CHAINS as RECIPES


def test_every_chain_has_thresholds() -> None:
    """The rules for integers and a summary of intervals know the same chains."""
    assert [recipe.name for recipe in RECIPES] == list(CHAINS)


def test_a_recipe_is_never_quieter_than_the_limit() -> None:
    """Whoever is beyond the limit is at least a warning in the rules for integers."""
    for recipe in RECIPES:
        assert (recipe.warning_s - 0.5) * NS <= CHAINS[recipe.name].limit_ns


def test_limits_are_a_minute_at_most_and_have_a_source() -> None:
    """Every figure can be looked up."""
    for chain in CHAINS.values():
        assert NS // 2 <= chain.limit_ns <= 60 * NS
        assert "/" in chain.source
        assert chain.why


def test_an_unknown_chain_is_held_to_the_strictest() -> None:
    """And keeps the name it has."""
    assert chain_of("bitcion") == UNKNOWN.replaced(name="bitcion")
    assert UNKNOWN.limit_ns == min(chain.limit_ns for chain in CHAINS.values())
    assert chain_of("xrpl").limit_ns == 20 * NS
