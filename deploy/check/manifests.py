"""Renders the overlays and checks what no schema says: confinement, the graph of who may reach whom, and that nothing is missing.

Usage: manifests.py KUSTOMIZE [--print OVERLAY]   (with the packages PyYAML and kubernetes-validate)

Not checked here, because no program on this machine can: that a cluster's network enforces the policies, that an image can be
pulled, and the objects of cert-manager and external-secrets, whose schemas are theirs.
"""

import json
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

K8S = Path(__file__).resolve().parents[2] / "k8s"
VERSION = "1.34"
NAME = "app.kubernetes.io/name"
# Kinds of others.
FOREIGN = {"Certificate", "Issuer", "ExternalSecret"}

# Who calls whom and what each role needs besides, as the design has it (ARCHITECTURE.md, the table of processes).
EDGES = {
    ("control-plane", "resolver-directory"),
    ("control-plane", "preflight-gateway"),
    ("control-plane", "evidence-vault"),
    ("control-plane", "ratelimit"),
    ("preflight-gateway", "ratelimit"),
    ("console", "control-plane"),
    ("console", "preflight-gateway"),
}
STORES = {
    "control-plane": {"database: control", "store: objects"},
    "control-plane-sequencer": {"database: control", "store: objects"},
    "resolver-scan": {"database: resolver"},
    "resolver-directory": {"database: resolver"},
    "preflight-gateway": {"database: preflight", "store: objects"},
    "preflight-worker": {"database: preflight", "store: objects"},
    "evidence-vault": {"database: evidence", "store: objects", "store: token"},
    "evidence-sequencer": {"database: evidence", "store: objects"},
    "ratelimit": {"store: redis"},
    "console": set(),
    "control-plane-migration": {"database: control"},
    "resolver-migration": {"database: resolver"},
    "preflight-gateway-migration": {"database: preflight"},
    "evidence-vault-migration": {"database: evidence"},
}
PUBLIC = {"control-plane", "resolver-scan", "preflight-gateway", "console"}
# One of them works at a time, whatever their number.
NOT_SCALED = {"control-plane-sequencer", "evidence-sequencer"}

problems = []


def problem(where, sentence):
    problems.append(f"{where}: {sentence}")


def render(kustomize, overlay):
    out = subprocess.run([kustomize, "build", str(K8S / "overlays" / overlay)], capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f"kustomize cannot render {overlay}:\n{out.stderr}")
    return [d for d in yaml.safe_load_all(out.stdout) if d]


def of_kind(docs, *kinds):
    return {d["metadata"]["name"]: d for d in docs if d["kind"] in kinds}


def validate(overlay, docs):
    for doc in docs:
        if doc["kind"] in FOREIGN:
            continue
        try:
            kubernetes_validate.validate(doc, VERSION, strict=True)
        except Exception as error:
            problem(overlay, f"{doc['kind']} {doc['metadata']['name']}: {error}")


def restricted(overlay, name, pod):
    """The Pod Security Standard `restricted`, and what we ask beyond it."""
    where = f"{overlay}: {name}"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            problem(where, f"has {field}")
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        problem(where, "may run as root")
    if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        problem(where, "has no seccomp profile")
    if pod.get("automountServiceAccountToken") is not False:
        problem(where, "is given a token of the cluster")
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "csi", "downwardAPI", "ephemeral"}:
            problem(where, f"has a volume of kind {kinds}")
    for container in pod.get("containers", []) + pod.get("initContainers", []):
        inner = container.get("securityContext", {})
        if inner.get("allowPrivilegeEscalation") is not False or inner.get("privileged"):
            problem(where, "may gain privileges")
        if inner.get("readOnlyRootFilesystem") is not True:
            problem(where, "can write to its own image")
        if inner.get("capabilities", {}).get("drop") != ["ALL"] or inner.get("capabilities", {}).get("add"):
            problem(where, "keeps capabilities")
        if any("hostPort" in port for port in container.get("ports", [])):
            problem(where, "takes a port of its node")
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            if not {"cpu", "memory"} <= set(resources.get(kind, {})):
                problem(where, f"does not state its {kind}")
        image = container["image"]
        if ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"):
            problem(where, f"runs an image without a version: {image}")


def kept_up(overlay, docs, name, deployment):
    """Probes, an end longer than the drain, and what keeps enough replicas."""
    where = f"{overlay}: {name}"
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container.get(probe, {}).get("httpGet", {}).get("port") != "ops":
            problem(where, f"has no {probe} on its operations port")
    if not any(port["name"] == "ops" for port in container["ports"]):
        problem(where, "names no operations port")
    settings = environment(docs, container)
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if pod["terminationGracePeriodSeconds"] <= int(settings["SHUTDOWN_GRACE_SECS"]) + pause:
        problem(where, "is killed before its drain can end")
    if len(pod.get("topologySpreadConstraints", [])) < 2:
        problem(where, "is not spread over zones and nodes")
    if name not in of_kind(docs, "PodDisruptionBudget"):
        problem(where, "has no PodDisruptionBudget")
    scaled = name in of_kind(docs, "HorizontalPodAutoscaler")
    if scaled == (name in NOT_SCALED) or scaled == ("replicas" in deployment["spec"]):
        problem(where, "is scaled by an autoscaler or by a number, never by both or none")
    service = of_kind(docs, "Service").get(name)
    serves = {port["name"] for port in container["ports"]} - {"ops"}
    if bool(serves) != (service is not None):
        problem(where, "needs a Service exactly where it serves")
    if service and ("grpc" in serves) != (service["spec"].get("clusterIP") == "None"):
        problem(where, "a Service for gRPC is headless, and no other is")


