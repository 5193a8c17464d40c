"""Names resolved for real: time-drift.sh in a namespace with name servers that hang and lie.

Every test has a network and a mount namespace of its own, so no question can leave the machine.
The clocks in there are 4 s ahead of this machine's: -4 is the right answer.
"""

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.servers.dns_server import Ran, Scenario, run_in_namespace

pytestmark = pytest.mark.interop

FIRST, SECOND, THIRD = "127.0.0.9", "127.0.0.10", "127.0.0.11"
HOSTS = ("a.lab.test", "b.lab.test", "c.lab.test")
PORTS = (10_001, 10_002, 10_003)
CLOCKS = tuple(("127.0.0.1", port) for port in PORTS)
ZONE = {host: ["127.0.0.1"] for host in HOSTS}
LOCALHOST = "127.0.0.1 localhost\n"
GRACE_S = 0.3
"""What a run may take on top of its timeout."""

Namespace = Callable[..., Ran]


@pytest.fixture
def unshare(needs: Callable[[str], str]) -> list[str]:
    """The command that makes namespaces; skip where that is not permitted, fail in CI."""
    needs("ip")
    needs("nft")
    command, why_not = permitted(needs("unshare"))
    if why_not and os.environ.get("CI"):
        pytest.fail(f"namespaces are not permitted, and CI may not skip: {why_not}")
    if why_not:
        pytest.skip(f"namespaces are not permitted: this interop test did NOT run: {why_not}")
    return command


@cache
def permitted(unshare: str) -> tuple[list[str], str]:
    """Return the command that makes both namespaces, as root or as anybody, or why none does."""
    probe = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf'
    errors = []
    for flags in (["-m", "-n"], ["-r", "-m", "-n"]):
        command = [unshare, *flags]
        tried = subprocess.run(
            [*command, "sh", "-c", probe, __file__], capture_output=True, text=True, check=False
        )
        if tried.returncode == 0:
            return command, ""
        errors.append(tried.stderr.strip())
    return [], "; ".join(errors)


@pytest.fixture
def namespace(unshare: list[str], script: str, tmp_path: Path) -> Namespace:
    """Run time-drift.sh on a config text, with these name servers, in their order."""

    def run(
        config: str,
        *name_servers: str,
        at: Sequence[str] = (FIRST, SECOND, THIRD),
        zone: dict[str, list[str]] | None = None,
        clocks: Iterable[tuple[str, int]] = CLOCKS,
        resolv_conf: str | None = None,
        options: str = "",
        hosts: str = LOCALHOST,
        prepare: str = "",
        runs: int = 1,
    ) -> Ran:
        path = tmp_path / "config.toml"
        path.write_text(config, encoding="utf-8")
        behaviours = dict(zip(at, name_servers, strict=False))
        if resolv_conf is None:
            resolv_conf = "".join(f"nameserver {address}\n" for address in behaviours) + options
        scenario = Scenario(
            command=[script, "--config", str(path)],
            name_servers=behaviours,
            zone=ZONE if zone is None else zone,
            clocks=list(clocks),
            resolv_conf=resolv_conf,
            hosts=hosts,
            prepare=prepare,
            runs=runs,
        )
        return run_in_namespace(unshare, scenario)

    return run


def table(host: str, port: int, operator: str, extra: str = "") -> str:
    """Return the table of one server."""
    names = f'host = "{host}"\nport = {port}\noperator = "{operator}"'
    return f"[[sources.ntp]]\n{names}\n{extra}\n"


def three(timeout_s: float = 2.5, extra: str = "", hosts: Iterable[str] = HOSTS) -> str:
    """Return a configuration of three operators' servers; `extra` goes into each table."""
    tables = [
        table(host, port, operator, extra)
        for host, port, operator in zip(hosts, PORTS, "ABC", strict=True)
    ]
    return f"timeout = {timeout_s}\n" + "\n".join(tables)


BESIDE = 'addresses = ["127.0.0.1"]'
"""An address configured beside the name."""


def assert_right(ran: Ran) -> None:
    """The answer is the true one, and nothing else is written."""
    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")


def assert_refused(ran: Ran) -> None:
    """There is no answer, and one line of the permitted length says why and names the hosts."""
    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr.endswith("\n")
    assert ran.stderr.count("\n") == 1
    assert len(ran.stderr.encode()) < 512
    assert all(host in ran.stderr for host in HOSTS), ran.stderr


