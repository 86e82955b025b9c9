#!/usr/bin/env bash
# hoi/present/site/three.min.js: what the report needs of three.js, as one classic script (pages from disk cannot load modules).
# Needs node and npm; run it after a change of scripts/node/three.js or of the version in scripts/node/package.json.
set -euo pipefail
cd "$(dirname "$0")/node"
npm ci --no-audit --no-fund
version=$(node -p 'require("./package.json").devDependencies.three')
npx esbuild three.js --bundle --minify --format=iife --global-name=HOI_THREE --legal-comments=none \
    --banner:js="/* Parts of three.js $version, https://threejs.org, bundled by scripts/build_viewer.sh.
$(cat node_modules/three/LICENSE)
*/" --outfile=../../hoi/present/site/three.min.js
