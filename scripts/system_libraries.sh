#!/usr/bin/env bash
# The few system libraries that open3d loads and a bare container lacks: installed where that is allowed, else named.
set -euo pipefail
python=${PYTHON:-python3}
missing=()
while read -r library package; do
    "$python" -c "import ctypes; ctypes.CDLL('$library')" 2>/dev/null || missing+=("$package")
done <<LIST
libusb-1.0.so.0 libusb-1.0-0
libGL.so.1 libgl1
libEGL.so.1 libegl1
libX11.so.6 libx11-6
libgomp.so.1 libgomp1
LIST
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "hoi needs system libraries: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
