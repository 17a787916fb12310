# Sourced by the scripts: where things are, the nightly toolchain, and tools that cargo installs.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where cargo builds what this manifest describes: CARGO_TARGET_DIR or a configuration may set it.
target_of() {
  cargo metadata --manifest-path "$1" --format-version 1 --no-deps |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
target=$(target_of "$root/Cargo.toml")

# The nightly of the day may be broken; NIGHTLY=nightly-2026-11-01 names one that is not.
nightly=${NIGHTLY:-nightly}
host() { rustc +"$nightly" -vV | sed -n 's/^host: //p'; }

# Installs a program from crates.io below the target folder, if it is missing.
tools=$target/tools
export PATH="$tools/bin:$PATH"
tool() {
  command -v "$1" >/dev/null && return
  echo "installing $1 (cargo install, into $tools)" >&2
  cargo install --locked --root "$tools" "$1"
}
