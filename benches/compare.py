#!/usr/bin/env python3
"""Whole processes side by side: lifeboat and whatever peers are installed, interleaved with the floors of the same round.

    cargo build --release && benches/compare.py [--rounds N] [--lifeboat PATH]

Prints one table of minima and medians of wall time, CPU time and peak memory. Read the ratios, not the seconds: the disk and
the neighbours move. A peer that is not installed is left out, and said so.
"""
import argparse, os, resource, shutil, sqlite3, statistics, subprocess, sys, tempfile, time

STEPS, WIDTH = 1000, 10


def needs(shape, n):
    if shape == "chain":
        return [n - 1] if n else []
    if shape == "fan-out":
        return []
    layer = n // WIDTH
    return [(layer - 1) * WIDTH + k for k in range(WIDTH)] if layer else []


def documents(folder, shape, step):
    """A group without targets and a runbook of STEPS steps of one kind."""
    os.makedirs(folder, exist_ok=True)
    head = "apiVersion: lifeboat.dev/v1alpha1\n"
    with open(f"{folder}/group.yaml", "w") as f:
        for region in ("fra", "dub"):
            f.write(f"{head}kind: Region\nmetadata: {{name: {region}}}\nspec: {{provider: other}}\n---\n")
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


def timed(command, **how):
    """Wall seconds, CPU seconds and peak KiB of one process and its children."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lifeboat", default="target/release/lifeboat")
    options = parser.parse_args()
    lifeboat = os.path.abspath(options.lifeboat)
    if not os.access(lifeboat, os.X_OK):
        sys.exit(f"{lifeboat} is not there: cargo build --release")
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
            "floor: 2000 SQLite commits, WAL FULL": lambda: (commits(folder, 2000), 0, 0),
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
        rows = {name: [] for name in jobs}
        for _ in range(options.rounds):
            for name, job in jobs.items():
                rows[name].append(job())
        print(f"{'':44} {'wall min':>10} {'wall med':>10} {'cpu med':>10} {'peak MiB':>9}   ({options.rounds} rounds, interleaved)")
        for name, results in rows.items():
            walls, cpus, peaks = zip(*results)
            print(f"{name:44} {min(walls):9.3f}s {statistics.median(walls):9.3f}s {statistics.median(cpus):9.3f}s {max(peaks) / 1024:9.1f}")
        for shape in ("chain", "fan-out", "layered"):
            ours = [r[0] for r in rows[f"lifeboat, durable, /bin/true, {shape}"]]
            make = [r[0] for r in rows[f"make -j2, no journal, {shape}"]]
            floor = [r[0] for r in rows["floor: 2000 SQLite commits, WAL FULL"]]
            ratio = statistics.median(o / m for o, m in zip(ours, make))
            both = statistics.median(o / (m + f) for o, m, f in zip(ours, make, floor))
            print(f"{shape:8}: lifeboat / make = {ratio:.2f}, lifeboat / (make + journal floor) = {both:.2f}")


if __name__ == "__main__":
    main()
