"""The files of deploy/ are what Kubernetes, Compose, Prometheus and NATS read.

Where their own tools are there (kustomize, promtool), these read the files, too; the reason of a skip says what
did it instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import nats
import nats.errors
import promql_parser
import pytest
import trustme
import yaml

from tests.support.deployed import DEPLOY, manifests
from tests.support.process import ServerProcess, free_port

# ---- Kubernetes ----

VERSIONS = ["1.30", kubernetes_validate.latest_version()]
NAMED = {f"{one['kind']}-{one['metadata']['name']}": one for one in manifests()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMED)
def test_a_manifest_fits_the_schema_of_kubernetes(name: str, version: str) -> None:
    kubernetes_validate.validate(NAMED[name], version, strict=True)


def test_the_schema_would_say_what_is_wrong() -> None:
    wrong = yaml.safe_load(yaml.safe_dump(NAMED["HorizontalPodAutoscaler-chat"]))
    wrong["spec"]["minReplica"] = 2

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_kustomize_makes_the_manifests() -> None:
    command = own_tool(["kustomize", "build"], ["kubectl", "kustomize"], instead="kubernetes-validate")

    done = subprocess.run([*command, DEPLOY / "kubernetes"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(list(yaml.safe_load_all(done.stdout))) == len(NAMED)


def own_tool(*commands: list[str], instead: str) -> list[str]:
    """The first of these that is there."""
    for command in commands:
        if shutil.which(command[0]) and speaks(command):
            return command
    pytest.skip(
        f"no {' or '.join(command[0] for command in commands)} on PATH: {instead} read the files instead"
    )


def speaks(command: list[str]) -> bool:
    """Whether this is more than a client without the plugin, which shows its own help whatever it is asked."""
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and command[-1] in done.stdout


# ---- Compose ----

COMPOSE = DEPLOY / "compose.yaml"


def read_by_compose(file: Path) -> subprocess.CompletedProcess[str]:
    program = (
        Path(sysconfig.get_path("scripts")) / "docker-compose"
    )  # out of a wheel; it needs no Docker for this
    return subprocess.run(
        [program, "--file", file, "config", "--quiet"],
        env={**os.environ, "POSTGRES_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_reads_the_file() -> None:
    done = read_by_compose(COMPOSE)

    assert (done.returncode, done.stderr) == (0, "")


def test_compose_would_say_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("depends_on", "waits_for"))

    assert read_by_compose(wrong).returncode != 0


# ---- Prometheus ----

PROMETHEUS = DEPLOY / "prometheus"
LABELS = 'namespace="default",pod=~"a|b"'


def queries() -> Iterator[tuple[str, str]]:
    """All that Prometheus is asked, as it gets it."""
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads((DEPLOY / "grafana" / "chat.json").read_text())["panels"]:
        for target in panel["targets"]:
            asked = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            yield panel["title"], asked
    adapter = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-adapter.yaml").read_text())
    for rule in adapter["rules"]["custom"]:
        yield f"adapter: {rule['name']['matches']}", rule["seriesQuery"]
        asked = rule["metricsQuery"].replace("<<.Series>>", rule["seriesQuery"].partition("{")[0])
        asked = asked.replace("<<.LabelMatchers>>", LABELS).replace("<<.GroupBy>>", "pod")
        yield f"adapter, for pods: {rule['name']['matches']}", asked


QUERIES = list(queries())


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_is_promql(where: str, query: str) -> None:
    promql_parser.parse(query)


def test_the_parser_would_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (instance) (rate(chatrooms_gaps_total[5m])")


def test_alerts_have_the_form_of_prometheus() -> None:
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        assert group.keys() == {"name", "rules"}
        for rule in group["rules"]:
            assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"]], ids=" ".join
)
def test_promtool_accepts_the_files(command: list[str]) -> None:
    tool = own_tool(["promtool"], instead="promql-parser")

    done = subprocess.run([*tool, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


# ---- NATS ----

EAST = (DEPLOY / "nats" / "east-1.conf").read_text()


class DataCentre:
    """One server of a data centre, by the file of deploy/ with addresses from here."""

    def __init__(self, name: str, folder: Path, authority: trustme.CA) -> None:
        self.name = name
        self.folder = folder / name
        (self.folder / "tls").mkdir(parents=True)
        self.port, self.http, self.routes, self.gateway = (free_port() for _ in range(4))
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(self.folder / "tls" / "ca.pem")
        certificate.private_key_pem.write_to_path(self.folder / "tls" / "east-1.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self.folder / "tls" / "east-1.pem", append=True)

    def write(self, other: DataCentre) -> None:
        gateways = {self.name: self.gateway, other.name: other.gateway}
        text = EAST.replace('name: "east', f'name: "{self.name}')
        text = text.replace("0.0.0.0:4222", f"127.0.0.1:{self.port}")
        text = text.replace("127.0.0.1:8222", f"127.0.0.1:{self.http}")
        text = text.replace("0.0.0.0:6222", f"127.0.0.1:{self.routes}")
        text = text.replace("0.0.0.0:7222", f"127.0.0.1:{self.gateway}")
        text = text.replace("east-1:6222", f"127.0.0.1:{self.routes}")
        text = text.replace("east-1:7222", f"127.0.0.1:{self.gateway}")
        text = text.replace('"nats://east-2:6222"', "")
        theirs = ", ".join(
            f'{{name: "{name}", urls: ["nats://127.0.0.1:{port}"]}}' for name, port in gateways.items()
        )
        text = re.sub(r"gateways: \[.*?\n  \]", f"gateways: [{theirs}]", text, flags=re.DOTALL)
        text = text.replace('"tls/', f'"{self.folder}/tls/')
        (self.folder / "nats.conf").write_text(text)

    def command(self, *more: str) -> list[str]:
        program = Path(sysconfig.get_path("scripts")) / "nats-server"  # out of a wheel
        return [str(program), "--config", str(self.folder / "nats.conf"), *more]

    def start(self) -> ServerProcess:
        server = ServerProcess(self.command(), self.port, env=PASSWORD, cwd=self.folder)
        server.wait_for(lambda output: "Server is ready" in output, "NATS starts")
        return server

    @property
    def url(self) -> str:
        return f"nats://chat:{PASSWORD['CHAT_PASSWORD']}@127.0.0.1:{self.port}"


PASSWORD = {"CHAT_PASSWORD": "secret"}


@pytest.fixture
def centres(tmp_path: Path) -> tuple[DataCentre, DataCentre]:
    authority = trustme.CA()
    east, west = (DataCentre(name, tmp_path, authority) for name in ("east", "west"))
    east.write(west)
    west.write(east)
    return east, west


def test_nats_accepts_the_file(centres: tuple[DataCentre, DataCentre]) -> None:
    environ = {**os.environ, **PASSWORD}

    done = subprocess.run(centres[0].command("-t"), env=environ, capture_output=True, text=True, check=False)

    assert "nats.conf is valid" in done.stderr


async def test_an_event_crosses_from_one_data_centre_to_the_other(
    centres: tuple[DataCentre, DataCentre],
) -> None:
    async with started(*centres) as (east, west):
        heard = await west.subscribe("chatrooms.Shop~default.>")
        await west.flush()
        crossed = asyncio.ensure_future(heard.next_msg(timeout=30))
        while not crossed.done():
            await east.publish("chatrooms.Shop~default.general", b"hi")  # until the two have found each other
            await asyncio.wait([crossed], timeout=0.1)

    assert crossed.result().data == b"hi"


@contextlib.asynccontextmanager
async def started(*centres: DataCentre) -> AsyncIterator[list[Any]]:
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for centre in centres:
            server = await asyncio.to_thread(centre.start)
            stack.callback(server.stop)
            clients.append(await nats.connect(centre.url))
            stack.push_async_callback(clients[-1].close)
        yield clients
