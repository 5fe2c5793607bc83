#!/usr/bin/env bash
# Demonstrations an hour, task by task and over all: aloha, mixed scenes, three 128x128 cameras, value maps, states, two
# workers, each task from the start of its workers to shards on the disk: scripts/generate_table.sh [SUITE [NUM [OUT]]]
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:-robotwin50} num=${2:-20} out=${3:-$(mktemp -d)}
mkdir -p "$out"
names=$(.venv/bin/aim tasks --suite "$suite" --robot aloha --json 2>/dev/null | tail -n 1 |
    .venv/bin/python -c 'import json, sys; print(*(task["name"] for task in json.load(sys.stdin)["tasks"]))')
for task in $names; do
    .venv/bin/aim generate --task "$task" --robot aloha --variation mixed --size 128x128 --num "$num" --workers 2 \
        --out "$out/$task" --json 2>"$out/$task.log" | tail -n 1 >"$out/$task.json" || echo "failed, see $out/$task.log"
done
.venv/bin/python - "$out" <<'PYTHON'
import json, pathlib, sys

texts = {path.stem: path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))}
rows = {name: json.loads(text) for name, text in texts.items()}
rows = {name: row for name, row in rows.items() if row.get("added")}
print(f"{'task':30} {'episodes/h':>10} {'attempts':>9} {'redraws':>8} {'kB each':>8}")
for name, row in rows.items():
    size = row["bytes"] / row["episodes"] / 1000
    print(f"{name:30} {row['episodes_per_hour']:10,.0f} {row['attempts']:9} {row['redraws']:8} {size:8.0f}")
total, seconds = (sum(row[key] for row in rows.values()) for key in ("added", "seconds"))
size = sum(row["bytes"] for row in rows.values()) / sum(row["episodes"] for row in rows.values()) / 1000
print(f"{f'all {len(rows)}':30} {3600 * total / seconds:10,.0f} {'':9} {'':8} {size:8.0f}")
PYTHON
