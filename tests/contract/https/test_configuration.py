"""What a [[sources.https]] table may hold."""

from pathlib import Path

import pytest

from drift.config import parse
from lab.https import HttpsServer, with_header
from sources.base import ConfigError, Stale
from sources.clock import NS
from tests.support.fakes import a_run
from tests.support.sources.https import MS

ONE = '[[sources.https]]\nurl = "https://time.example/"\n'


def url(text: str) -> str:
    return ONE.replace("https://time.example/", text)


ALLOWED_URL = r'allowed is an https URL \("https://time.example/"\), no user, no fragment$'
ALLOWED_FILE = "allowed is the absolute path of a readable PEM file of CAs$"
ALLOWED_LAG = "allowed is seconds, 0 to 1$"
ALLOWED_HEADERS = "allowed is a list of headers.*: Age, Via, X-Cache, .*Cache-Status$"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[sources.https]]\n", "url is missing: an https URL"),
        (url(""), f"url = '': {ALLOWED_URL}"),
        (url(" "), f"url = ' ': {ALLOWED_URL}"),
        (url("https://"), f"url = 'https://': {ALLOWED_URL}"),
        (url("https:///"), f"url = 'https:///': {ALLOWED_URL}"),
        (url("time.example"), f"url = 'time.example': {ALLOWED_URL}"),
        (url("http://time.example/"), f"url = 'http://time.example/': {ALLOWED_URL}"),
        (url("ftp://time.example/"), f"url = 'ftp://time.example/': {ALLOWED_URL}"),
        (url("https:/time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://user@time.example/"), f"url = 'https://user@time.example/': {ALLOWED_URL}"),
        (url("https://user:word@time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://@time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/#top"), f"url = 'https://time.example/#top': {ALLOWED_URL}"),
        (url("https://time.example#"), f"url = 'https://time.example#': {ALLOWED_URL}"),
        (url("https://time.example/a b"), f"url = 'https://time.example/a b': {ALLOWED_URL}"),
        (url("https://time example/"), f"url = 'https://time example/': {ALLOWED_URL}"),
        (url("https://time.example/\u00e4"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/<>"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/\\\\"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/\\nx"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:0/"), f"url = 'https://time.example:0/': {ALLOWED_URL}"),
        (url("https://time.example:65536/"), f"url = 'https://time.example:65536/': {ALLOWED_URL}"),
        (url("https://time.example:-1/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:123456/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:000443/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:\u0664\u0664\u0663/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:https/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time..example/"), f"url = .*: {ALLOWED_URL}"),
        (url(f"https://{'a' * 64}.example/"), "url = .*: allowed"),
        (url("https://::1/"), f"url = 'https://::1/': {ALLOWED_URL}"),
        (url("https://[::1/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[]/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[::1]x/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[fe80::1%eth0]/"), f"url = .*: {ALLOWED_URL}"),
        (url(f"https://time.example/{'x' * 2000}"), "url = .*: allowed"),
        ("[[sources.https]]\nurl = 5\n", f"url = 5: {ALLOWED_URL}"),
        ('[[sources.https]]\nurl = ["https://a/"]\n', f"url = .*: {ALLOWED_URL}"),
        (ONE + 'host = "time.example"\n', "unknown key 'host'"),
        (ONE + "port = 443\n", "unknown key 'port'"),
        (ONE + 'ca-file = "/x"\n', r"unknown key 'ca-file' \(did you mean ca_file\?\)"),
        (ONE + 'ca_file = ""\n', f"ca_file = '': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "root.pem"\n', f"ca_file = 'root.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "./root.pem"\n', f"ca_file = './root.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "/no/such.pem"\n', f"ca_file = '/no/such.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "/"\n', f"ca_file = '/': {ALLOWED_FILE}"),
        (ONE + "ca_file = false\n", f"ca_file = False: {ALLOWED_FILE}"),
        (ONE + "date_lag = -1\n", f"date_lag = -1: {ALLOWED_LAG}"),
        (ONE + "date_lag = -0.001\n", f"date_lag = -0.001: {ALLOWED_LAG}"),
        (ONE + "date_lag = 2\n", f"date_lag = 2: {ALLOWED_LAG}"),
        (ONE + "date_lag = 1.001\n", f"date_lag = 1.001: {ALLOWED_LAG}"),
        (ONE + "date_lag = true\n", f"date_lag = True: {ALLOWED_LAG}"),
        (ONE + "date_lag = nan\n", f"date_lag = nan: {ALLOWED_LAG}"),
        (ONE + "date_lag = inf\n", f"date_lag = inf: {ALLOWED_LAG}"),
        (ONE + f"date_lag = 1{'0' * 400}\n", rf"date_lag = 10+\.\.\.: {ALLOWED_LAG}"),
        (ONE + 'date_lag = "0.5"\n', f"date_lag = '0.5': {ALLOWED_LAG}"),
        (ONE + 'ignore_headers = "Age"\n', f"ignore_headers = 'Age': {ALLOWED_HEADERS}"),
        (ONE + 'ignore_headers = ["Date"]\n', f"ignore_headers = .'Date'.: {ALLOWED_HEADERS}"),
        (ONE + 'ignore_headers = ["Age", ""]\n', f"ignore_headers = .*: {ALLOWED_HEADERS}"),
        (ONE + "ignore_headers = [1]\n", f"ignore_headers = .1.: {ALLOWED_HEADERS}"),
        (ONE + ONE, r"number 2: time\.example stands in \[\[sources\.https\]\] number 1 already"),
        (ONE + ONE + 'operator = "Other"\n', "stands in"),
        (ONE + url("https://TIME.example"), "stands in"),
        (ONE + url("https://time.example.:443/"), "stands in"),
        (url("https://[::1]/") + url("https://[0:0::0001]:443"), "stands in"),
        (url("https://a?x") + url("https://a/?x"), "stands in"),
    ],
)
def test_a_mistake_is_named(text: str, says: str) -> None:
    """Each mistake names the table, the key, what was found, and what is allowed."""
    with pytest.raises(ConfigError, match=says) as error:
        parse(text, "here.toml")

    assert str(error.value).startswith("here.toml: [[sources.https]] number ")
    assert str(error.value).isprintable()


