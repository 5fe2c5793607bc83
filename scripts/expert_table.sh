#!/usr/bin/env bash
# The expert on seeds 0 to 99 of every task, every robot, clean scenes and random ones: nothing skipped, nothing tried
# twice. Stopped, the same command goes on: scripts/expert_table.sh [OUT [SUITE [EPISODES [ROBOT ...]]]]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/expert} suite=${2:-robotwin50} episodes=${3:-100}
shift $(($# < 3 ? $# : 3))
[ $# -gt 0 ] || set -- aloha panda ur5e piper
for robot in "$@"; do
    for variation in clean random; do
        echo "== $suite, $robot, $variation"
        .venv/bin/aim eval --policy expert --suite "$suite" --robot "$robot" --variation "$variation" \
            --episodes "$episodes" --seed 0 --out "$out/$suite-$robot-$variation"
    done
done
