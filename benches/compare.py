#!/usr/bin/env python3
"""Whole processes side by side: lifeboat and whatever peers are installed, interleaved with the floors of the same round.

    make build && benches/compare.py [--rounds N] [--peer-rounds N] [--lifeboat PATH]

Prints one table of minima and medians of wall time, CPU time, peak memory and the ratio to the journal's floor of the same
round. Read the ratios, not the seconds: the disk and the neighbours move. make and ninja come from the system, other peers
from peers.sh. A peer that is not installed is left out, and said so.

Peers run the shapes that they can express. Ansible: a chain of 100, times ten, since a thousand take nine minutes. DBOS: a
chain. steno: a chain and a fan-out; its time grows tenfold with each layer of a layered run, so that one never ends. Each
run of a peer is ended after LIMIT seconds, and shows as that.
"""
import argparse, math, os, shutil, signal, sqlite3, statistics, subprocess, sys, tempfile, time

STEPS, WIDTH = 1000, 10
LIMIT = 120
FLOOR = "floor: 2000 SQLite commits, WAL FULL"
HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "lifeboat", "peers")


def needs(shape, n):
    if shape == "chain":
        return [n - 1] if n else []
    if shape == "fan-out":
        return []
    layer = n // WIDTH
    return [(layer - 1) * WIDTH + k for k in range(WIDTH)] if layer else []


def documents(folder, shape, step, region="{provider: other}"):
    """A group without targets, its regions, and a runbook of STEPS steps of one kind."""
    os.makedirs(folder, exist_ok=True)
    head = "apiVersion: lifeboat.dev/v1alpha1\n"
    with open(f"{folder}/group.yaml", "w") as f:
        for name in ("fra", "dub"):
            f.write(f"{head}kind: Region\nmetadata: {{name: {name}}}\nspec: {region}\n---\n")
        f.write(
            f"{head}kind: ProtectionGroup\nmetadata: {{name: bench}}\nspec:\n"
            "  regions: [{name: fra, role: Preferred}, {name: dub, role: Standby}]\n"
            "  objectives: {recoveryTimeSeconds: 86400, recoveryPointSeconds: 10}\n"
            "  targets: [{name: nothing, fake: {capability: storage}}]\n"
            "  cooldownSeconds: 0\n  runbooks: {switchover: bench}\n"
        )
    with open(f"{folder}/runbook.yaml", "w") as f:
        f.write(f"{head}kind: Runbook\nmetadata: {{name: bench}}\nspec:\n  description: A thousand steps.\n  steps:\n")
        for n in range(STEPS):
            wants = ", ".join(f"s{k}" for k in needs(shape, n))
            f.write(f"  - {{name: s{n}, {step}" + (f", needs: [{wants}]" if wants else "") + "}\n")


def many_files(folder, count):
    """`count` files: 250 regions with a probe each, and 250 runbooks of four steps."""
    os.makedirs(folder, exist_ok=True)
    head = "apiVersion: lifeboat.dev/v1alpha1\n"
    for n in range(count):
        with open(f"{folder}/{n:03}.yaml", "w") as f:
            if n % 2:
                f.write(
                    f"{head}kind: Region\nmetadata: {{name: r{n}}}\nspec:\n  provider: other\n  addresses: [10.{n % 250}.0.0/16]\n"
                    f"  probes:\n  - {{name: edge, tcp: {{address: '10.{n % 250}.0.1:443'}}}}\n"
                )
            else:
                f.write(f"{head}kind: Runbook\nmetadata: {{name: b{n}}}\nspec:\n  description: Four steps.\n  steps:\n")
                for k in range(4):
                    f.write(f"  - {{name: s{k}, uses: command, with: {{run: [/bin/true]}}" + (f", needs: [s{k - 1}]" if k else "") + "}\n")


