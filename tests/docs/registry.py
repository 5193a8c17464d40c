"""What becomes of each block of the pages: how a test runs it, or why it cannot be run here.

A block is named by its page and its first line, so that it may move, and what follows change. A
name that ends with … is the beginning of that line.
"""

from sources.record import Record
from tests.docs.markdown import Block, every_block

ROOT_PAGE = "README.md"


class Runs(Record):
    """It is run in a root of its own as it stands there, but for the lines that are left out."""

    status: int = 0
    stdout: str = ""
    """How what it prints begins; all of it, if that ends with a newline."""
    leaving: tuple[tuple[str, str], ...] = ()
    """Lines that cannot be run here, by their beginning, and why."""
    programs: tuple[str, ...] = ()
    """What has to be installed for it."""
    stopped: bool = False
    """It stays until it is stopped."""


class Taken(Record):
    """A test of its own takes it from the page, by this name."""

    name: str


class Elsewhere(Record):
    """A test that has its own way to the page runs it, or what it says."""

    file: str
    what: str
    """What that file says when it looks for the block."""


class Make(Record):
    """Its targets are Makefile's: make itself says what it would do."""


class NotHere(Record):
    """It cannot be run here."""

    because: str


How = Runs | Taken | Elsewhere | Make | NotHere


class Entry(Record):
    """A block, and what becomes of it."""

    page: str
    begins: str
    how: How


REST = "…"
ANSWER = Runs(stdout="-4\n")
OBJECT = Runs(stdout='{"schema": ')
WORDS = NotHere("it is no command")
INDEX = NotHere("it takes a package index")
TERMINAL = NotHere("it takes a terminal; the file that it would write is tried")
REGISTRY = NotHere("it takes a registry of images")
SIGNED = NotHere("it takes somebody's key")
CLUSTER = NotHere("it takes a cluster; tests/monitoring/test_kubernetes.py runs what a pod runs")
AWS = NotHere("it takes an account of AWS and costs money")
TYPED = Elsewhere("tests/site/test_commands.py", "def documented()")
MANUAL = Elsewhere("tests/docs/pages/test_manual.py", "man")
MAKE_TEST = ("make test", "it is what runs this test")
INSTALL = "install -m 0644 /opt/time-drift/monitoring"
NEGATE = "/usr/lib/nagios/plugins/negate"
EXPORTER = "prometheus-node-exporter"
LINK = "ln -sf /var/cache/time-drift/time-drift.prom"
NO_TELEGRAF = "no package here; tests/monitoring/test_telegraf.py has its rules"
NO_DATADOG = "no package here; tests/monitoring/test_datadog.py runs the check in the agent's base"
NO_GRAFANA = "no package here; tests/monitoring/test_grafana.py has what it reads"

_CONSENSUS_PAGE = "docs/consensus.md"
_CONTAINERS_PAGE = "docs/containers.md"
_CONTRIBUTING = "CONTRIBUTING.md"
_EVIDENCE = "docs/evidence.md"
_EXTENDING = "docs/extending.md"
_FORMATS = "docs/formats.md"
_MEASUREMENTS = "docs/measurements.md"
_INSTALL_PAGE = "docs/install.md"
_RELEASING = "docs/releasing.md"
_ROLLOUT = "docs/rollout.md"
_SECURITY = "SECURITY.md"
_CONFIGURATION = "docs/configuration.md"
_DECISIONS = "docs/decisions"
_TROUBLES = "docs/troubleshooting.md"
_SITE = "cloudformation/README.md"
_CRON = "monitoring/cron/README.md"
_DATADOG = "monitoring/datadog/README.md"
_FLEET = "docs/fleet.md"
_GRAFANA = "monitoring/grafana/README.md"
_INDEX = "monitoring/README.md"
_INFLUX = "monitoring/influxdb/README.md"
_KUBERNETES = "monitoring/kubernetes/README.md"
_NAGIOS = "monitoring/nagios/README.md"
_NETWORK = "monitoring/network/README.md"
_PROMETHEUS = "monitoring/prometheus/README.md"
_SYSTEMD = "monitoring/systemd/README.md"
_TELEGRAF = "monitoring/telegraf/README.md"
_ZABBIX = "monitoring/zabbix/README.md"

