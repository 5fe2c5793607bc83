#!/usr/bin/env bash
# Success of stable-baselines3's PPO on click_bell, before and after 20 minutes on one core. Keywords go to learn_ppo.py.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv-sb3/bin/python
if ! "$python" -c 'import stable_baselines3, sim' 2>/dev/null; then
    [ -x "$python" ] || "${PYTHON:-python3}" -m venv .venv-sb3
    pip() { "$python" -m pip --disable-pip-version-check install --quiet "$@"; }
    # torch first: what depends on it then keeps this build
    pip --constraint constraints.txt torch
    pip stable-baselines3 mujoco h5py 'opencv-python-headless>=5'
    pip --no-deps --editable .
fi
OMP_NUM_THREADS=1 exec "$python" scripts/learn_ppo.py "$@"