def environment(docs, container):
    """What the container finds in its environment; a secret's value is its reference."""
    maps = of_kind(docs, "ConfigMap")
    found = {}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        if name not in maps:
            problem(container["image"], f"asks for the ConfigMap {name}, which is not there")
        found.update(maps.get(name, {}).get("data", {}))
    for variable in container.get("env", []):
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        else:
            found[variable["name"]] = "secret:" + variable["valueFrom"]["secretKeyRef"]["key"]
    return found


def rules(policy, direction):
    return policy["spec"].get(direction, [])


def graph(overlay, docs):
    """The policies' graph, held against the design."""
    policies = of_kind(docs, "NetworkPolicy")
    everybody = policies.pop("deny-all", {}).get("spec")
    if everybody != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        problem(overlay, "the policy deny-all is missing or lets something through")
    shared = policies.pop("names-and-traces")
    ports = sorted(port["port"] for rule in rules(shared, "egress") for port in rule["ports"])
    if ports != [53, 53, 4317] or rules(shared, "ingress"):
        problem(overlay, "names-and-traces opens more than DNS and the collector")
    out, into, stores, public = set(), set(), {}, set()
    for name, policy in policies.items():
        if policy["spec"]["podSelector"] != {"matchLabels": {NAME: name}} and policy["spec"]["podSelector"][
            "matchLabels"
        ].get(NAME) != name:
            problem(overlay, f"the policy {name} is not of the pods of that name")
        stores[name] = set()
        for rule in rules(policy, "egress"):
            for peer in rule["to"]:
                labels = peer["podSelector"]["matchLabels"]
                if NAME in labels:
                    out.add((name, labels[NAME]))
                else:
                    [(label, value)] = labels.items()
                    stores[name].add(f"{label.removeprefix('mintmark.dev/')}: {value}")
        for rule in rules(policy, "ingress"):
            for peer in rule["from"]:
                pod = peer.get("podSelector", {}).get("matchLabels", {})
                where = peer.get("namespaceSelector")
                port = rule["ports"][0]["port"]
                if where == {"matchLabels": {"mintmark.dev/ingress": "true"}} and port == "http":
                    public.add(name)
                elif pod.get(NAME) == "prometheus" and port == "ops":
                    pass
                elif pod == {"mintmark.dev/envoy": "true"} and name == "ratelimit" and port == "grpc":
                    pass
                elif where is None and NAME in pod and port == "grpc":
                    into.add((pod[NAME], name))
                else:
                    problem(overlay, f"{name} lets in {peer} on {port}, which the design does not")
    for what, found, wanted in (
        ("egress", out, EDGES),
        ("ingress", into, EDGES),
        ("public edges", public, PUBLIC),
        ("stores", {(n, s) for n, all in stores.items() for s in all}, {(n, s) for n, all in STORES.items() for s in all}),
        ("policies", set(stores), set(STORES)),
    ):
        for extra in sorted(found - wanted):
            problem(overlay, f"{what}: {extra} is open and should not be")
        for missing in sorted(wanted - found):
            problem(overlay, f"{what}: {missing} is missing")
    routed = {
        path["backend"]["service"]["name"]
        for ingress in of_kind(docs, "Ingress").values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    if routed - PUBLIC:
        problem(overlay, f"routes lead to {routed - PUBLIC}, which is not public")


def secrets(overlay, docs):
    """No secret lies in a manifest, and each that is asked for is said where it comes from."""
    if of_kind(docs, "Secret"):
        problem(overlay, "holds Secret objects: values belong into a secret store")
    external = of_kind(docs, "ExternalSecret")
    if not external:
        return
    given = {(name, entry["secretKey"]) for name, doc in external.items() for entry in doc["spec"]["data"]}
    asked = set()
    for doc in of_kind(docs, "Deployment", "Job").values():
        container = doc["spec"]["template"]["spec"]["containers"][0]
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                asked.add((reference["name"], reference["key"]))
        settings = environment(docs, container)
        for volume in doc["spec"]["template"]["spec"].get("volumes", []):
            name = volume.get("secret", {}).get("secretName", "")
            if name.endswith("-keys"):
                files = [v.rsplit("/", 1)[-1] for v in settings.values() if v.startswith("/etc/mintmark/keys/")]
                asked.update((name, file) for file in files)
    for entry in sorted(asked ^ given):
        problem(overlay, f"the secret {entry} is asked for or given, not both")


def main():
    kustomize = sys.argv[1]
    if sys.argv[2:3] == ["--print"]:
        docs = render(kustomize, sys.argv[3])
        shown = []
        for name, doc in of_kind(docs, "Deployment", "Job").items():
            pod = doc["spec"]["template"]["spec"]
            container = pod["containers"][0]
            image = container["image"].rsplit("/", 1)[-1].split(":")[0]
            kept = {volume["name"] for volume in pod.get("volumes", []) if "secret" in volume}
            shown.append(
                {
                    "name": name,
                    "program": image,
                    "args": container.get("args", []),
                    "environment": environment(docs, container),
                    "secret_folders": [at["mountPath"] for at in container.get("volumeMounts", []) if at["name"] in kept],
                }
            )
        print(json.dumps(shown, indent=1))
        return
    for overlay in ("development", "production"):
        docs = render(kustomize, overlay)
        validate(overlay, docs)
        for name, doc in of_kind(docs, "Deployment", "Job").items():
            pod = doc["spec"]["template"]["spec"]
            restricted(overlay, name, pod)
            if name not in of_kind(docs, "ServiceAccount") or pod["serviceAccountName"] != name:
                problem(overlay, f"{name} has no account of its own")
        for name, doc in of_kind(docs, "Deployment").items():
            kept_up(overlay, docs, name, doc)
        graph(overlay, docs)
        secrets(overlay, docs)
        print(f"{overlay}: {len(docs)} objects")
    if problems:
        sys.exit("\n".join(problems))


main()