def test_a_file_is_not_looked_for_where_the_program_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative ca_file is refused where it would be found, since an agent starts elsewhere."""
    (tmp_path / "root.pem").write_text("there")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=f"ca_file = 'root.pem': {ALLOWED_FILE}"):
        parse(ONE + 'ca_file = "root.pem"\n', "here.toml")


@pytest.mark.parametrize("literal", ["[192.0.2.1]", "[a.b]", "[face]", "[1]"])
def test_only_an_ipv6_address_stands_in_brackets(literal: str) -> None:
    """RFC 3986 section 3.2.2: brackets are for IPv6; anything else in them is a slip."""
    with pytest.raises(ConfigError, match=ALLOWED_URL):
        parse(url(f"https://{literal}/"), "here.toml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://time.example", "time.example"),
        ("https://time.example/", "time.example"),
        ("  https://time.example/  ", "time.example"),
        ("https://time.example.:8443/", "time.example:8443"),
        ("https://time.example:443/", "time.example"),
        ("https://time.example:1/", "time.example:1"),
        ("https://time.example:65535", "time.example:65535"),
        ("https://192.0.2.1/", "192.0.2.1"),
        ("https://[2001:DB8:0::1]/", "[2001:db8::1]"),
        ("https://[::ffff:192.0.2.1]:8443/", "192.0.2.1:8443"),
        ("https://[fe80::1%25br-lan]/", "[fe80::1]"),
        ("https://a_b-c.example/x/y;z=1?q=a/b?c&d=%20@:!$'()*+,~", "a_b-c.example"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
    ],
)
def test_urls_that_are_allowed(text: str, name: str) -> None:
    """Names, addresses, ports, paths and queries; the name of the source is host and port."""
    (source,) = parse(url(text), "here.toml").sources

    assert source.name == name


def test_other_paths_and_ports_are_other_sources() -> None:
    """Two URLs of one host may be listed; under one operator they share a vote."""
    texts = ["https://a/", "https://a/x", "https://a/?x", "https://a:8443/", "https://A/X"]

    sources = parse("".join(url(text) for text in texts), "here.toml").sources

    assert len(sources) == 5
    assert {source.operator.casefold() for source in sources} == {"a"}


def test_what_is_not_written_has_its_default() -> None:
    """date_lag is 0.6 s, no header is ignored, the operator is the host."""
    with HttpsServer("Alpha", with_header("Age", "1")) as server:
        bare = "\n".join(
            line
            for line in server.toml().splitlines()
            if not line.startswith(("date_lag", "operator"))
        )
        (stale,) = parse(bare, "the test").sources
        (ignoring,) = parse(f'{bare}\nignore_headers = ["AGE"]\n', "the test").sources
        with pytest.raises(Stale):
            stale.sample(a_run())
        sample = ignoring.sample(a_run())

    assert ignoring.operator == "127.0.0.1"
    assert sample.likely.low_ns - sample.certain.low_ns == 600 * MS


@pytest.mark.parametrize(("text", "lag_ns"), [("0", 0), ("1", NS), ("0.25", NS // 4), ("1e-9", 1)])
def test_the_bounds_of_the_lag_are_allowed(text: str, lag_ns: int) -> None:
    """From nothing to a second."""
    with HttpsServer("Alpha") as server:
        (source,) = parse(server.toml().replace("date_lag = 0", f"date_lag = {text}"), "t").sources
        sample = source.sample(a_run())

    assert sample.likely.low_ns - sample.certain.low_ns == lag_ns
