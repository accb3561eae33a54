"""Holds deploy/compose.yaml against the schema of the Compose specification, and checks what no schema says.

Usage: compose.py SCHEMA [--print]     (with the packages PyYAML and jsonschema, which kubernetes-validate brings)

Not checked here, because it takes a registry and a container engine: that images can be pulled, and that it starts.
"""

import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

DEPLOY = Path(__file__).resolve().parents[1]
# What came into the specification after the copy of its schema that is published as a package, which is of 2021.
LATER = {"name"}
OURS = re.compile(r"mintmark/([a-z-]+):dev")
problems = []


def problem(where, sentence):
    problems.append(f"{where}: {sentence}")


def variables(file):
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def environment(name, service):
    """As compose makes it: the files in their order, then what stands in the service itself. Secrets are left out."""
    found = {}
    for file in service.get("env_file", []):
        path = DEPLOY / file
        if "secrets/" in file:
            continue
        if not path.is_file():
            problem(name, f"reads {file}, which is not there")
        else:
            found.update(variables(path))
    return found | service.get("environment", {})


def ours(document):
    for name, service in document["services"].items():
        match = OURS.fullmatch(service["image"])
        if match:
            yield name, match[1], service


def confined(document):
    for name, program, service in ours(document):
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"] or "privileged" in service:
            problem(name, "may change its image or keeps capabilities")
        if service.get("security_opt") != ["no-new-privileges:true"] or service.get("user"):
            problem(name, "may gain privileges")
        if not (DEPLOY / "images/Dockerfile").is_file():
            problem(name, "there is no Dockerfile")
    for name, service in document["services"].items():
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                problem(name, f"answers the whole network at {port}")
        if ":" not in service["image"].rsplit("/", 1)[-1] or service["image"].endswith(":latest"):
            problem(name, f"runs an image without a version: {service['image']}")


def connected(document):
    """Nobody is on a network where it has nothing to do; everything that a role names is there and in reach."""
    needs = {
        "control-plane": {"edge", "calls", "databases", "objects"},
        "control-plane-sequencer": {"databases", "objects"},
        "resolver-scan": {"edge", "databases"},
        "resolver-directory": {"calls", "databases"},
        "preflight-gateway": {"edge", "calls", "databases", "objects"},
        "preflight-worker": {"databases", "objects"},
        "evidence-vault": {"calls", "databases", "objects"},
        "evidence-sequencer": {"databases", "objects"},
        "ratelimit": {"calls", "counters"},
        "console": {"edge", "calls"},
    }
    services = document["services"]
    for name, program, service in ours(document):
        wanted = needs.get(name, {"databases"}) | {"observation"}
        if set(service["networks"]) != wanted:
            problem(name, f"is on {sorted(service['networks'])} and needs {sorted(wanted)}")
        for variable, value in environment(name, service).items():
            host = re.fullmatch(r"https?://([a-z-]+):(\d+)", str(value))
            if host and host[1] != "localhost":
                peer = services.get(host[1])
                if peer is None or not set(peer["networks"]) & set(service["networks"]):
                    problem(name, f"{variable} names {host[1]}, which it cannot reach")
    missing = set(needs) - {name for name, _, _ in ours(document)}
    if missing:
        problem("services", f"{sorted(missing)} are missing")
    for name, network in document["networks"].items():
        if (name != "edge") != bool(network.get("internal")):
            problem(name, "is internal exactly where nothing has a port")


def observed(document):
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    for name, program, service in ours(document):
        if name.endswith("-migration"):
            continue
        port = environment(name, service).get("OPS_ADDR", ":").rsplit(":", 1)[1]
        if targets.pop(name, None) != [f"{name}:{port}"]:
            problem(name, "Prometheus does not look at its operations port")
    for name in targets:
        problem(name, "Prometheus looks at a role that is not there")


def files(document):
    for name, service in document["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and not (DEPLOY / source).exists():
                problem(name, f"mounts {source}, which is not there")
    asked = {secret["source"] for _, _, service in ours(document) for secret in service.get("secrets", [])}
    for name in sorted(asked ^ set(document["secrets"])):
        problem(name, "is a secret that is asked for or given, not both")


def main():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    if sys.argv[2:] == ["--print"]:
        shown = []
        for name, program, service in ours(document):
            mounted = {secret["target"]: document["secrets"][secret["source"]]["file"] for secret in service.get("secrets", [])}
            secret = [file.rsplit("/", 1)[1] for file in service["env_file"] if "secrets/" in file]
            shown.append(
                {
                    "name": name,
                    "program": program,
                    "args": service.get("command", []),
                    "environment": environment(name, service),
                    "secret_variables": secret,
                    "files": {there: file.removeprefix("compose/secrets/") for there, file in mounted.items()},
                }
            )
        print(json.dumps(shown, indent=1))
        return
    schema = json.loads(Path(sys.argv[1]).read_text())
    old = {key: value for key, value in document.items() if key not in LATER}
    for error in jsonschema.Draft201909Validator(schema).iter_errors(old):
        problem("/".join(map(str, error.absolute_path)), error.message)
    confined(document)
    connected(document)
    observed(document)
    files(document)
    if problems:
        sys.exit("\n".join(problems))
    print(f"compose.yaml: {len(document['services'])} services")


main()
