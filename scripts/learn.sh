#!/usr/bin/env bash
# nano on demonstrations of one task, then fresh seeds beside random actions, and what it imagines of 30 demonstrations
# that it has not seen and of its own. What follows the number of seeds goes to aim train.
#   scripts/learn.sh TASK ROBOT DEMONSTRATIONS SIZE EPISODES [FLAG...]
#   scripts/learn.sh click_bell panda 300 128x128 200
set -euo pipefail
cd "$(dirname "$0")/.."
task=(--task "$1" --robot "$2")
count=$3 size=$4 episodes=$5
out=runs/learn-$1-$2
# one thread is fastest where the machine is shared
.venv/bin/aim generate "${task[@]}" --num "$count" --seed 1000 --push 0.04 --size "$size" --workers 2 --out "$out/demonstrations"
.venv/bin/aim generate "${task[@]}" --num 30 --seed 9000 --push 0.04 --size "$size" --workers 2 --out "$out/held-out"
.venv/bin/aim train nano --data "$out/demonstrations" --out "$out/training" --resume "${@:6}"
.venv/bin/aim eval --policy "$out/training" "${task[@]}" --episodes "$episodes" --seed 0 --out "$out/nano"
.venv/bin/aim eval --policy random "${task[@]}" --episodes "$episodes" --seed 0 --out "$out/random"
.venv/bin/aim imagine --policy "$out/training" --data "$out/held-out" --windows 256 --out "$out/imagined"
.venv/bin/aim imagine --policy "$out/training" --data "$out/demonstrations" --windows 256 --out "$out/imagined-own"
.venv/bin/aim report "$out"