def makefile(path, shape):
    with open(path, "w") as f:
        names = " ".join(f"s{n}" for n in range(STEPS))
        f.write(f".PHONY: all {names}\nall: {names}\n")
        for n in range(STEPS):
            f.write(f"s{n}: {' '.join(f's{k}' for k in needs(shape, n))}\n\t@/bin/true\n")


def ninjafile(path, shape):
    with open(path, "w") as f:
        f.write("rule r\n  command = /bin/true\n")
        for n in range(STEPS):
            wants = " ".join(f"x{k}" for k in needs(shape, n))
            f.write(f"build x{n}: r" + (f" | {wants}" if wants else "") + "\n")


def commits(folder, count):
    """The journal's floor: `count` commits of 200 bytes, WAL and synchronous=FULL."""
    path = tempfile.mktemp(dir=folder, suffix=".db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE j (seq INTEGER PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for _ in range(count):
        db.execute("INSERT INTO j (body) VALUES (?)", ("x" * 200,))
    return time.perf_counter() - began


# Runs its words. The kernel counts for a process what its parent had when it became another program, so the parent is small.
MEASURE = """import os, sys, time
began = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(status != 0)"""


def timed(command, limit=None, times=1, **how):
    """Wall seconds, CPU seconds and peak KiB of one process and its children; both times multiplied by `times`. Endless when it
    was ended after `limit` seconds."""
    measure = [sys.executable, "-I", "-S", "-c", MEASURE, *command]
    child = subprocess.Popen(measure, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **how)
    try:
        measures, errors = child.communicate(timeout=limit or 3600)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return math.inf, math.nan, 0
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors[-2000:]}")
    wall, cpu, peak = map(float, measures.split())
    return wall * times, cpu * times, peak


def memory(peak, least):
    """MiB; less than what a program that does nothing is counted with cannot be told apart."""
    return f"{peak / 1024:.1f}" if peak > least * 1.05 or not peak else f"<{least / 1024:.1f}"


def playbook(path, steps):
    with open(path, "w") as f:
        f.write("- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n")
        f.write("    - ansible.builtin.command: /bin/true\n      changed_when: false\n" * steps)