def test_names_of_the_hosts_file_are_found_and_no_server_is_asked(namespace: Namespace) -> None:
    """What /etc/hosts knows is used, although the name servers would say otherwise."""
    ran = namespace(
        three(), "NXDOMAIN", hosts=LOCALHOST + "".join(f"127.0.0.1 {host}\n" for host in HOSTS)
    )

    assert_right(ran)
    assert ran.asked[FIRST] == []


def test_servers_that_work_are_asked_by_the_system_alone(namespace: Namespace) -> None:
    """With nothing wrong the system's resolver serves, and dnspython asks nobody."""
    ran = namespace(three(), "answer", "answer")

    assert_right(ran)
    assert ran.asked[SECOND] == []
    assert len(ran.asked[FIRST]) == 2 * len(HOSTS)


def test_a_first_server_that_hangs_costs_less_than_glibcs_patience(namespace: Namespace) -> None:
    """With a first name server that never answers, the second serves long before 5 s are over."""
    ran = namespace(three(), "hang", "answer")

    assert_right(ran)
    assert ran.wall_s < 2
    assert ran.names(FIRST) == set(HOSTS)


def test_the_third_server_serves_when_two_are_out(namespace: Namespace) -> None:
    """All name servers are asked at once, so two dead ones cost no more than one."""
    ran = namespace(three(), "dead", "hang", "answer")

    assert_right(ran)
    assert ran.wall_s < 2


def test_a_closed_first_server_costs_nothing(namespace: Namespace) -> None:
    """A first name server whose port is closed is passed over at once."""
    ran = namespace(three(), "dead", "answer")

    assert_right(ran)
    assert ran.wall_s < 1


@pytest.mark.parametrize("timeout_s", [0.6, 1.2])
def test_hanging_servers_end_in_a_refusal_by_the_timeout(
    namespace: Namespace, timeout_s: float
) -> None:
    """When nobody resolves anything the run ends in time and one line names the hosts."""
    ran = namespace(three(timeout_s), "hang", "hang")

    assert_refused(ran)
    assert "ntp timeout: " in ran.stderr
    assert ran.wall_s < timeout_s + GRACE_S


def test_configured_addresses_serve_from_half_way_when_servers_hang(namespace: Namespace) -> None:
    """With `addresses` beside the names, half of the timeout goes by and then they serve."""
    ran = namespace(three(2.0, BESIDE), "hang", "hang")

    assert_right(ran)
    assert 0.9 < ran.wall_s < 1.7


def test_a_name_server_that_is_late_still_serves(namespace: Namespace) -> None:
    """An answer after 0.6 s is twice as late as the system's head start, and in time."""
    ran = namespace(three(), "late")

    assert_right(ran)
    assert 0.6 < ran.wall_s < 2


def test_a_name_server_that_is_late_is_preferred_to_configured_addresses(
    namespace: Namespace,
) -> None:
    """Before half-way the name counts, not the `addresses`: nobody listens on those here."""
    ran = namespace(three(2.5, 'addresses = ["127.0.0.77"]'), "late")

    assert_right(ran)


@pytest.mark.parametrize("first", ["truncate", "hang"])
def test_a_truncated_answer_is_asked_for_again_over_tcp(namespace: Namespace, first: str) -> None:
    """Where UDP is too small TCP is used, by the system's resolver and by dnspython."""
    ran = namespace(three(), first, "truncate")

    assert_right(ran)
    server = FIRST if first == "truncate" else SECOND
    assert "tcp" in {way for _, _, way in ran.asked[server]}


def test_a_tcp_connection_that_hangs_does_not_cost_the_answer(namespace: Namespace) -> None:
    """A server that promises an answer over TCP and never sends it is passed over like any."""
    ran = namespace(three(), "truncate and hang", "answer")

    assert_right(ran)
    assert ran.wall_s < 2


@pytest.mark.parametrize(
    "lies", [("wrong id", "wrong question"), ("wrong port", "wrong id"), ("junk", "wrong port")]
)
def test_wrong_answers_do_not_count(namespace: Namespace, lies: tuple[str, ...]) -> None:
    """Forged answers (id, question, port) lead nowhere, so they are not used; the next serves."""
    ran = namespace(three(), *lies, "answer")

    assert_right(ran)
    assert ran.wall_s < 2


@pytest.mark.parametrize("lie", ["wrong id", "wrong question", "wrong port"])
def test_a_wrong_answer_does_not_abort_the_question(namespace: Namespace, lie: str) -> None:
    """The true answer that follows a forged one on the same wire is still taken."""
    ran = namespace(three(), f"{lie}, then truth")

    assert_right(ran)


