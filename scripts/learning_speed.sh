#!/usr/bin/env bash
# What makes nano learn faster: equal steps, one change at a time, 200 fresh seeds each, on place_empty_cup with panda.
#   scripts/learning_speed.sh [DEVICE [STEPS [DEMONSTRATIONS [EPISODES]]]]
# What is finished is kept: the same command again goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-auto} steps=${2:-4000} many=${3:-700} episodes=${4:-200}
few=$((many * 3 / 7))
out=runs/learning-speed
task=(--task place_empty_cup --robot panda)
.venv/bin/aim generate "${task[@]}" --num "$many" --seed 1000 --push 0.04 --size 256x256 --workers 2 --out $out/demonstrations

# name, demonstrations, versions of their pictures beside the one as it is, and flags of aim train
train() {
  local name=$1 count=$2 shifts=$3; shift 3
  local first=$out/codec-$shifts
  [ "$name" = codec-$shifts ] || set -- --codec "$first" "$@"
  .venv/bin/aim train nano --data $out/demonstrations --episodes "0-$((count - 1))" --shifts "$shifts" --device "$device" \
    --film-every 0 --resume --out "$out/$name" "$@"
}
judge() {
  .venv/bin/aim eval --policy "$out/$1" "${task[@]}" --episodes "$episodes" --seed 0 --films 0 --out "$out/$1-evaluated"
}
train codec-3 $few 3 --steps 1
train codec-1 "$many" 1 --steps 1 --codec $out/codec-3
while read -r name count shifts flags; do
  # shellcheck disable=SC2086 # flags are several words
  train "$name" "$count" "$shifts" --steps "$steps" $flags
  judge "$name"
done <<LIST
adamw $few 3 --train.optimizer adamw
condition-noise $few 3 --train.optimizer adamw --model.condition-noise 1
more $many 1 --train.optimizer adamw
muon $few 3 --train.optimizer muon
fovea $few 3 --train.optimizer adamw --model.fovea 64
more-fovea $many 1 --train.optimizer adamw --model.fovea 64
more-fovea-muon $many 1 --train.optimizer muon --model.fovea 64
LIST
.venv/bin/aim report $out
