"""What a run asks, usually and at worst: as the adapters are written, and as the rule decides."""

import pytest

from drift.config import parse
from drift.load.count import Load, loads

NTP = '[[sources.ntp]]\nhost = "192.0.2.{0}"\noperator = "N{0}"\n'
NTS = '[[sources.nts]]\nhost = "192.0.2.{0}"\noperator = "K{0}"\n'
HTTPS = '[[sources.https]]\nurl = "https://192.0.2.{0}/"\noperator = "H{0}"\n'
ROUGHTIME = (
    '[[sources.roughtime]]\nhost = "192.0.2.{0}"\noperator = "R{0}"\ntransport = "{1}"\n'
    'public_key = "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE="\n'
)


def asked(toml: str, every_s: float = 60) -> dict[tuple[str, str], Load]:
    return {(each.host, each.what): each for each in loads(parse(toml, "here"), every_s)}


def test_those_asked_at_once_are_asked_once_a_run() -> None:
    """And once more after a second of silence."""
    found = asked("".join(NTP.format(number) for number in range(3)))

    assert {(each.usual, each.worst) for each in found.values()} == {(1, 2)}


def test_no_second_datagram_fits_into_a_short_run() -> None:
    """A run that ends before the second is over sends one."""
    (found,) = asked("timeout = 0.9\n" + NTP.format(1)).values()

    assert found.worst == 1


def test_a_pool_is_asked_as_often_as_it_says() -> None:
    """Its shares count for one operator and one name."""
    toml = '[[sources.ntp]]\nhost = "pool.example"\npool = 4\n'
    (found,) = asked(toml).values()

    assert (found.usual, found.worst) == (4, 8)


@pytest.mark.parametrize(("every_s", "keys"), [(60, 60 / 86_400), (3600, 1 / 24), (86_400, 1)])
def test_keys_of_nts_last_a_day(every_s: int, keys: float) -> None:
    """With state one exchange a day, in a run that cannot decide without, so asks HTTPS as well."""
    quorum = "[consensus]\nmin_kinds = 1\n"
    found = asked(quorum + "".join(map(NTS.format, (1, 2, 3))) + HTTPS.format(4), every_s)

    assert found["192.0.2.1", "nts"].usual == 1
    assert found["192.0.2.1", "nts keys"].usual == pytest.approx(keys)
    assert found["192.0.2.1", "nts keys"].worst == 1
    assert found["192.0.2.4", "https"].usual == pytest.approx(keys)


def test_without_state_each_run_exchanges_keys() -> None:
    """As nothing is kept; and it is not among those asked at once."""
    found = asked('state = ""\n' + NTS.format(1))

    assert found["192.0.2.1", "nts keys"].usual == 1


@pytest.mark.parametrize("state", ['state = ""\n', ""])
def test_where_others_decide_nts_gets_no_keys(state: str) -> None:
    """Three NTP servers settle the integer before its turn, so there never are any to keep."""
    quorum = "[consensus]\nmin_kinds = 1\n"
    found = asked(state + quorum + "".join(map(NTP.format, (1, 2, 3))) + NTS.format(4))

    assert (found["192.0.2.4", "nts"].usual, found["192.0.2.4", "nts keys"].usual) == (0, 0)


@pytest.mark.parametrize(
    ("kinds", "usual"),
    [(1, 0), (2, 1)],
)
def test_https_is_asked_where_the_others_cannot_decide(kinds: int, usual: int) -> None:
    """Whether they can is the rule's to say: here the quorum of kinds."""
    quorum = f"[consensus]\nmin_kinds = {kinds}\n"
    found = asked(quorum + "".join(map(NTP.format, (1, 2, 3))) + HTTPS.format(4))

    assert found["192.0.2.4", "https"].usual == usual
    assert found["192.0.2.4", "https"].worst == 6


@pytest.mark.parametrize(("transport", "worst"), [("udp", 2), ("auto", 3), ("tcp", 1)])
def test_roughtime_after_silence(transport: str, worst: int) -> None:
    """Two datagrams fit into 2.5 s, and into the two thirds of it that come before TCP."""
    (found,) = asked(ROUGHTIME.format(1, transport)).values()

    assert (found.usual, found.worst) == (1, worst)
