#!/usr/bin/env bash
# Physics steps a second a thread, pictures a second, episodes an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
.venv/bin/aim bench sim --robot panda
.venv/bin/aim bench render --robot panda
.venv/bin/aim generate --task place_empty_cup --robot aloha --size 128x128 --num 100 --workers 2 --out "$out/cup" --json