def test_wrong_answers_alone_are_no_answer(namespace: Namespace) -> None:
    """Where every name server forges, there is no answer, in time."""
    ran = namespace(three(0.9), "wrong id", "wrong question", "wrong port")

    assert_refused(ran)
    assert ran.wall_s < 0.9 + GRACE_S


def test_a_name_that_does_not_exist_is_refused_at_once(namespace: Namespace) -> None:
    """NXDOMAIN is an answer: exit 3 naming the hosts, long before the deadline."""
    ran = namespace(three(5), "NXDOMAIN", "answer")

    assert_refused(ran)
    assert "ntp unreachable: " in ran.stderr
    assert ran.wall_s < 1.5


def test_one_name_that_does_not_exist_is_reported_with_its_reason(namespace: Namespace) -> None:
    """A single failed source is named together with what its resolver said."""
    ran = namespace(
        'timeout = 5\n[[sources.ntp]]\nhost = "gone.lab.test"\noperator = "Gone"\n', "answer"
    )

    assert (ran.code, ran.stdout) == (3, "")
    assert "gone.lab.test (name cannot be resolved: " in ran.stderr
    assert ran.wall_s < 1.5


@pytest.mark.parametrize("failure", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_configured_addresses_serve_at_once_when_the_name_fails(
    namespace: Namespace, failure: str
) -> None:
    """A definite failure of every name server is not waited upon: the `addresses` serve."""
    ran = namespace(three(5, BESIDE), failure, failure)

    assert_right(ran)
    assert ran.wall_s < 1.5


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED"])
def test_servers_that_all_fail_are_a_refusal_at_once(namespace: Namespace, failure: str) -> None:
    """Without `addresses`, failing name servers end the run well before its deadline."""
    ran = namespace(three(5), failure, failure)

    assert_refused(ran)
    assert "ntp unreachable: " in ran.stderr
    assert ran.wall_s < 1.5


def test_closed_name_servers_are_a_refusal_or_configured_addresses(namespace: Namespace) -> None:
    """Where no name server runs, `addresses` serve by half-way, or the run ends in time."""
    ran = namespace(three(1.0), "dead", "dead")
    assert_refused(ran)
    assert ran.wall_s < 1.0 + GRACE_S

    ran = namespace(three(2.0, BESIDE), "dead", "dead")
    assert_right(ran)
    assert ran.wall_s < 1.7


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED"])
def test_the_second_server_serves_when_the_first_fails(namespace: Namespace, failure: str) -> None:
    """A name server that fails at once costs nothing when the next one works."""
    ran = namespace(three(), failure, "answer")

    assert_right(ran)
    assert ran.wall_s < 1


def test_a_name_that_does_not_exist_is_known_although_the_first_server_hangs(
    namespace: Namespace,
) -> None:
    """NXDOMAIN of the one server that answers serves `addresses` by half-way, or refuses."""
    assert_refused(namespace(three(1.0), "hang", "NXDOMAIN"))
    assert_right(namespace(three(1.5, BESIDE), "hang", "NXDOMAIN"))


def test_a_validating_server_with_a_wrong_clock_still_resolves(namespace: Namespace) -> None:
    """A name whose signature "has expired" is had by asking not to check it (RFC 4035)."""
    ran = namespace(three(), "validate")

    assert_right(ran)
    assert ran.wall_s < 1.5


def test_two_lost_questions_are_asked_again(namespace: Namespace) -> None:
    """The first datagrams of each name are lost; the ones after them are answered in time."""
    assert_right(namespace(three(), "lose two"))


@pytest.mark.parametrize("servers", [("answer",), ("hang", "answer")])
def test_a_short_name_is_looked_up_in_the_search_domains(
    namespace: Namespace, servers: tuple[str, ...]
) -> None:
    """A name without a dot is completed by the search list, by either resolver."""
    ran = namespace(
        three(hosts="abc"), *servers, options="search gone.test lab.test\noptions ndots:1\n"
    )

    assert_right(ran)
    assert "a.lab.test" in ran.names(FIRST if len(servers) == 1 else SECOND)


def test_a_trailing_dot_keeps_search_domains_out(namespace: Namespace) -> None:
    """A name written with its final dot is complete: no search domain is asked, whatever ndots."""
    ran = namespace(
        three(hosts=[f"{host}." for host in HOSTS]),
        "answer",
        options="search gone.test\noptions ndots:5\n",
    )

    assert_right(ran)
    assert ran.names(FIRST) == set(HOSTS)


@pytest.mark.parametrize(
    ("addresses", "clock", "servers"),
    [
        (["127.0.0.1"], "127.0.0.1", ["answer"]),
        (["::1"], "::1", ["answer"]),
        (["::1"], "::1", ["hang", "answer"]),
        (["2001:db8::1", "127.0.0.1"], "127.0.0.1", ["answer"]),
        (["2001:db8::1", "127.0.0.1"], "127.0.0.1", ["hang", "answer"]),
        (["192.0.2.1", "::1"], "::1", ["answer"]),
        (["192.0.2.1", "::1"], "::1", ["hang", "answer"]),
        (["::1", "127.0.0.1"], "127.0.0.1", ["answer"]),
        (["::1", "127.0.0.1"], "::1", ["hang", "answer"]),
    ],
)
def test_either_family_is_enough(
    namespace: Namespace, addresses: list[str], clock: str, servers: list[str]
) -> None:
    """A name with one family, or with two of which only one is reachable, yields its answer."""
    ran = namespace(
        three(),
        *servers,
        zone={host: list(addresses) for host in HOSTS},
        clocks=[(clock, port) for port in PORTS],
    )

    assert_right(ran)


@pytest.mark.parametrize("behaviour", ["answer", "validate"])
def test_without_a_nameserver_line_this_machine_is_asked(
    namespace: Namespace, behaviour: str
) -> None:
    """Where resolv.conf names nobody, the server on 127.0.0.1 is asked (resolv.conf(5))."""
    ran = namespace(three(), behaviour, at=["127.0.0.1"], resolv_conf="")

    assert_right(ran)


def test_without_any_name_server_the_run_ends_in_time(namespace: Namespace) -> None:
    """An empty resolv.conf and nobody on 127.0.0.1 are a refusal by the timeout."""
    ran = namespace(three(1.0), resolv_conf="")

    assert_refused(ran)
    assert ran.wall_s < 1.0 + GRACE_S


def test_a_name_server_that_cannot_be_reached_has_not_answered(namespace: Namespace) -> None:
    """What is said of it is what the system says, once, and not that it answered "[Errno 101]"."""
    prepare = "ip link set lo up\n"
    conf = "nameserver 203.0.113.53\nnameserver 203.0.113.54\n"
    ran = namespace(three(1.0), resolv_conf=conf, prepare=prepare, hosts="")

    assert (ran.code, ran.stdout) == (3, "")
    assert "Errno" not in ran.stderr
    assert "answered" not in ran.stderr.replace("sources answered", "")
    assert ran.stderr.count("Network is unreachable") == 1, ran.stderr


def test_without_any_name_server_hosts_and_addresses_serve(namespace: Namespace) -> None:
    """An empty resolv.conf leaves the hosts file, and the `addresses` from half-way."""
    known = LOCALHOST + f"127.0.0.1 {HOSTS[0]}\n"
    ran = namespace(three(2.0, BESIDE), resolv_conf="", hosts=known)

    assert_right(ran)
    assert ran.wall_s < 1.7


@pytest.mark.parametrize(
    "line",
    [
        "nameserver dns.lab.test",
        f"nameserver {THIRD}#local",
        "# caf\xe9",
        "nameserver\nnameserver fe80::1%lo\nsearch .\noptions edns0 trust-ad ndots:x timeout:",
        "search \xff\x80.test a..b lab.test",
    ],
)
def test_a_line_of_resolv_conf_that_glibc_overlooks_costs_nothing(
    namespace: Namespace, line: str
) -> None:
    """An odd line beside good ones is overlooked: the second server still serves in time."""
    ran = namespace(
        three(),
        "hang",
        "answer",
        resolv_conf=f"{line}\nnameserver {FIRST}\nnameserver {SECOND}\n",
    )

    assert_right(ran)


@pytest.mark.parametrize("length", [63, 64, 255, 256, 257, 5000])
def test_a_search_domain_that_glibc_aborts_over_ends_no_run(
    namespace: Namespace, length: int
) -> None:
    """One name among the sources would be enough for it; the name servers are asked by us."""
    resolv_conf = f"search {'a' * length} lab.test\nnameserver {FIRST}\n"

    assert_right(namespace(three(), "answer", resolv_conf=resolv_conf))
    assert_right(namespace(three(hosts="abc"), "answer", resolv_conf=resolv_conf))


def test_literal_addresses_need_no_resolv_conf(namespace: Namespace) -> None:
    """Whatever stands in it."""
    config = "\n".join(table("127.0.0.1", port, f"Operator {port}") for port in PORTS)

    assert_right(namespace(config, "answer", resolv_conf=f"search {'a' * 256}\n"))


@pytest.mark.parametrize("line", ["nameserver dns.lab.test", "# caf\xe9"])
def test_an_odd_resolv_conf_does_not_break_the_contract(namespace: Namespace, line: str) -> None:
    """With an odd line and failing servers there is one line, or `addresses` serve at once."""
    odd = f"{line}\nnameserver {FIRST}\n"

    assert_refused(namespace(three(1.2), "SERVFAIL", resolv_conf=odd))
    ran = namespace(three(4, BESIDE), "SERVFAIL", resolv_conf=odd)
    assert_right(ran)
    assert ran.wall_s < 1.5


@pytest.mark.parametrize("host", ["a" * 64 + ".lab.test", ".".join(["abcdefg"] * 32) + ".test"])
def test_a_name_too_long_for_dns_is_a_configuration_error(namespace: Namespace, host: str) -> None:
    """A label of 64 letters, or a name of over 253, is found before anybody is asked."""
    ran = namespace(three(hosts=[host, *HOSTS[1:]]), "answer")

    assert (ran.code, ran.stdout) == (2, "")
    assert "host = " in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.asked[FIRST] == []


def test_a_label_of_63_letters_is_a_name(namespace: Namespace) -> None:
    """The longest label that DNS allows is looked up like any other."""
    longest = "a" * 63 + ".lab.test"
    ran = namespace(
        three(hosts=[longest, *HOSTS[1:]]), "answer", zone=ZONE | {longest: ["127.0.0.1"]}
    )

    assert_right(ran)


def test_a_pool_with_fewer_addresses_than_slots_answers(namespace: Namespace) -> None:
    """Of a pool of 4 behind 2 addresses two slots are unreachable; the other two are its vote."""
    config = '[[sources.ntp]]\nhost = "pool.lab.test"\npool = 4\nport = 10001\noperator = "Pool"\n'
    zone = {"pool.lab.test": ["127.0.0.1", "127.0.0.2"]}
    clocks = [("127.0.0.1", 10_001), ("127.0.0.2", 10_001)]

    assert_right(namespace(config, "answer", zone=zone, clocks=clocks))


@pytest.mark.parametrize("servers", [("answer",), ("hang", "answer")])
def test_200_sources_of_one_name_share_one_look_up(
    namespace: Namespace, servers: tuple[str, ...]
) -> None:
    """However many sources share a name, it is asked for once, in both families."""
    clocks = [("127.0.0.1", port) for port in range(10_001, 10_201)]
    tables = [table("a.lab.test", port, "One operator") for _, port in clocks]
    ran = namespace("\n".join(tables), *servers, clocks=clocks)

    assert_right(ran)
    once = [("a.lab.test", "A", "udp"), ("a.lab.test", "AAAA", "udp")]
    assert sorted(ran.asked[FIRST]) == sorted(once * len(servers)), "the system, then dnspython"
    assert ran.asked.get(SECOND, once) in (once, once[::-1])


@pytest.mark.parametrize("servers", [("answer",), ("hang", "hang", "answer")])
def test_a_hundred_names_do_not_get_into_each_others_way(
    namespace: Namespace, servers: tuple[str, ...]
) -> None:
    """Of many names at once enough are resolved in time, whatever the first servers do."""
    config, zone = a_hundred_names()
    ran = namespace(config, *servers, zone=zone)

    assert_right(ran)


def test_a_hundred_names_that_hang_do_not_delay_the_end(namespace: Namespace) -> None:
    """However many questions are outstanding, the run ends by its timeout."""
    config, zone = a_hundred_names()
    ran = namespace(config, "hang", "hang", "hang", zone=zone)

    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr.count("\n") == 1
    assert "0 of 100 sources answered; ntp timeout: n0.lab.test" in ran.stderr
    assert ran.wall_s < 2.5 + GRACE_S


def a_hundred_names() -> tuple[str, dict[str, list[str]]]:
    """Return a configuration of a hundred operators with a name each, and their zone."""
    names = [f"n{number}.lab.test" for number in range(100)]
    tables = [table(name, PORTS[0], f"Operator {name}") for name in names]
    return "\n".join(tables), {name: ["127.0.0.1"] for name in names}
