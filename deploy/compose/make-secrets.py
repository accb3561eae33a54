#!/usr/bin/env python3
"""Makes every secret, key and certificate of deploy/compose.yaml, once: what is there stays.

Usage: deploy/compose/make-secrets.py [FOLDER]     (default: deploy/compose/secrets, which git ignores; needs openssl)

The folder is its owner's alone. The files in it can be read by everybody who gets that far: a container's user is none of this
machine's. Remove a file to have it made again; the passwords of Postgres follow at the next start of `databases`, and who
removes `values.json` makes all of them anew.
"""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "secrets")
ZONE = "mintmark.internal"
SERVICES = ["control-plane", "resolver", "preflight-gateway", "evidence-vault", "ratelimit", "console"]
DATABASES = {
    "control": ["control_owner", "control_app", "control_sequencer"],
    "resolver": ["resolver_owner", "resolver_scan", "resolver_directory"],
    "preflight": ["preflight_owner", "preflight_gateway", "preflight_worker"],
    "evidence": ["evidence_owner", "evidence_vault", "evidence_sequencer"],
}
RATELIMIT = {"aud": "ppos:ratelimit", "scopes": ["ratelimit:check"]}
EVIDENCE = ["upload", "read", "content", "hold", "proof", "audit", "operate"]
# Whose signature may say what; the launcher's bundle says the same (crates/mintmark/src/up/keys.rs, held together by a test).
GRANTS = {
    "control-plane": [
        {"aud": "ppos:resolver", "scopes": ["directory:publish", "directory:revoke", "directory:read"]},
        {
            "aud": "ppos:control",
            "scopes": ["preflight:read", "preflight:write", "preflight:analyze", "jobs:read", "jobs:write"],
        },
        RATELIMIT,
        {"aud": "ppos:evidence", "scopes": [f"evidence:{what}" for what in EVIDENCE]},
    ],
    "preflight-gateway": [RATELIMIT],
    "console": [{"aud": "ppos:registry", "scopes": ["tokens:exchange"]}],
}


def openssl(*arguments, text=None):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=text).stdout


def file(name, make):
    """The file's content, which is made where it is missing: whole, or not at all."""
    path = FOLDER / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(make())
        fresh.chmod(0o644)
        fresh.rename(path)
    return path.read_bytes()


def rewritten(name, text):
    (FOLDER / name).unlink(missing_ok=True)
    file(name, text.encode)


def ed25519(name):
    return file(name, lambda: openssl("genpkey", "-algorithm", "ED25519"))


def public(pem):
    """The 32 bytes at the end of a public Ed25519 key."""
    return openssl("pkey", "-pubout", "-outform", "DER", text=pem)[-32:]


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(pem):
    x = url64(public(pem))
    # RFC 7638: the required members in lexicographic order, without white space.
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": x, "kid": url64(thumbprint)}


def verifier(log, pem):
    """A verifier key of the C2SP signed note."""
    key = b"\x01" + public(pem)
    identity = hashlib.sha256(log.encode() + b"\n" + key).digest()[:4].hex()
    return f"{log}+{identity}+{base64.b64encode(key).decode()}\n"


def certificates():
    ec = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    file("tls/ca.key", lambda: openssl(*ec))
    (FOLDER / "tls/ca.key").chmod(0o600)
    authority = str(FOLDER / "tls/ca.crt"), str(FOLDER / "tls/ca.key")
    subject = ["-subj", "/CN=Mintmark of this machine", "-days", "3650"]
    file("tls/ca.crt", lambda: openssl("req", "-x509", "-new", "-key", authority[1], *subject))
    for service in SERVICES:
        key = str(FOLDER / f"tls/{service}.key")
        file(f"tls/{service}.key", lambda: openssl(*ec))
        (FOLDER / "extensions.cnf").write_text(f"subjectAltName=DNS:{service}.{ZONE}\nbasicConstraints=CA:FALSE\n")
        request = lambda: openssl("req", "-new", "-key", key, "-subj", f"/CN={service}")
        sign = ["x509", "-req", "-CA", authority[0], "-CAkey", authority[1], "-days", "825"]
        extensions = ["-set_serial", str(secrets.randbits(127)), "-extfile", str(FOLDER / "extensions.cnf")]
        file(f"tls/{service}.crt", lambda: openssl(*sign, *extensions, text=request()))
        (FOLDER / "extensions.cnf").unlink()


