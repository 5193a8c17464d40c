"""Each target of the fuzzer takes its seeds, its corpus and some thousand mutations, every time.

The real fuzzer, guided by coverage, is `make fuzz`; what it finds becomes a file of the corpus.
"""

import random

import pytest

from tests.fuzz.inputs import CORPUS
from tests.fuzz.targets.edits import edited
from tests.fuzz.targets.registry import TARGETS
from tests.fuzz.targets.target import Target

ROUNDS = 400
ROUNDS_OF_A_TALK = 12

pytestmark = pytest.mark.timeout(120)


def inputs(name: str, target: Target) -> list[bytes]:
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return target.seeds() + [path.read_bytes() for path in kept]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_it_begins_with_and_mutations_of_it(name: str) -> None:
    """Any bytes in, only our errors out; the mutations are the same in every run."""
    target = TARGETS[name]
    rng = random.Random(name)  # noqa: S311 - to be the same in every run
    seeds = inputs(name, target)
    for seed in seeds:
        target.run(seed)
    for _ in range(ROUNDS_OF_A_TALK if target.talks else ROUNDS):
        seed = rng.choice(seeds)
        target.run(edited(seed, rng.randbytes(rng.choice((4, 8, 16, 40)))))


def test_every_directory_of_the_corpus_is_a_targets() -> None:
    """None is left of a target that has another name now."""
    assert {path.name for path in CORPUS.iterdir()} <= TARGETS.keys()


def test_the_corpus_is_small() -> None:
    """What a clone has to carry, and CI to replay."""
    sizes = [path.stat().st_size for path in CORPUS.glob("*/*")]

    assert len(sizes) < 200
    assert sum(sizes) < 200_000


def test_a_target_that_raises_is_seen() -> None:
    """What is suppressed are our errors alone."""

    def broken(data: bytes) -> None:
        raise IndexError(data)

    with pytest.raises(IndexError):
        Target(broken, list).run(b"")
