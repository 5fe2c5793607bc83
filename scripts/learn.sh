#!/usr/bin/env bash
# nano on 300 demonstrations of one task, then twice 100 fresh seeds beside random actions, and what it imagines of 30
# demonstrations that it has not seen and of its own: scripts/learn.sh click_bell panda; what follows goes to aim train
set -euo pipefail
cd "$(dirname "$0")/.."
task=$1 robot=$2
out=runs/learn-$task-$robot
# one thread is fastest where the machine is shared; --compile on pays back its minute
.venv/bin/aim generate --task "$task" --robot "$robot" --num 300 --seed 1000 --push 0.04 --workers 2 --out "$out/demonstrations"
.venv/bin/aim generate --task "$task" --robot "$robot" --num 30 --seed 9000 --push 0.04 --workers 2 --out "$out/held-out"
.venv/bin/aim generate --task "$task" --robot "$robot" --num 30 --seed 9000 --workers 2 --out "$out/held-out-clean"
.venv/bin/aim train nano --data "$out/demonstrations" --out "$out/training" --compile on --resume "${@:3}"
step=$(basename "$(ls -d "$out"/training/step-* | tail -1)")
.venv/bin/aim eval --policy "$out/training" --task "$task" --robot "$robot" --episodes 100 --seed 0 --out "$out/nano-$step"
.venv/bin/aim eval --policy "$out/training" --task "$task" --robot "$robot" --episodes 100 --seed 5000 --films 0 --out "$out/nano-$step-5000"
.venv/bin/aim eval --policy random --task "$task" --robot "$robot" --episodes 100 --seed 0 --out "$out/random"
.venv/bin/aim imagine --policy "$out/training" --data "$out/held-out" --windows 256 --out "$out/imagined"
.venv/bin/aim imagine --policy "$out/training" --data "$out/held-out-clean" --windows 256 --out "$out/imagined-clean"
.venv/bin/aim imagine --policy "$out/training" --data "$out/demonstrations" --windows 256 --out "$out/imagined-own"
.venv/bin/aim report "$out"
