#!/usr/bin/env bash
# Env throughput beside EnvPool (a C++ peer, in an environment of its own, never a dependency): 16 worlds, 20 ms control, one and two
# threads, success predicates included. The processes take turns; medians of ROUNDS rounds. Usage: scripts/compare_envpool.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7}
peer=.venv-envpool
export OMP_NUM_THREADS=1
if [ ! -x $peer/bin/python ]; then
    .venv/bin/python -m venv $peer
    $peer/bin/pip --disable-pip-version-check install --quiet envpool==1.2.5
fi
.venv/bin/python - "$rounds" <<'PY'
import statistics
import subprocess
import sys

ROUNDS = int(sys.argv[1])
PAIRS = (("place_empty_cup", "panda", "PandaPickCube-v1"), ("handover_block", "aloha", "AlohaHandOver-v1"))


def start(*words: str) -> subprocess.Popen[str]:
    """Start a process that measures a round for every line that it is sent."""
    python = ".venv/bin/python" if words[0] == "ours" else ".venv-envpool/bin/python"
    process = subprocess.Popen(
        [python, "scripts/compare_envpool.py", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.stdout.readline().strip() != "ready":
        assert process.poll() is None, f"{' '.join(words)} ended"
    return process


print("control steps/s, 16 worlds, medians;  ours 1 thread, 2 threads  |  EnvPool 1, 2  |  ours/EnvPool 1, 2  |  ours 2/1")
for task, robot, peer in PAIRS:
    processes = [start(*words, str(n)) for n in (1, 2) for words in (("ours", task, robot), ("envpool", peer))]
    rates = [[] for _ in processes]
    for _ in range(ROUNDS):
        for process, found in zip(processes, rates):
            process.stdin.write("go\n")
            process.stdin.flush()
            found.append(int(process.stdout.readline()))
    for process in processes:
        process.stdin.close()
        process.wait()
    ours1, pool1, ours2, pool2 = rates

    def ratio(a, b):
        return statistics.median(x / y for x, y in zip(a, b))

    medians = [round(statistics.median(r)) for r in (ours1, ours2, pool1, pool2)]
    print(f"{task:16} {robot:6} {medians[0]:6} {medians[1]:6}  |  {medians[2]:6} {medians[3]:6}  |  "
          f"{ratio(ours1, pool1):.2f} {ratio(ours2, pool2):.2f}  |  {ratio(ours2, ours1):.2f}")
PY