def values():
    """Passwords and symmetric keys: one file, from which each role's variables are written."""
    key = lambda: base64.b64encode(secrets.token_bytes(32)).decode()
    word = lambda: secrets.token_hex(24)
    logins = ["postgres"] + [login for logins in DATABASES.values() for login in logins]
    made = {f"postgres/{login}": word() for login in logins}
    made |= {"redis": word(), "s3-id": "mintmark", "s3": word(), "grafana": word()}
    made |= {"control-token": "mmct_" + url64(secrets.token_bytes(32))}
    made |= {name: key() for name in ("code-master-key", "code-pepper", "evidence-encryption-key")}
    path = FOLDER / "values.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    rewritten("values.json", json.dumps(made | kept, indent=1) + "\n")
    path.chmod(0o600)
    return made | kept


def variables(v):
    url = lambda login, name: f"postgres://{login}:{v['postgres/' + login]}@postgres:5432/mintmark_{name}"
    store = {"S3_ACCESS_KEY_ID": v["s3-id"], "S3_SECRET_ACCESS_KEY": v["s3"]}
    pepper = {"CODE_PEPPERS": "1:" + v["code-pepper"]}
    control = {"PPOS_CONTROL_TOKEN": v["control-token"], "CODE_MASTER_KEY": v["code-master-key"]}
    return {
        "control-plane": {"CONTROL_DATABASE_URL": url("control_app", "control"), **control, **store},
        "control-plane-sequencer": {"CONTROL_SEQUENCER_DATABASE_URL": url("control_sequencer", "control"), **store},
        "control-plane-migration": {"CONTROL_MIGRATION_DATABASE_URL": url("control_owner", "control")},
        "resolver-scan": {"SCAN_DATABASE_URL": url("resolver_scan", "resolver"), **pepper},
        "resolver-directory": {"DIRECTORY_DATABASE_URL": url("resolver_directory", "resolver"), **pepper},
        "resolver-migration": {"RESOLVER_MIGRATION_DATABASE_URL": url("resolver_owner", "resolver")},
        "preflight-gateway": {"PREFLIGHT_DATABASE_URL": url("preflight_gateway", "preflight"), **store},
        "preflight-worker": {"PREFLIGHT_WORKER_DATABASE_URL": url("preflight_worker", "preflight"), **store},
        "preflight-gateway-migration": {"PREFLIGHT_MIGRATION_DATABASE_URL": url("preflight_owner", "preflight")},
        "evidence-vault": {
            "EVIDENCE_DATABASE_URL": url("evidence_vault", "evidence"),
            "EVIDENCE_ENCRYPTION_KEY": v["evidence-encryption-key"],
            **store,
        },
        "evidence-sequencer": {"EVIDENCE_SEQUENCER_DATABASE_URL": url("evidence_sequencer", "evidence"), **store},
        "evidence-vault-migration": {"EVIDENCE_MIGRATION_DATABASE_URL": url("evidence_owner", "evidence")},
        "ratelimit": {"RATE_LIMIT_REDIS_URL": f"redis://default:{v['redis']}@redis:6379"},
        "postgres": {"POSTGRES_PASSWORD": v["postgres/postgres"]},
        "databases": {"PGPASSWORD": v["postgres/postgres"]}
        | {f"PASSWORD_{login}": v[f"postgres/{login}"] for logins in DATABASES.values() for login in logins},
        "redis": {"REDIS_PASSWORD": v["redis"]},
        "minio": {"MINIO_ROOT_USER": v["s3-id"], "MINIO_ROOT_PASSWORD": v["s3"]},
        "grafana": {"GF_SECURITY_ADMIN_PASSWORD": v["grafana"]},
    }


def main():
    os.umask(0o077)
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    signers = {name: ed25519(f"keys/{name}.pem") for name in GRANTS}
    ed25519("keys/session.pem")
    keys = [jwk(pem) | {"service": name, "grants": GRANTS[name]} for name, pem in signers.items()]
    bundle = {"issuer": "https://auth.printprice.pro", "keys": keys}
    rewritten("trust-bundle.json", json.dumps(bundle, indent=1) + "\n")
    logs = [f"example.com/mintmark/{name}" for name in ("control-plane", "evidence-vault")]
    audit = [verifier(log, ed25519(f"keys/{log.rsplit('/', 1)[1]}-audit.pem")) for log in logs]
    rewritten("verifier-keys.txt", "".join(audit))
    file("keys/proof.pem", lambda: openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"))
    certificates()
    for role, of in variables(values()).items():
        rewritten(f"{role}.env", "".join(f"{name}={value}\n" for name, value in of.items()))
    print(f"{FOLDER}: the secrets of this machine are there")


main()
