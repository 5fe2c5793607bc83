#!/usr/bin/env bash
# The expert on seeds 0 to 99 of every task and robot that can do it: nothing skipped, nothing tried twice.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/expert}
one_arm="click_bell place_empty_cup open_laptop"
.venv/bin/aim eval --policy expert --robot panda --task $one_arm --episodes 100 --seed 0 --out "$out/panda"
.venv/bin/aim eval --policy expert --robot aloha --task $one_arm handover_block --episodes 100 --seed 0 --out "$out/aloha"
