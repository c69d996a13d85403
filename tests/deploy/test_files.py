"""What deploy/ says exists: settings, files, services, ports, metrics; and there is time to say goodbye."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from sanic.cli.app import SanicCLI
from sanic.config import DEFAULT_CONFIG

from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import FIELDS
from sanic_chatrooms.observe.instruments import CONNECTIONS, LOOP_LAG
from tests.support.deployed import (
    DEPLOY,
    ROOT,
    compose,
    container,
    copied,
    environment,
    exec_start,
    image_command,
    manifest,
    manifests,
    pod,
    units,
)
from tests.support.tools import needed

GOODBYE = FIELDS["drain_seconds"].default + DEFAULT_CONFIG["GRACEFUL_SHUTDOWN_TIMEOUT"]
"""Seconds that a worker may take to stop."""
CHAT = "SANIC_CHATROOMS_"


def assert_known(environ: Mapping[str, str]) -> None:
    for key in environ:
        name = key.removeprefix("SANIC_")
        known = name in DEFAULT_CONFIG or (key.startswith(CHAT) and key.removeprefix(CHAT).lower() in FIELDS)
        assert known, f"{key} is no setting"
    load("default", {}, environ, {}, debug=False, instances=["default"])


def assert_starts_sanic(command: list[str]) -> None:
    assert re.fullmatch(r"(.*/)?python", command[0])
    assert command[1:3] == ["-m", "sanic"]
    cli = SanicCLI()
    cli.attach()
    given = cli.parser.parse_args(command[3:])
    assert given.target == "shop:app"
    assert given.port in (8000, 8001)


# ---- the image ----


def test_the_image_is_made_of_what_is_there() -> None:
    sources = list(copied())

    assert len(sources) >= 4
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_is_given_all_it_is_made_of() -> None:
    let_in = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)

    assert sorted(source.removeprefix("./") for source in copied()) == sorted(let_in)


def test_the_image_has_the_extras_that_there_are() -> None:
    extras = re.findall(r'"\.\[(.+)\]"', (DEPLOY / "Dockerfile").read_text())[0].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert set(extras) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("command", [image_command(), *map(exec_start, units())], ids=["image", *units()])
def test_commands_are_sanics(command: list[str]) -> None:
    assert_starts_sanic(command)


# ---- compose ----


def test_compose_sets_what_can_be_set() -> None:
    environ = compose()["services"]["app"]["environment"]

    assert len(environ) > 3
    assert_known(environ)


def test_compose_names_services_that_are_there() -> None:
    services = compose()["services"]
    app = services["app"]["environment"]

    waited_for = {name for service in services.values() for name in service.get("depends_on", {})}
    hosts = {re.findall(r"[@/]([a-z]+):\d+", app[f"{CHAT}{key}"])[0] for key in ("STORE", "BROKER")}
    assert waited_for | hosts <= set(services)
    for name in waited_for:
        assert "healthcheck" in services[name], f"somebody waits until {name} is healthy"


def test_compose_mounts_what_is_there() -> None:
    file = compose()
    mounts = [mount for service in file["services"].values() for mount in service.get("volumes", ())]

    assert len(mounts) == 5
    for mount in mounts:
        source = mount.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in file["volumes"]
    build = file["services"]["app"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_compose_gives_a_worker_time_to_say_goodbye() -> None:
    assert seconds(compose()["services"]["app"]["stop_grace_period"]) > GOODBYE


def test_nginx_and_prometheus_go_to_the_app() -> None:
    nginx = (DEPLOY / "nginx" / "nginx.conf").read_text()
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job = prometheus["scrape_configs"][0]

    assert re.findall(r"^\s*server (.+);", nginx, re.MULTILINE) == ["app:8000"]
    assert [(one["names"], one["port"]) for one in job["dns_sd_configs"]] == [(["app"], 8000)]
    assert job["metrics_path"] == "/chat/metrics"
    assert compose()["services"]["app"]["environment"][f"{CHAT}METRICS"] == "true"
    assert all((DEPLOY / "prometheus" / file).exists() for file in prometheus["rule_files"])


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    services, provisioned = compose()["services"], DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioned / "datasources" / "prometheus.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((provisioned / "dashboards" / "chat.yaml").read_text())["providers"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounted = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])

    assert source["url"] == "http://prometheus:9090"
    assert services["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    assert mounted["./grafana/chat.json"] == home == f"{provider['options']['path']}/chat.json"
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"


def test_what_operators_see_is_for_this_machine_only() -> None:
    services = compose()["services"]
    published = {name: services[name]["ports"] for name in services if "ports" in services[name]}

    assert published.keys() == {"nginx", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published["prometheus"] + published["grafana"])


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text.removesuffix("s"))


# ---- Kubernetes ----


def test_every_file_of_kubernetes_is_used() -> None:
    files = {path.name for path in (DEPLOY / "kubernetes").iterdir()}
    used = set(yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"])

    # The one is the list, the other are values for somebody else's chart.
    assert files - used == {"kustomization.yaml", "prometheus-adapter.yaml"}
    assert all(one["apiVersion"] and one["kind"] and one["metadata"]["name"] for one in manifests())


def test_kubernetes_sets_what_can_be_set() -> None:
    environ = environment() | {key: "x" * 64 for key in secrets()["chat-backends"] if key.endswith("SECRET")}

    assert len(environ) > 5
    assert_known({key: value for key, value in environ.items() if key.startswith("SANIC_")})
    assert {"configMapRef": {"name": "chat"}} in container()["envFrom"]
    assert {"secretRef": {"name": "chat-backends"}} in container()["envFrom"]
    assert all(key.removeprefix(CHAT).lower() in FIELDS for key in secrets()["chat-backends"])


def secrets() -> dict[str, set[str]]:
    """Those that `config.yaml` says how to create, with their keys."""
    text = (DEPLOY / "kubernetes" / "config.yaml").read_text()
    created = re.findall(r"create secret generic (\S+)((?:.*\\\n)*.*)", text)
    return {name: set(re.findall(r"--from-literal=(\w+)=", literals)) for name, literals in created}


def test_every_secret_that_pods_need_is_said_how_to_create() -> None:
    needed_by_pods = {(one["name"], one["key"]) for name in ("chat", "chat-valkey") for one in taken(name)}

    assert needed_by_pods == {("chat-valkey", "password")}
    assert secrets().keys() == {"chat-backends", "chat-valkey"}
    assert all(key in secrets()[name] for name, key in needed_by_pods)
    assert all(one["kind"] != "Secret" for one in manifests()), "a secret in a file is none"


def taken(name: str) -> list[dict[str, str]]:
    variables = container(name)["env"]
    return [one["valueFrom"]["secretKeyRef"] for one in variables if "valueFrom" in one]


@pytest.mark.parametrize("name", ["chat", "chat-valkey"])
def test_a_variable_is_defined_before_another_one_refers_to_it(name: str) -> None:
    defined: set[str] = set()
    for variable in container(name)["env"]:
        assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= defined
        defined.add(variable["name"])
    words = " ".join(container(name).get("args", ()))
    assert set(re.findall(r"\$\((\w+)\)", words)) <= defined


def test_nobody_but_the_chat_reaches_its_broker() -> None:
    policy = manifest("NetworkPolicy", "chat-valkey")["spec"]

    assert policy["podSelector"]["matchLabels"] == pod("chat-valkey")["metadata"]["labels"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": pod()["metadata"]["labels"]}}]
    assert policy["ingress"][0]["ports"][0]["port"] in {p["name"] for p in container("chat-valkey")["ports"]}


@pytest.mark.parametrize("name", ["chat", "chat-valkey"])
def test_a_pod_may_do_no_more_than_it_has_to(name: str) -> None:
    spec, allowed = pod(name)["spec"], container(name)["securityContext"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert allowed["allowPrivilegeEscalation"] is False
    assert allowed["readOnlyRootFilesystem"] is True
    assert allowed["capabilities"] == {"drop": ["ALL"]}


def test_an_eviction_takes_one_pod_at_a_time() -> None:
    budget = manifest("PodDisruptionBudget")["spec"]

    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == manifest("Deployment")["spec"]["selector"]
    assert manifest("HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2
    assert manifest("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("name", ["chat", "chat-valkey"])
def test_services_lead_to_pods(name: str) -> None:
    service = manifest("Service", name)["spec"]

    assert service["selector"] == pod(name)["metadata"]["labels"]
    assert service["selector"] == manifest("Deployment", name)["spec"]["selector"]["matchLabels"]
    assert {port["targetPort"] for port in service["ports"]} <= {p["name"] for p in container(name)["ports"]}


def test_the_broker_is_a_service() -> None:
    host, port = re.findall(r"@(.+):(\d+)/", environment()[f"{CHAT}BROKER"])[0]

    assert [p["port"] for p in manifest("Service", host)["spec"]["ports"]] == [int(port)]


def test_the_world_comes_to_the_chat() -> None:
    paths = manifest("Ingress")["spec"]["rules"][0]["http"]["paths"]
    backend = paths[0]["backend"]["service"]

    [hidden] = [path for path in paths if path["path"] == "/chat/metrics"]
    assert hidden["pathType"] == "Prefix", "Sanic answers with a slash at the end, too"
    assert "selector" not in manifest("Service", hidden["backend"]["service"]["name"])["spec"]
    assert backend["port"]["name"] in {
        port["name"] for port in manifest("Service", backend["name"])["spec"]["ports"]
    }


def test_probes_and_scrapes_ask_what_the_app_answers() -> None:
    probes = [container()[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
    scraped = pod()["metadata"]["annotations"]

    assert [probe["path"] for probe in probes] == ["/chat/ready", "/chat/health", "/chat/health"]
    assert scraped["prometheus.io/path"] == "/chat/metrics"
    assert manifest("ConfigMap")["data"][f"{CHAT}METRICS"] == "true"
    assert int(scraped["prometheus.io/port"]) == container()["ports"][0]["containerPort"] == 8000


def test_the_autoscaler_goes_by_what_the_app_counts() -> None:
    autoscaler = manifest("HorizontalPodAutoscaler")["spec"]
    target = autoscaler["scaleTargetRef"]
    connections, lag = (metric["pods"] for metric in autoscaler["metrics"])
    rules = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-adapter.yaml").read_text())["rules"]["custom"]

    assert manifest(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]
    assert connections["metric"]["name"] == f"chatrooms_{CONNECTIONS.name}"
    assert rules[0]["name"]["matches"] == f"^chatrooms_{CONNECTIONS.name}$"
    assert rules[1]["name"]["matches"] == f"^chatrooms_{LOOP_LAG.name}_bucket$"
    assert rules[1]["name"]["as"] == lag["metric"]["name"]
    for rule in rules:
        assert rule["name"]["matches"] == f"^{rule['seriesQuery'].partition('{')[0]}$"
    assert lag["target"]["averageValue"] == "100m"
    assert FIELDS["overload_lag"].default > 0.1, "more pods come before newcomers are refused"
    assert int(connections["target"]["averageValue"]) < int(
        manifest("ConfigMap")["data"][f"{CHAT}MAX_CONNECTIONS"]
    )
    assert "replicas" not in manifest("Deployment")["spec"], "each apply would undo what the autoscaler did"


def test_postgres_has_connections_for_all_workers() -> None:
    most = manifest("HorizontalPodAutoscaler")["spec"]["maxReplicas"]
    surge = manifest("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]

    # docs/reference/backends.md: 5 a worker; PostgreSQL keeps 3 of its 100 for administrators.
    assert 5 * (most + surge) < 100 - 3


def test_kubernetes_gives_a_worker_time_to_say_goodbye() -> None:
    before = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])

    assert pod()["spec"]["terminationGracePeriodSeconds"] > before + GOODBYE


# ---- systemd ----


@pytest.mark.parametrize("name", units())
def test_systemd_gives_the_workers_time_to_say_goodbye(name: str) -> None:
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", units()[name], re.MULTILINE)[0]) > GOODBYE


@pytest.mark.parametrize("name", units())
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    assert complaints(name, units()[name], tmp_path) == []


def test_systemd_would_say_what_is_wrong(tmp_path: Path) -> None:
    text = units()["chat.service"].replace("TimeoutStopSec=45", "TimeoutStopSec=soon")

    assert len(complaints("chat.service", text, tmp_path)) == 1


def complaints(name: str, text: str, folder: Path) -> list[str]:
    """What systemd says of a unit, and of no other."""
    name = name.replace("@", "@8001")
    copy = folder / name
    copy.write_text(
        text.replace("/opt/chat/venv/bin/python", sys.executable)
    )  # it looks whether that is there
    command = [needed("systemd-analyze"), "verify", "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if name in line]
