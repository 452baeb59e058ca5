#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image in which hand-ins are graded:
# everything is installed, fetched and built here, so that grading needs no network.
set -euo pipefail
. "${AUTOGRADER_DIR:-/autograder}/source/environment"

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl unzip qemu-system-x86

# Go comes as the go command itself would fetch it, because the distribution's own
# may be too old to do that: Ubuntu 22.04 has Go 1.18, and 1.21 is the first that can.
name=golang.org/toolchain@v0.0.1-@GO@.linux-amd64
modules=${GO_MODULES:-https://go.dev/dl/mod}
mkdir -p "$base/cache"
curl -fsSL --retry 3 -o "$base/cache/go.zip" "$modules/${name/@/\/@v\/}.zip"
echo "@SUM@  $base/cache/go.zip" | sha256sum --check --quiet
unzip -q "$base/cache/go.zip" -d "$base/cache/unpacked"
mv "$base/cache/unpacked/$name" "$base/go"
chmod -R +x "$base/go/bin" "$base/go/pkg/tool"
rm -r "$base/cache/go.zip" "$base/cache/unpacked"

# The reference is graded like a hand-in: it must get the full score here, and
# everything that a grading needs is in the caches afterwards.
cd "$reference"
go build -o bin/yolk ./tools/yolk
bin/yolk grade -lab @LAB@ "${tests[@]}" "$reference"
