"""The manifests: Kubernetes' schemas, its restricted standard, and the containers' own commands."""

import copy
import ipaddress
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.config import load
from fleet.addresses import why_refused
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT
from tests.support.servers.chrony import faked
from tests.support.sources.ports import usual_port

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

MANIFESTS = ROOT / "monitoring" / "kubernetes"
TEXTFILES = "/textfile"
LONGEST_S = 15

Manifest = dict[str, Any]


def manifest(name: str) -> Manifest:
    loaded: Manifest = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def pod(name: str) -> Manifest:
    """Return the spec of the pods that a manifest makes."""
    spec: Manifest = manifest(name)["spec"]
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    found: Manifest = spec["template"]["spec"]
    return found


def container(name: str) -> Manifest:
    """Return a container of the pod that runs on every node."""
    (found,) = (one for one in pod("daemonset")["containers"] if one["name"] == name)
    return dict(found)


def tool(name: str) -> str:
    """Return a program of `make tools`; skip without it, fail in CI."""
    path = ROOT / name
    if not path.exists() and os.environ.get("CI"):
        pytest.fail(f"no {name}, and CI may not skip")
    if not path.exists():
        pytest.skip(f"no {name} (`make tools`): this test did NOT run")
    return str(path)


def validated(*paths: Path) -> tuple[int, str]:
    done = subprocess.run(
        [tool(".venv-supply/bin/kubernetes-validate"), "--strict", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


EXPORTER = MANIFESTS / "exporter.yaml"
SCHEMATA = [
    *(MANIFESTS / f"{one}.yaml" for one in ("namespace", "networkpolicy", "daemonset", "cronjob")),
    EXPORTER,
]
"""All but the operator's, which Kubernetes itself does not know."""


def test_the_schemas_of_kubernetes_accept_them() -> None:
    """Every key is known and has the right type."""
    code, said = validated(*SCHEMATA)

    assert (code, said.count("passed for resource")) == (0, 7), said


def test_the_schemas_of_kubernetes_would_refuse_another_key(tmp_path: Path) -> None:
    """A key that is misspelt deep in a container is reported."""
    text = (MANIFESTS / "daemonset.yaml").read_text(encoding="utf-8")
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(text.replace("readOnlyRootFilesystem", "readonlyRootFilesystem"))
    code, said = validated(spoilt)

    assert code != 0
    assert "readonlyRootFilesystem" in said


ACCEPTED = {
    "CKV_K8S_9": "the container that measures has nobody who waits for it; node-exporter's is set",
    "CKV_K8S_11": "who is throttled in mid-measurement measures that; the requests are small",
    "CKV_K8S_15": "a tag with a version is pulled once; a registry that is down stops no monitor",
    "CKV_K8S_43": "the images are the reader's own, in a registry of theirs",
}
"""What checkov would have otherwise, and why it is not."""


def test_checkov_fails_nothing_that_is_not_a_decision() -> None:
    """Each result is one of those, and each of those is found."""
    options = ["--framework", "kubernetes", "--skip-download", "--compact", "-o", "json"]
    done = subprocess.run(
        [tool(".venv-checkov/bin/checkov"), "-d", str(MANIFESTS), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)

    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] >= 100
    assert {one["check_id"] for one in found["results"]["failed_checks"]} == set(ACCEPTED)


VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
SECCOMP = ("RuntimeDefault", "Localhost")


def violations(spec: Manifest) -> set[str]:
    """Return the fields by which the Pod Security Standard "restricted" refuses a pod.

    Field by field as in the page "Pod Security Standards" of the Kubernetes documentation, with the
    baseline's; what a container does not say, its pod says.
    """
    found = {name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)}
    found |= {f"volumes: {key}" for one in spec.get("volumes", []) for key in one}
    found -= {f"volumes: {key}" for key in VOLUMES | {"name"}}
    general = spec.get("securityContext", {})
    found |= {name for name in ("sysctls", "windowsOptions") if general.get(name)}
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for one in spec.get(kind, []):
            found |= _violations_of(one, general)
    return found


def _violations_of(one: Manifest, general: Manifest) -> set[str]:
    own = one.get("securityContext", {})
    both = general | own
    capabilities = own.get("capabilities", {})
    probes = [one.get(f"{kind}Probe", {}) for kind in ("liveness", "readiness", "startup")]
    unwanted = {
        "privileged": own.get("privileged"),
        "procMount": own.get("procMount", "Default") != "Default",
        "windowsOptions": own.get("windowsOptions"),
        "seLinuxOptions": both.get("seLinuxOptions"),
        "appArmorProfile": both.get("appArmorProfile", {}).get("type") == "Unconfined",
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
        "runAsNonRoot": both.get("runAsNonRoot") is not True,
        "runAsUser": both.get("runAsUser") == 0,
        "seccompProfile": both.get("seccompProfile", {}).get("type") not in SECCOMP,
        "capabilities.drop": "ALL" not in capabilities.get("drop", []),
        "capabilities.add": set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        "hostPort": any(port.get("hostPort") for port in one.get("ports", [])),
        "probe host": any("host" in probe.get("httpGet", {}) for probe in probes),
        "lifecycle": one.get("lifecycle"),
    }
    return {name for name, is_so in unwanted.items() if is_so}


@pytest.mark.parametrize("name", ["daemonset", "cronjob"])
def test_the_pods_are_restricted(name: str) -> None:
    """They meet the strictest standard of Kubernetes; and their root file system is read-only."""
    spec = pod(name)

    assert violations(spec) == set()
    assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in spec["containers"])
    assert spec["automountServiceAccountToken"] is False
    assert all(one["resources"]["limits"]["memory"] for one in spec["containers"])
    assert manifest(name)["metadata"]["namespace"] == manifest("namespace")["metadata"]["name"]