_PROGRAM = (
    Entry(ROOT_PAGE, "$ ./time-drift.sh", Runs()),
    Entry(ROOT_PAGE, "./time-drift.sh --demo …", Runs(stdout="-4\n", leaving=(MAKE_TEST,))),
    Entry(ROOT_PAGE, "./time-drift.sh --explain", ANSWER),
    Entry(ROOT_PAGE, "./time-drift.sh --json", OBJECT),
    Entry(ROOT_PAGE, "./time-drift.sh --format prometheus --output FILE", Runs()),
    Entry(
        ROOT_PAGE,
        "./time-drift.sh --format nagios -w 0 -c 1",
        Runs(2, "TIME DRIFT CRITICAL - this clock is 4 s behind"),
    ),
    Entry(ROOT_PAGE, "./time-drift.sh --config my.toml --check-config", Runs()),
    Entry(ROOT_PAGE, "./time-drift.sh watch --every 60s", Runs(143, "-4\n", stopped=True)),
    Entry(ROOT_PAGE, "./time-drift.sh probe --demo", Runs(3, "     0  ")),
    Entry(ROOT_PAGE, "./time-drift.sh probe TARGET...", WORDS),
    Entry(ROOT_PAGE, "./time-drift.sh serve", WORDS),
    Entry(ROOT_PAGE, "        |----- a -----| …", WORDS),
    Entry("design.md", "config.toml -> Config …", WORDS),
    Entry(_CONSENSUS_PAGE, "|----a----| …", WORDS),
    Entry(_EVIDENCE, "./time-drift.sh verify-evidence FILE", Taken("evidence")),
    Entry(_EVIDENCE, "./time-drift.sh import-servers LIST.json >>my.toml", Runs()),
    Entry(_FORMATS, "time-drift watch --every 60s", WORDS),
    Entry(_INSTALL_PAGE, "./time-drift.sh", WORDS),
    Entry(_INSTALL_PAGE, "time-drift.sh --explain", ANSWER),
    Entry(_INSTALL_PAGE, "git checkout", WORDS),
    Entry(_CONTAINERS_PAGE, "python3 -c ''", Runs()),
    Entry(_SECURITY, "git log", WORDS),
    Entry(_CONFIGURATION, "./time-drift.sh --config my.toml --check-config", Runs()),
    Entry(
        _CONFIGURATION,
        "[[sources.ntp]]",
        Elsewhere("tests/docs/pages/test_configuration.py", "def test_the_example_is_a_whole"),
    ),
    Entry(_INDEX, "time-drift.sh --json", OBJECT),
    Entry(_INDEX, "time-drift.sh --explain", ANSWER),
    Entry(_CRON, "env -i HOME=/tmp …", ANSWER),
    Entry(
        _INFLUX, "time-drift.sh --format influx", Runs(stdout="time_drift success=1i,drift_s=-4i")
    ),
    Entry(_NAGIOS, "time-drift.sh --format nagios", Runs(stdout="TIME DRIFT OK - ")),
    Entry(_NAGIOS, "/opt/time-drift/time-drift.sh --version", Runs(stdout="time-drift ")),
    Entry(_PROMETHEUS, "time-drift.sh --format prometheus --output ...", WORDS),
    Entry(_TELEGRAF, "time-drift.sh watch", WORDS),
)
_SET_UP = (
    Entry(_INDEX, "umask 022", Taken("clone")),
    Entry(ROOT_PAGE, "apt-get install ./time-drift_*_amd64.deb …", Taken("README's install")),
    Entry(_INSTALL_PAGE, "apt-get install git python3 python3-venv", Taken("install's clone")),
    Entry(_INSTALL_PAGE, "git -C /opt/time-drift pull", Taken("update")),
    Entry(_INSTALL_PAGE, "apt-get install ./time-drift_*_amd64.deb", Taken("package")),
    Entry(_INSTALL_PAGE, "systemctl enable --now time-drift.timer", Taken("package's timer")),
    Entry(_INSTALL_PAGE, "apt-get remove time-drift …", Taken("removal")),
    Entry(_INSTALL_PAGE, "sha256sum -c --ignore-missing SHA256SUMS", Taken("bundle")),
    Entry(_INSTALL_PAGE, "ln -s time-drift-…", Taken("bundle's way back")),
    Entry(_INSTALL_PAGE, "python3 -m compileall …", Taken("compile")),
    Entry(_INSTALL_PAGE, "make deb SUITE=trixie", Make()),
    Entry(_TROUBLES, "apt-get install python3-venv", Runs(programs=("apt-get",))),
    Entry(_TROUBLES, "./time-drift.sh", ANSWER),
    Entry(_TROUBLES, "promtool check config", WORDS),
    Entry(_TROUBLES, "w32tm /config …", NotHere("it takes Windows")),
    *(
        Entry(f"{_DECISIONS}/setup.md", f"make {target}", Make())
        for target in ("audit", "coverage", "mutants")
    ),
    Entry(f"{_DECISIONS}/setup.md", "make chaos", Make()),
    Entry(f"{_DECISIONS}/setup.md", "make endurance", Make()),
    Entry(f"{_DECISIONS}/setup.md", "make fuzz", Make()),
    Entry(f"{_DECISIONS}/setup.md", "pip install -r", WORDS),
    Entry(f"{_DECISIONS}/setup.md", "pip install --require-hashes -r requirements.txt", WORDS),
    Entry(_RELEASING, "git tag -s vVERSION", SIGNED),
    Entry(_RELEASING, "gpg --armor --detach-sign build/release/SHA256SUMS", SIGNED),
    Entry(_RELEASING, "docker load", WORDS),
    Entry(f"{_DECISIONS}/packages.md", "make release", Make()),
    *(
        Entry(_INSTALL_PAGE, f"man -l docs/man/{page}", MANUAL)
        for page in ("time-drift.1", "time-drift.toml.5")
    ),
    Entry(_INSTALL_PAGE, "pip install .", INDEX),
    Entry(_INSTALL_PAGE, "pipx install ./time_drift-*.whl", Taken("pipx")),
    Entry(_INSTALL_PAGE, "pipenv install --dev", INDEX),
    Entry(_INSTALL_PAGE, "pipenv run pytest tests/unit", INDEX),
    Entry(ROOT_PAGE, "make help", Runs(stdout="help\t")),
    *(
        Entry(page, f"make {target}", Make())
        for page, targets in {
            _CONSENSUS_PAGE: ("simulation",),
            "docs/simulation.md": ("simulation",),
            _FORMATS: ("bench",),
            _MEASUREMENTS: ("bench", "bench-nodes"),
            _CONTAINERS_PAGE: (
                *("lock", "audit", "sbom", "bench-image"),
                "image BASE=python:3.13-slim@sha256:...",
            ),
            _CONTRIBUTING: ("chaos", "check", "interop", "lint type", "pages"),
            _RELEASING: ("lock", "audit", "pages", "release", "site", "deb SUITE=trixie"),
            _EXTENDING: (
                *("lock", "pages", "test PYTEST=tests/contract/nodes"),
                "test PYTEST=tests/contract/test_source_contract.py",
            ),
            _SECURITY: ("audit",),
            _KUBERNETES: ("image",),
            _ROLLOUT: ("deb", "bundle"),
            "THIRD-PARTY.md": ("sbom",),
        }.items()
        for target in targets
    ),
)
_ROLES = (
    Entry(_ROLLOUT, "- name: Roll time-drift out", Taken("playbook")),
    Entry(_ROLLOUT, "export ANSIBLE_ROLES_PATH=…", Taken("roll-out")),
    Entry(_ROLLOUT, "ansible-playbook …", Taken("roll-back")),
)
_EXAMPLES = (
    Entry(
        _EXTENDING,
        "./time-drift.sh --help",
        Runs(stdout="usage: ", leaving=(MAKE_TEST, ("make check", "it runs this test, too"))),
    ),
    *(
        Entry(_EXTENDING, first, Elsewhere("tests/docs/test_extending.py", what))
        for first, what in (
            ('"""StatsD: gauges …', "drift/formats/statsd.py"),
            ('"""The Date of HTTP servers …', "sources/http/__init__.py"),
            ('"""Plain HTTP `Date`: …', "sources/http/source.py"),
            ('"""An HTTP server …', "lab/http.py"),
            ("[[sources.http]]", "[[sources.http]]"),
        )
    ),
)
_CONTAINERS = (
    Entry(_CONTAINERS_PAGE, "make image    …", Taken("containers")),
    Entry(_CONTAINERS_PAGE, "docker run …", Taken("container with volumes")),
    Entry(_CONTAINERS_PAGE, "*/5 * * * * docker run …", Taken("container from cron")),
    Entry(_CONTAINERS_PAGE, "# compose.yaml, …", Taken("compose")),
    Entry(_CONTAINERS_PAGE, "docker buildx imagetools …", REGISTRY),
    Entry(_KUBERNETES, "kubectl apply -f namespace.yaml …", Taken("kubectl")),
    Entry(_KUBERNETES, "$ kubectl -n time-drift port-forward …", CLUSTER),
    Entry(_KUBERNETES, "kubectl -n time-drift rollout restart …", CLUSTER),
    Entry(_KUBERNETES, "relabel_configs:", Taken("kubernetes relabelling")),
)
_TEXTFILES = (
    Entry(_SYSTEMD, "/opt/time-drift/time-drift.sh --version", Taken("systemd")),
    Entry(_SYSTEMD, f"{LINK} /var/lib/prometheus/node-exporter/", Taken("Debian's node_exporter")),
    Entry(
        _SYSTEMD,
        f"{LINK} /var/lib/node_exporter/textfile_collector/",
        Taken("upstream's node_exporter"),
    ),
    Entry(_SYSTEMD, "$ curl -s …", Taken("metrics")),
    Entry(_SYSTEMD, "[Service]", Taken("drop-in")),
    Entry(_SYSTEMD, "systemctl edit time-drift.service", TERMINAL),
    Entry(_SYSTEMD, "systemctl --failed", Taken("failed")),
    Entry(_SYSTEMD, "journalctl -u time-drift", Runs(programs=("journalctl",))),
    Entry(_SYSTEMD, "systemctl reload time-drift-watch", Taken("reload")),
    Entry(_SYSTEMD, "systemd-analyze security time-drift.service", Taken("security")),
    Entry(_CRON, "/opt/time-drift/time-drift.sh --version", Taken("cron")),
    Entry(_CRON, f"{LINK} /var/lib/prometheus/node-exporter/", Taken("cron's link")),
    Entry(_CRON, "apt-get install postfix", INDEX),
    Entry(_CRON, '[ "$drift" -eq 0 ]', Taken("mail unless right")),
    Entry(_CRON, '[ "${drift#-}" -lt 2 ]', Taken("mail from 2 s on")),
    Entry(_PROMETHEUS, "apt-get install prometheus-node-exporter", Runs(programs=(EXPORTER,))),
    Entry(_PROMETHEUS, "$ curl -s …", Taken("metrics of Prometheus' page")),
)
_SERVERS = (
    Entry(_PROMETHEUS, "install -m 0644 …", Taken("rules")),
    Entry(_PROMETHEUS, "rule_files:", Taken("prometheus.yml")),
    Entry(_PROMETHEUS, "promtool check config …", Taken("promtool")),
    Entry(_PROMETHEUS, "inhibit_rules:", Taken("inhibition")),
    Entry(_PROMETHEUS, "cd /opt/time-drift", Taken("other thresholds")),
    Entry(_PROMETHEUS, "promtool test rules", WORDS),
    Entry(_INDEX, f"{INSTALL}/zabbix/…", Taken("index on Zabbix")),
    Entry(_ZABBIX, "/opt/time-drift/time-drift.sh --version", Taken("Zabbix")),
    Entry(_ZABBIX, "# runuser -u zabbix …", Taken("Zabbix tried")),
    Entry(_ZABBIX, "abs(last(…", Taken("Zabbix triggers")),
    Entry(_INDEX, "command_line /opt/time-drift/time-drift.sh …", Taken("index on Nagios")),
    Entry(_NAGIOS, "$ /opt/time-drift/time-drift.sh …", Taken("plugin")),
    Entry(_NAGIOS, f"{NEGATE} …", Runs(2, "TIME DRIFT CRITICAL - ", programs=(NEGATE,))),
    Entry(_NAGIOS, "command[check_time_drift]=…", Taken("NRPE")),
    Entry(_NAGIOS, f"{INSTALL}/nagios/time-drift.cfg …", Taken("nagios4")),
    Entry(_NAGIOS, "install -D -m 0644 …", Taken("icinga2")),
    Entry(_INFLUX, "#!/bin/sh", Taken("InfluxDB script")),
    Entry(_INFLUX, "* * * * * nobody …", Taken("InfluxDB cron")),
    Entry(_INFLUX, "SELECT last(drift_s) …", Taken("InfluxDB alerts")),
)
_UNPACKAGED = (
    Entry(_INDEX, f"{INSTALL}/telegraf/…", Runs()),
    Entry(
        _TELEGRAF,
        "/opt/time-drift/time-drift.sh --version",
        Runs(stdout="time-drift ", leaving=(("systemctl reload telegraf", NO_TELEGRAF),)),
    ),
    Entry(_TELEGRAF, "telegraf --config exec.conf --test", NotHere(NO_TELEGRAF)),
    Entry(
        _DATADOG,
        "/opt/time-drift/time-drift.sh --version",
        Runs(
            stdout="time-drift ",
            leaving=(
                ("systemctl restart datadog-agent", NO_DATADOG),
                ("runuser -u dd-agent ", NO_DATADOG),
            ),
        ),
    ),
    Entry(_DATADOG, "{", Elsewhere("tests/monitoring/test_datadog.py", "json")),
    Entry(_GRAFANA, "jq …", Taken("Grafana import")),
    Entry(
        _GRAFANA, "install -D -m 644 …", Runs(leaving=(("systemctl restart grafana", NO_GRAFANA),))
    ),
    Entry(_GRAFANA, "cd /opt/time-drift", Taken("another dashboard")),
)
_NODES = (
    Entry(_FLEET, "$ ./time-drift.sh probe bitcoin…", Taken("probe")),
    Entry(_FLEET, "./time-drift.sh probe --demo", Runs(3, "     0  ")),
    Entry(_FLEET, "[probe]", Taken("modules")),
    Entry(_FLEET, "./time-drift.sh --config my.toml --check-config", Runs()),
    Entry(_FLEET, "./time-drift.sh --check-config --nodes 400 --behind-one-address", Runs()),
    Entry(_FLEET, "[{…", Taken("inventory")),
    Entry(_FLEET, "time-drift probe", WORDS),
    Entry(_FLEET, "time-drift serve", WORDS),
    Entry(_FLEET, "make bench", Make()),
    Entry(_FLEET, "make bench-nodes", Make()),
    Entry(
        _NETWORK,
        "install -m 0644 /opt/time-drift/monitoring/systemd/time-drift-serve…",
        Taken("exporter"),
    ),
    Entry(_NETWORK, "$ curl -s 'http://127.0.0.1:9712/probe…", Taken("metrics of a node")),
    Entry(
        _NETWORK,
        "install -m 0644 /opt/time-drift/monitoring/network/time-drift…",
        Taken("network's rules"),
    ),
    Entry(_NETWORK, "time-drift serve", WORDS),
    Entry(_NETWORK, "promtool check config", WORDS),
)
_HAND_OVER = (
    Entry(_SITE, "make .venv-site …", Taken("site in short")),
    Entry(_SITE, "python -m cloudformation policy …", Taken("policy")),
    Entry(_SITE, "python -m cloudformation deploy …", Taken("deploy")),
    Entry(_SITE, "python -m cloudformation destroy …", Taken("destroy")),
    Entry(_SITE, "aws route53domains …", AWS),
    Entry(_SITE, "aws cloudformation deploy --region …", TYPED),
    Entry(_SITE, "aws s3 rm …", TYPED),
    Entry(_SITE, "aws cloudformation deploy --role-arn", WORDS),
    Entry(_SITE, "aws cloudformation delete-stack", WORDS),
    Entry(
        _SITE, "dig +short NS review.example.org", NotHere("it asks the name servers of the world")
    ),
)
ENTRIES = (
    *_PROGRAM,
    *_SET_UP,
    *_ROLES,
    *_EXAMPLES,
    *_CONTAINERS,
    *_TEXTFILES,
    *_SERVERS,
    *_UNPACKAGED,
    *_NODES,
    *_HAND_OVER,
)


def names(entry: Entry, block: Block) -> bool:
    """Return whether an entry is of a block."""
    first = block.text.split("\n", 1)[0]
    begins = entry.begins.removesuffix(REST)
    same = first.startswith(begins) if begins != entry.begins else first == begins
    return same and entry.page == block.page


def taken(name: str) -> Block:
    """Return the block that an entry leaves to the test which asks for it."""
    (entry,) = (entry for entry in ENTRIES if entry.how == Taken(name))
    (block,) = (block for block in every_block() if names(entry, block))
    return block
