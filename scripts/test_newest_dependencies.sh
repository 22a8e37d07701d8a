#!/usr/bin/env bash
# Run the tests with the newest dependencies, without constraints.txt: scripts/test_newest_dependencies.sh [PYTHON]
#
# Not part of .ci/run: except for the Python that constraints.txt was made for, torch may come as a CUDA build of
# several gigabytes.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
"${1:-python3}" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check '.[test]'
"$environment/bin/python" -m pip list --disable-pip-version-check | grep -iE '^(anndata|numpy|pandas|scikit-learn|scipy|torch) '
PYTHONPATH=. "$environment/bin/python" -m pytest