@pytest.mark.parametrize("mode", ["enforce", "audit", "warn"])
def test_the_namespace_refuses_others(mode: str) -> None:
    """Kubernetes itself holds the pods of the namespace to the standard."""
    labels = manifest("namespace")["metadata"]["labels"]

    assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def put(spec: Manifest, path: str, value: object) -> None:
    """Set what a path like "containers.0.image" says, or remove it if the value is None."""
    *parents, last = path.split(".")
    place: Any = spec
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
    if value is None:
        del place[last]
    else:
        place[last] = value


SECOND = "containers.1.securityContext."


@pytest.mark.parametrize(
    ("path", "value", "violated"),
    [
        ("hostNetwork", True, "hostNetwork"),
        ("hostPID", True, "hostPID"),
        ("hostIPC", True, "hostIPC"),
        ("volumes", [{"name": "x", "hostPath": {"path": "/"}}], "volumes: hostPath"),
        ("securityContext.runAsNonRoot", None, "runAsNonRoot"),
        ("securityContext.runAsUser", 0, "runAsUser"),
        ("securityContext.seccompProfile", None, "seccompProfile"),
        ("securityContext.seccompProfile", {"type": "Unconfined"}, "seccompProfile"),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "sysctls"),
        (f"{SECOND}capabilities.drop", None, "capabilities.drop"),
        (f"{SECOND}capabilities.drop", ["NET_RAW"], "capabilities.drop"),
        (f"{SECOND}capabilities.add", ["SYS_TIME"], "capabilities.add"),
        (f"{SECOND}allowPrivilegeEscalation", None, "allowPrivilegeEscalation"),
        (f"{SECOND}allowPrivilegeEscalation", True, "allowPrivilegeEscalation"),
        (f"{SECOND}runAsNonRoot", False, "runAsNonRoot"),
        (f"{SECOND}runAsUser", 0, "runAsUser"),
        (f"{SECOND}privileged", True, "privileged"),
        (f"{SECOND}procMount", "Unmasked", "procMount"),
        ("containers.1.ports", [{"containerPort": 9100, "hostPort": 9100}], "hostPort"),
    ],
)
def test_what_is_not_restricted_would_be_found(path: str, value: object, violated: str) -> None:
    """Each field of the standard, spoilt: the test above would fail for it."""
    spec = copy.deepcopy(pod("daemonset"))
    put(spec, path, value)

    assert violated in violations(spec)


def test_every_node_has_one() -> None:
    """No taint keeps it away, and no selector but that of the system."""
    spec = pod("daemonset")

    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_the_labels_go_together() -> None:
    """What selects pods selects these; Prometheus takes the chain and the port from them."""
    daemons = manifest("daemonset")["spec"]
    template = daemons["template"]["metadata"]
    policy = manifest("networkpolicy")["spec"]
    monitor = manifest("podmonitor")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    (port,) = container("node-exporter")["ports"]
    job = manifest("cronjob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]

    for selector in (daemons["selector"], policy["podSelector"], monitor["selector"]):
        assert selector["matchLabels"].items() <= template["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= job.items()
    assert not monitor["selector"]["matchLabels"].items() <= job.items()
    assert set(monitor["podTargetLabels"]) <= template["labels"].keys()
    assert endpoint["port"] == port["name"]
    assert template["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert f"--web.listen-address=:{port['containerPort']}" in container("node-exporter")["args"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": port["containerPort"]}]}]


