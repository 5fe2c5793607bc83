#!/usr/bin/env bash
# How many denoising steps a policy needs: scripts/steps.sh runs/learn-click_bell-panda
set -euo pipefail
cd "$(dirname "$0")/.."
run=$1
for video in 1 2 3 6; do
    for action in 1 2 4 8; do
        echo "== $video steps of pictures and maps, $action of actions"
        .venv/bin/aim imagine --policy "$run/training" --data "$run/held-out" --out "$run/steps-$video-$action" \
            --video-steps "$video" --action-steps "$action"
    done
done
