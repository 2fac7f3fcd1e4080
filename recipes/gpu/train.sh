#!/usr/bin/env bash
# Trains from the pack that this file lies in: train.sh OUT --minutes 9 [--objective distill]. Needs Python 3.12 with torch
# and numpy; what else is needed lies here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "$1")
shift
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
for wheel in "$here"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$site"; done
cd "$here"
PYTHONPATH="$site:$here/src:$here" python3 -m recipes.gpu.train "$here" "$out" "$@"