def test_the_policy_lets_through_what_the_configuration_asks() -> None:
    """Every source of the shipped configuration, Roughtime's own port, and name servers."""
    (egress,) = manifest("networkpolicy")["spec"]["egress"]
    opened = {(one["protocol"], one["port"]) for one in egress["ports"]}
    needed = {("UDP", 53), ("TCP", 53), ("UDP", 5319), ("TCP", 5319)}
    protocols = {
        "ntp": ["UDP"],
        "nts": ["TCP"],
        "roughtime": ["UDP", "TCP"],
        "https": ["TCP"],
    }
    for kind, port in shipped():
        needed |= {(protocol, port) for protocol in protocols[kind]}

    assert opened == needed


def shipped() -> Iterator[tuple[str, int]]:
    """Yield the kind and the port of every source of the shipped configuration."""
    import tomllib

    assert load(str(ROOT / "config.toml"))  # the program takes it
    tree = tomllib.loads((ROOT / "config.toml").read_text(encoding="utf-8"))
    for kind, tables in tree["sources"].items():
        for table in tables:
            yield kind, table.get("port", usual_port(kind))


def exporter() -> tuple[Manifest, Manifest, Manifest]:
    """Return the Deployment, the Service and the NetworkPolicy of the network's clocks."""
    deployment, service, policy = yaml.safe_load_all(EXPORTER.read_text(encoding="utf-8"))
    return deployment["spec"], service["spec"], policy["spec"]


def test_the_exporter_is_restricted_and_reached_by_its_own_names() -> None:
    """Its pod meets the standard; service, policy and probes name its label and its port."""
    deployment, service, policy = exporter()
    template = deployment["template"]
    (one,) = template["spec"]["containers"]
    (port,) = one["ports"]
    labels = template["metadata"]["labels"]

    assert violations(template["spec"]) == set()
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert template["spec"]["automountServiceAccountToken"] is False
    assert deployment["selector"]["matchLabels"] == labels
    assert service["selector"] == labels
    assert policy["podSelector"]["matchLabels"] == labels
    assert service["ports"][0]["targetPort"] == port["name"]
    assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": port["containerPort"]}]
    assert one["args"] == ["serve", "--listen", f"0.0.0.0:{port['containerPort']}"]
    assert one["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": port["name"]}
    # The policy of what measures a cluster's own nodes must not close its ports.
    own = manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"]
    assert not own.items() <= labels.items()


def test_the_exporter_reaches_what_is_public_alone() -> None:
    """The policy leaves out what the program itself refuses, but for name servers."""
    _, _, policy = exporter()
    public, names = policy["egress"]
    (four, six) = (one["ipBlock"] for one in public["to"])

    assert "ports" not in public
    for block in four["except"]:
        network = ipaddress.ip_network(block)
        assert why_refused(str(network[1]), ()) is not None
        assert why_refused(str(network[-2]), ()) is not None
    assert why_refused("2600::1", ()) is None
    assert ipaddress.ip_address("2600::1") in ipaddress.ip_network(six["cidr"])
    assert "to" not in names
    assert {one["port"] for one in names["ports"]} == {53}


