#!/bin/bash
# Installs the grader into the image of a course: from the wheelhouse beside this file, or from pip's package index.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=/opt/dl-grader

newest() {
    for name in python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"; return
        fi
    done
}

python=$(newest)
if [ -z "$python" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
    python=$(newest)
fi
if [ -z "$python" ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3.11 python3.11-venv
    python=$(newest)
fi
[ -n "$python" ] || { echo "setup.sh: Python 3.11 or newer is needed; choose a newer base image" >&2; exit 1; }

"$python" -m venv "$venv"
if [ -d "$here/wheelhouse" ]; then
    options=(--no-index --find-links "$here/wheelhouse")
else
    options=(--extra-index-url https://download.pytorch.org/whl/cpu)
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "${options[@]}" --requirement "$here/requirements.txt"
echo "$here/package" > "$("$venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/grader.pth"
"$venv/bin/python" -m compileall -q "$here/package"
# What this container can protect, for the log of the build.
"$venv/bin/python" -P -m grader.cli doctor || true