def peers(folder):
    """Peers of peers.sh that are installed, by the name of their row."""
    jobs, fresh = {}, lambda: tempfile.mkdtemp(dir=folder)
    ansible, dbos = f"{PEERS}/ansible/bin/ansible-playbook", f"{PEERS}/dbos/bin/python"
    steno = f"{PEERS}/steno/release/compare-steno"
    if os.access(ansible, os.X_OK):
        playbook(f"{folder}/chain.yml", STEPS // 10)
        words = [ansible, "-i", "localhost,", "-e", f"ansible_python_interpreter={PEERS}/ansible/bin/python", f"{folder}/chain.yml"]
        jobs["ansible, no journal, chain (100 steps x 10)"] = lambda: timed(
            words, LIMIT, 10, env={**os.environ, "ANSIBLE_HOME": fresh(), "ANSIBLE_LOCALHOST_WARNING": "false"})
    if os.access(dbos, os.X_OK):
        jobs["DBOS, SQLite, in process, chain"] = lambda: timed(
            [dbos, f"{HERE}/peers/dbos_chain.py", str(STEPS), f"{fresh()}/dbos.sqlite"], LIMIT)
    if os.access(steno, os.X_OK):
        for shape in ("chain", "fan-out"):
            jobs[f"steno, fdatasync, in process, {shape}"] = lambda shape=shape: timed(
                [steno, shape, str(STEPS), f"{fresh()}/journal"], LIMIT)
    for name in ("ansible", "DBOS", "steno"):
        if not any(row.startswith(name) for row in jobs):
            print(f"{name} is not installed (benches/peers.sh): left out")
    return jobs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer-rounds", type=int, default=2, help="rounds that the slow peers of peers.sh take part in")
    parser.add_argument("--lifeboat", default="target/release/lifeboat")
    options = parser.parse_args()
    lifeboat = os.path.abspath(options.lifeboat)
    if not os.access(lifeboat, os.X_OK):
        sys.exit(f"{lifeboat} is not there: make build")
    # On the same disk as the project: a temporary file system would flatter everybody.
    with tempfile.TemporaryDirectory(dir=".", prefix="compare-") as folder:
        folder = os.path.abspath(folder)
        many_files(f"{folder}/many", 500)
        for shape in ("chain", "fan-out", "layered"):
            documents(f"{folder}/{shape}", shape, "uses: command, with: {run: [/bin/true], idempotent: true}")
            makefile(f"{folder}/{shape}.mk", shape)
            ninjafile(f"{folder}/{shape}.ninja", shape)

        def failover(shape, count=[0]):
            count[0] += 1
            data = f"{folder}/data{count[0]}"
            return timed(
                [lifeboat, "switchover", "bench", "-f", f"{folder}/{shape}", "--data-dir", data, "--as", "bench",
                 "--reason", "bench", "--yes-i-mean", "bench"])

        jobs = {
            FLOOR: lambda: (commits(folder, 2000), 0, 0),
            "floor: 1000 x posix_spawn of /bin/true": lambda: timed(
                [sys.executable, "-c", "import os\nfor _ in range(1000): os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)"]),
            "lifeboat --version": lambda: timed([lifeboat, "--version"]),
            "lifeboat check, 1000 steps": lambda: timed([lifeboat, "check", f"{folder}/layered"]),
            "lifeboat check, 500 files": lambda: timed([lifeboat, "check", f"{folder}/many"]),
        }
        for shape in ("chain", "fan-out", "layered"):
            jobs[f"lifeboat, durable, /bin/true, {shape}"] = lambda shape=shape: failover(shape)
            jobs[f"make -j2, no journal, {shape}"] = lambda shape=shape: timed(["make", "-j2", "-f", f"{folder}/{shape}.mk"])
            if shutil.which("ninja"):
                jobs[f"ninja -j2, build log, {shape}"] = lambda shape=shape: timed(
                    ["ninja", "-j2", "-f", f"{folder}/{shape}.ninja", "-C", tempfile.mkdtemp(dir=folder)])
        if not shutil.which("ninja"):
            print("ninja is not installed: left out")
        slow = peers(folder) if options.peer_rounds else {}
        jobs |= slow
        rows = {name: [] for name in jobs}
        for turn in range(options.rounds):
            for name, job in jobs.items():
                if name not in slow or turn < options.peer_rounds:
                    rows[name].append(job())
        least = timed(["true"])[2]
        load = " ".join(f"{average:.1f}" for average in os.getloadavg())
        print(f"{'':44} {'wall min':>10} {'wall med':>10} {'cpu med':>10} {'peak MiB':>9} {'x floor':>8}"
              f"   ({options.rounds} rounds, interleaved; load {load})")
        for name, results in rows.items():
            if not results:
                continue
            walls, cpus, peaks = zip(*results)
            ratio = statistics.median(wall / floor[0] for wall, floor in zip(walls, rows[FLOOR]))
            late = f"   ended after {LIMIT} s" if math.inf in walls else ""
            print(f"{name:44} {min(walls):9.3f}s {statistics.median(walls):9.3f}s {statistics.median(cpus):9.3f}s "
                  f"{memory(max(peaks), least):>9} {ratio:8.2f}{late}")
        for shape in ("chain", "fan-out", "layered"):
            ours = [r[0] for r in rows[f"lifeboat, durable, /bin/true, {shape}"]]
            make = [r[0] for r in rows[f"make -j2, no journal, {shape}"]]
            floor = [r[0] for r in rows[FLOOR]]
            ratio = statistics.median(o / m for o, m in zip(ours, make))
            both = statistics.median(o / (m + f) for o, m, f in zip(ours, make, floor))
            print(f"{shape:8}: lifeboat / make = {ratio:.2f}, lifeboat / (make + journal floor) = {both:.2f}")


if __name__ == "__main__":
    main()