def test_the_paths_are_those_of_the_image() -> None:
    """State and configuration are mounted where the image looks for them."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for name in ("daemonset", "cronjob"):
        mounted = {one["mountPath"] for one in pod(name)["containers"][0]["volumeMounts"]}
        assert {"/var/lib/time-drift", "/etc/time-drift"} <= mounted
    user = pod("daemonset")["securityContext"]["runAsUser"]

    assert "ENV STATE_DIRECTORY=/var/lib/time-drift\n" in text
    assert f"USER {user}:{user}\n" in text
    assert 'ENTRYPOINT ["/opt/time-drift/time-drift.sh"]\n' in text
    assert "command" not in container("time-drift")


def arguments(name: str, directory: Path) -> list[str]:
    """Return the arguments of a container, the volume that the two share being a directory."""
    return [one.replace(TEXTFILES, str(directory)) for one in container(name)["args"]]


@contextmanager
def running(
    *command: str, environ: dict[str, str], passed: int | None = None, user: int | None = None
) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command,
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=() if passed is None else (passed,),
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=LONGEST_S)


def scraped(port: int) -> str:
    """Return what node_exporter says of the program, once it says anything."""
    ends_s = time.monotonic() + LONGEST_S
    while True:
        try:
            address = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(address, timeout=5) as response:
                text: str = response.read().decode()
            if "time_drift_success" in text:
                return text
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < ends_s, "node_exporter does not say"
        time.sleep(0.05)


def free_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_the_containers_of_a_pod(script: str, needs: Callable[[str], str], tmp_path: Path) -> None:
    """Their own arguments, a directory for their volume: the drift of the node is scraped.

    node_exporter is the user that its manifest has, and gets into the directory by a descriptor.
    """
    exporter, port = needs("prometheus-node-exporter"), free_tcp_port()
    needs("faketime")
    (volume := tmp_path / "volume").mkdir()
    opened = os.open(volume, os.O_RDONLY | os.O_DIRECTORY)
    scrape = [
        one.replace(":9100", f"127.0.0.1:{port}")
        for one in arguments("node-exporter", Path(f"/proc/self/fd/{opened}"))
    ]
    root = os.geteuid() == 0
    user = container("node-exporter")["securityContext"]["runAsUser"] if root else None
    with world(*(NtpServer(name) for name in ("Alpha", "Bravo", "Charlie"))) as lab:
        path = tmp_path / "config.toml"
        path.write_text(lab.toml, encoding="utf-8")
        environ = faked("-4s") | {"TIME_DRIFT_CONFIG": str(path)}
        measure = [script, *arguments("time-drift", volume)]
        with (
            running(*measure, environ=environ) as watch,
            running(exporter, *scrape, environ={}, passed=opened, user=user),
        ):
            said = scraped(port)
            watch.terminate()
            out, err = watch.communicate(timeout=LONGEST_S)
    os.close(opened)
    drift_lines = [line for line in said.split("\n") if line.startswith("time_drift_seconds ")]

    assert drift_lines == ["time_drift_seconds -4"]
    assert "node_textfile_scrape_error 0" in said
    assert "node_cpu" not in said
    assert "go_goroutines" not in said
    assert (out, err, watch.returncode) == ("", "", 143)


def test_the_exporters_container(script: str, tmp_path: Path) -> None:
    """Its own arguments, on a port of loopback: it is healthy, and has the drift of its host."""
    deployment, _, _ = exporter()
    (one,) = deployment["template"]["spec"]["containers"]
    port = free_tcp_port()
    arguments = [word.replace("0.0.0.0:9712", f"127.0.0.1:{port}") for word in one["args"]]
    with world(*(NtpServer(name) for name in ("Alpha", "Bravo", "Charlie"))) as lab:
        path = tmp_path / "config.toml"
        path.write_text(lab.toml, encoding="utf-8")
        environ = {"TIME_DRIFT_CONFIG": str(path)}
        with running(script, *arguments, environ=environ) as served:
            text = scraped(port)
            probe = f"http://127.0.0.1:{port}{one['livenessProbe']['httpGet']['path']}"
            with urllib.request.urlopen(probe, timeout=5) as response:
                healthy = response.status
            served.terminate()
            served.wait(timeout=LONGEST_S)

    assert "\ntime_drift_seconds 0.0\n" in text
    assert (healthy, served.returncode) == (200, 143)


def test_the_probe_knows_a_watch_that_hangs(tmp_path: Path) -> None:
    """A file as old as the longest interval that is advised is alive; none, or an older, is not."""
    command = container("time-drift")["livenessProbe"]["exec"]["command"]
    probe = [word.replace(TEXTFILES, str(tmp_path)) for word in command]
    written = tmp_path / "time-drift.prom"

    def alive() -> bool:
        done = subprocess.run(probe, capture_output=True, check=False)
        return done.returncode == 0

    missing = alive()
    written.touch()
    fresh = alive()
    os.utime(written, (time.time() - 310, time.time() - 310))
    five_minutes = alive()
    os.utime(written, (time.time() - 1200, time.time() - 1200))
    old = alive()

    assert (missing, fresh, five_minutes, old) == (False, True, True, False)
