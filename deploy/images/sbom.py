"""Prints the bill of materials of one program as CycloneDX 1.5 JSON: every crate that is linked into it, and what the image holds besides.

Usage: sbom.py SERVICE [DEB-PACKAGE...]      (in the workspace; asks `cargo metadata`, and dpkg for the packages)

Normal dependencies alone: what only builds or tests is not shipped. Features are those of the whole workspace, so a crate may
stand here that this program does not use; none that it uses is missing. The same tree gives the same text.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def host():
    return next(line.split()[1] for line in output("rustc", "-vV").splitlines() if line.startswith("host:"))


def crates(service):
    """The packages that the program is linked with, itself first, and the edges between them."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={host()}"))
    packages = {package["id"]: package for package in metadata["packages"]}
    edges = {
        node["id"]: sorted(d["pkg"] for d in node["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"]))
        for node in metadata["resolve"]["nodes"]
    }
    of = lambda package: any("bin" in t["kind"] and t["name"] == service for t in package["targets"])
    start = next((package["id"] for package in metadata["packages"] if of(package)), None)
    if start is None:
        sys.exit(f"sbom.py: no package of this workspace has a program {service}")
    found, todo = {start}, [start]
    while todo:
        for other in edges[todo.pop()]:
            if other not in found:
                found.add(other)
                todo.append(other)
    ordered = [start] + sorted(found - {start}, key=lambda id: (packages[id]["name"], packages[id]["version"]))
    return [packages[id] for id in ordered], {id: edges[id] for id in ordered}


def checksums():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    made = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("license"):
        # Old crates write a slash where SPDX says OR.
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return made


def of_debian(names):
    for name in sorted(set(names)):
        version = output("dpkg-query", "--show", "--showformat=${Version}", name).strip()
        plain = name.split(":")[0]
        purl = f"pkg:deb/debian/{plain}@{version}"
        yield {"type": "library", "bom-ref": purl, "name": plain, "version": version, "purl": purl}


def main():
    packages, edges = crates(sys.argv[1])
    sums = checksums()
    by_id = {package["id"]: reference(package) for package in packages}
    program = component(packages[0], sums) | {"type": "application", "name": sys.argv[1]}
    print(
        json.dumps(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.5",
                "version": 1,
                "metadata": {"component": program},
                "components": [component(p, sums) for p in packages[1:]] + list(of_debian(sys.argv[2:])),
                "dependencies": [
                    {"ref": by_id[id], "dependsOn": sorted(by_id[other] for other in others)} for id, others in edges.items()
                ],
            },
            indent=1,
        )
    )


main()
