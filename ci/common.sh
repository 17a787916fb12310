# Sourced by the scripts: where things are, the nightly toolchain, and tools that cargo installs.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where cargo builds what this manifest describes: CARGO_TARGET_DIR or a configuration may set it.
target_of() {
  cargo metadata --manifest-path "$1" --format-version 1 --no-deps |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
target=$(target_of "$root/Cargo.toml")

# Arguments for cargo: all packages with all features. What is built with them is built once, whoever asks for it.
whole=(--workspace --all-features)

# Each step of the gate says at what time it begins.
step() { printf '\n== %s (%(%T)T)\n' "$*" -1; }

# Runs cargo, or a script that does, with clippy as the compiler: it lints what it builds, and nothing is
# compiled a second time for that. Not for what is measured: clippy's compiler optimizes less.
linted() { RUSTC_WORKSPACE_WRAPPER=clippy-driver RUSTFLAGS="${RUSTFLAGS--D warnings}" "$@"; }

# The nightly of the day may be broken; NIGHTLY=nightly-2026-11-01 names one that is not.
nightly=${NIGHTLY:-nightly}
host() { rustc +"$nightly" -vV | sed -n 's/^host: //p'; }

# Installs a program from crates.io below the target folder, if it is missing.
tools=$target/tools
export PATH="$tools/bin:$PATH"
tool() {
  command -v "$1" >/dev/null && return
  echo "installing $1 (cargo install, into $tools)" >&2
  # They wait for rustc: an optimized build of them takes longer than it saves.
  cargo install --debug --locked --root "$tools" "$1"
}

# The same of a component of a toolchain: component NAME [TOOLCHAIN]
component() {
  rustup component list --installed ${2:+--toolchain "$2"} 2>/dev/null | grep -q "^$1\b" && return
  echo "installing $1 (rustup component${2:+ of $2})" >&2
  rustup component add "$1" ${2:+--toolchain "$2"}
}

# Arguments for cargo that choose the tests of the root package, but for those that are named here.
tests_but() {
  local test
  for test in "$root"/tests/*.rs "$root"/tests/*/main.rs; do
    test=${test#"$root"/tests/} test=${test%/main.rs} test=${test%.rs}
    [[ " $* " == *" $test "* ]] || printf -- '--test=%s\n' "$test"
  done
}
