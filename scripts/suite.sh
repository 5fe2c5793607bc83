#!/usr/bin/env bash
# small on every task of RoboTwin's fifty, on a machine with a GPU: scripts/suite.sh aloha
set -euo pipefail
cd "$(dirname "$0")/.."
robot=$1
out=runs/suite-$robot
.venv/bin/aim generate --suite robotwin50 --robot "$robot" --num 300 --seed 1000 --push 0.04 --workers "$(nproc)" --out "$out/demonstrations"
.venv/bin/aim train small --data "$out/demonstrations" --out "$out/training" --variant text --resume
.venv/bin/aim eval --policy "$out/training" --suite robotwin50 --robot "$robot" --episodes 100 --seed 0 --out "$out/small"
.venv/bin/aim report "$out"
