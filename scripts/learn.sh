#!/usr/bin/env bash
# nano on 300 demonstrations of one task, then 100 fresh seeds beside random actions: scripts/learn.sh click_bell panda 28
set -euo pipefail
cd "$(dirname "$0")/.."
task=$1 robot=$2 minutes=$3
out=runs/learn-$task-$robot
# two threads on two free cores; one thread where the machine is shared
.venv/bin/aim generate --task "$task" --robot "$robot" --num 300 --seed 1000 --workers 2 --out "$out/demonstrations"
.venv/bin/aim train nano --data "$out/demonstrations" --out "$out/training" --minutes "$minutes" --resume
.venv/bin/aim eval --policy "$out/training" --task "$task" --robot "$robot" --episodes 100 --seed 0 --out "$out/nano"
.venv/bin/aim eval --policy random --task "$task" --robot "$robot" --episodes 100 --seed 0 --out "$out/random"
.venv/bin/aim report "$out"
