#!/usr/bin/env bash
# What a few tests drive, and are skipped without: Chromium (the report) and the Khronos glTF validator (scene.glb).
set -uo pipefail
cd "$(dirname "$0")/.."
if ! command -v chromium chromium-browser google-chrome chrome >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    fi || echo "Chromium could not be installed: the tests of the report in a browser will be skipped" >&2
    command -v chromium >/dev/null || echo "for the tests of the report in a browser: apt-get install chromium" >&2
fi
if command -v npm >/dev/null; then
    npm ci --omit=dev --no-audit --no-fund --silent --prefix scripts/node ||
        echo "the glTF validator could not be installed: its test will be skipped" >&2
else
    echo "for the test of scene.glb with Khronos' validator: node and npm" >&2
fi
