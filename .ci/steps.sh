#!/usr/bin/env bash
# The steps of .ci/run, one function each. `bash .ci/steps.sh <step>` runs one from the root folder.
set -euo pipefail

readonly work="$PWD/.ci/work"
# Material for developers that stands beside a checkout, not in it; steps that need it are skipped without.
readonly shared="$PWD/../shared"
readonly skip_code=77

export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never PYTHONDONTWRITEBYTECODE=1
if [ "${CI:-}" = true ]; then
  export CARGO_INCREMENTAL=0 # a fresh clone is built once
fi
[ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"

# need <command> <Debian package>: the machine's, or installed where we may.
need() {
  command -v "$1" >/dev/null && return
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || { echo "$1 is missing"; return 1; }
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$2"
}

# venv <name> <requirement>...: a virtual environment that has exactly these; made anew when they change.
venv() {
  local dir="$work/$1" wanted="${*:2}"
  need python3 python3
  [ -f "$dir/complete" ] && [ "$(cat "$dir/complete")" = "$wanted" ] && return
  rm -rf "$dir"
  python3 -m venv "$dir" || { need pip3 python3-venv && python3 -m venv "$dir"; }
  "$dir/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
  echo "$wanted" >"$dir/complete"
}

# node_modules_of <name> <folder>: what the folder's package.json names, in .ci/work/<name>; made anew when
# that changes.
node_modules_of() {
  local dir="$work/$1" wanted="$2/package.json"
  need node nodejs && need npm npm
  [ -d "$dir/node_modules" ] && cmp -s "$wanted" "$dir/complete.json" && return
  rm -rf "$dir"
  mkdir -p "$dir"
  cp "$wanted" "$dir/"
  (cd "$dir" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error)
  cp "$wanted" "$dir/complete.json"
}

step_tests() {
  need cc gcc # for the crates that bring C
  cargo test --workspace
}

step_fmt() {
  cargo fmt --all --check -- --color never
  # The tests before would have brought a stale lock file up to date.
  if [ "${CI:-}" = true ]; then git diff --exit-code -- Cargo.lock; fi
}

step_clippy() {
  cargo clippy --workspace --all-targets -- -D warnings
}

step_doc() {
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
}

step_demo() {
  need python3 python3
  cargo build -p local
  cargo run --quiet -p local -- demo --once --json --tenants 5 --days 3 >"$work/demo.json"
  python3 .ci/check_demo.py "$work/demo.json" 5
}

step_browser() {
  need python3 python3
  need chromium chromium
  need pdftotext poppler-utils
  cargo build -p local
  rm -rf "$work/statements" "$work/pages"
  cargo run --quiet -p local -- demo --once --json --tenants 3 --days 30 --statements "$work/statements" >"$work/demo-month.json"
  python3 .ci/check_demo.py "$work/demo-month.json" 3
  python3 .ci/check_pages.py "$work/statements" "$work/pages"
}

step_vectors() {
  local vectors="$shared/twilio/signature_vectors.json" log="$work/vectors.log"
  if [ ! -f "$vectors" ]; then
    echo "skipped: no signature vectors beside this checkout (CI=${CI:-false})"
    return "$skip_code"
  fi
  TOLLGATE_SIGNATURE_VECTORS="$vectors" cargo test -p twilio vectors -- --nocapture | tee "$log"
  grep -Eq '^[1-9][0-9]* vectors judged right: [1-9][0-9]* of HMAC_SHA1, [1-9][0-9]* of HMAC_SHA256' "$log" ||
    { echo "no test read the vectors, or none of an algorithm"; return 1; }
}

step_signatures() {
  local here=tests/conformance/signatures dir="$work/signatures-run"
  venv client twilio==9.13.0
  node_modules_of signatures "$here"
  cargo build -p twilio-sim
  mkdir -p "$dir"
  python3 "$here/generate.py" "$dir/vectors.json"
  "$work/client/bin/python" "$here/verdicts.py" "$dir/vectors.json" >"$dir/python.jsonl" &
  NODE_PATH="$work/signatures/node_modules" node "$here/verdicts.mjs" "$dir/vectors.json" >"$dir/node.jsonl"
  wait $!
  python3 "$here/compare.py" "${CARGO_TARGET_DIR:-target}/debug/twilio-sim" "$dir/vectors.json" "$dir/python.jsonl" "$dir/node.jsonl"
}

step_deny() {
  # Unoptimised: it builds in half the time and checks in seconds all the same.
  if [ ! -x "$work/tools/bin/cargo-deny" ]; then
    cargo install --quiet --locked --debug --root "$work/tools" cargo-deny@0.20.2
  fi
  "$work/tools/bin/cargo-deny" check bans licenses sources
}

step_template() {
  venv sam aws-sam-cli==1.170.0 cfn-lint==1.58.0
  # Nothing is asked of AWS; the tools want to see some account and region all the same.
  export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0
  "$work/sam/bin/sam" validate --lint --template template.yaml
  "$work/sam/bin/sam" validate --lint --template template.yaml --config-env staging
  "$work/sam/bin/python" .ci/translate.py template.yaml "$work/translated.json"
  "$work/sam/bin/cfn-lint" --regions us-east-1 --template "$work/translated.json"
  echo "the translated template is clean"
}

step_watch() {
  venv lambda cargo-lambda==1.9.2
  # Built before they are waited for. The same selection as cargo-lambda's, so nothing is built twice.
  cargo build --bin provisioning --bin webhook
  cargo build -p local
  PATH="$work/lambda/bin:$PATH" python3 .ci/check_watch.py
}

step_conformance() {
  local here=tests/conformance oai="$shared/twilio/oai" client="$shared/checks/official_client.py" schemas=()
  if [ -d "$oai" ]; then
    schemas=(--oai "$oai")
  elif [ "${CI:-}" = true ]; then
    echo "the OpenAPI documents are not beside this checkout"
    return 1
  fi
  venv conformance twilio==9.13.0 jsonschema==4.26.0
  node_modules_of conformance-modules "$here/node"
  cargo build -p twilio-sim
  if [ -f "$client" ]; then
    "$work/conformance/bin/python" .ci/check_client.py "$client"
  fi
  python3 "$here/run.py" --python "$work/conformance/bin/python" --modules "$work/conformance-modules/node_modules" "${schemas[@]}"
}

"step_$1"
