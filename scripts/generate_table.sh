#!/usr/bin/env bash
# Demonstrations an hour over a suite and task by task: aloha, mixed scenes, three 128x128 cameras, value maps, states,
# two workers, from the start of the workers to shards on the disk: scripts/generate_table.sh [SUITE [NUM [OUT]]]
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:-robotwin50} num=${2:-20} out=${3:-$(mktemp -d)}
.venv/bin/aim generate --suite "$suite" --robot aloha --variation mixed --size 128x128 --num "$num" --workers 2 \
    --out "$out/set" --json | tail -n 1 | .venv/bin/python -c '
import json, sys

made = json.load(sys.stdin)
line = "{:30} {:10,.0f} episodes/h".format
for name, figures in made["tasks"].items():
    print(line(name, figures["episodes_per_hour"]))
print(line("all", made["episodes_per_hour"]))
print("{episodes} of {attempts} attempts, {redraws} scenes drawn again".format(**made))
print("{:.1f} MB an episode".format(made["bytes"] / made["episodes"] / 1e6))'
