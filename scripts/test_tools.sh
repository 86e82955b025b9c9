#!/usr/bin/env bash
# What a few tests drive, and are skipped without: Chromium (the report), LaTeX (tables) and the Khronos glTF validator (scene.glb).
set -uo pipefail
cd "$(dirname "$0")/.."
debian() { # command, package, what is skipped without it
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    fi || true
    command -v "$1" >/dev/null || echo "skipped without $2 (apt-get install $2): $3" >&2
}
command -v chromium-browser google-chrome chrome >/dev/null || debian chromium chromium "the tests of the report in a browser"
debian pdflatex texlive-latex-recommended "the test that tables in LaTeX compile"
if command -v npm >/dev/null; then
    npm ci --omit=dev --no-audit --no-fund --silent --prefix scripts/node ||
        echo "the glTF validator could not be installed: its test will be skipped" >&2
else
    echo "for the test of scene.glb with Khronos' validator: node and npm" >&2
fi
