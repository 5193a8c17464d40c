"""How survivors are known again, and that what the parts name is there."""

import tomllib

import pytest

from tests.conftest import ROOT
from tests.mutants.parts import PARTS, Part
from tests.mutants.survivors import Mutant, listed, of_difference, stale, unlisted

DIFFERENCE = """--- a/b.py
+++ a/b.py
@@ -1,4 +1,4 @@
 def c():
-    if one > two:
+    if one >= two:
         return one
"""
MUTANT = Mutant("a.b.c", "if one > two:", "if one >= two:")


@pytest.mark.parametrize(
    ("key", "function"),
    [
        ("a.b.x_c__mutmut_3", "a.b.c"),
        ("a.b.x__c_x_d__mutmut_12", "a.b._c_x_d"),
        ("a.b.xǁThingǁ__init____mutmut_1", "a.b.Thing.__init__"),
    ],
)
def test_a_mutant_is_known_by_its_function_and_lines(key: str, function: str) -> None:
    """Not by its number, nor by where the lines are or how far they are indented."""
    assert of_difference(key, DIFFERENCE) == MUTANT.replaced(function=function)


def test_lines_of_a_statement_belong_together() -> None:
    """What takes several lines is compared line by line; a line may only be taken away."""
    difference = "--- a\n+++ a\n@@\n-    call(\n-        one,\n-    )\n"

    assert of_difference("m.x_f__mutmut_1", difference) == Mutant("m.f", "call(\none,\n)", "")


def test_a_listed_survivor_is_no_failure() -> None:
    """Another change to the same line of the same function is one."""
    other = MUTANT.replaced(becomes="if one < two:")
    table = {
        "equivalent": [
            {"function": "a.b.c", "was": "if one > two:", "becomes": "if one >= two:", "why": "!"}
        ]
    }

    assert listed(table) == {MUTANT: "!"}
    assert unlisted([MUTANT, other], listed(table)) == [other]
    assert listed({}) == {}


def test_what_is_listed_has_to_survive() -> None:
    """Of the modules that were run: an entry that outlived its line hides what comes after it."""
    equivalent = {MUTANT: "why", MUTANT.replaced(function="a.bc.d"): "not run"}

    assert stale([MUTANT], equivalent, ["a.b"]) == []
    assert stale([], equivalent, ["a.b"]) == [MUTANT]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_what_a_part_names_is_there(part: Part) -> None:
    """A pattern that fits no file mutates nothing, and a test that has moved notices nothing."""
    assert all(any(ROOT.glob(pattern)) for pattern in part.files)
    assert all((ROOT / path).exists() for path in part.tests)
    for test in part.without:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_each_equivalent_mutant_has_its_reason() -> None:
    """In the list that is in force."""
    text = (ROOT / "tests" / "mutants" / "equivalent.toml").read_text(encoding="utf-8")

    assert listed(tomllib.loads(text))
    assert all(listed(tomllib.loads(text)).values())
