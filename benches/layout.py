#!/usr/bin/env python3
"""Lists the functions of lifeboat that runs call, for build.rs: a symbol in each line, what every run calls first.

    cargo build --release && benches/layout.py target/release/lifeboat > LIST      (`make build` does)

The commands run under callgrind (valgrind, from Debian), which knows every function that was entered. They need no server: a
thousand steps, documents, a run and its evidence, and a watch of a port of this program's own.
"""
import argparse, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading

sys.dont_write_bytecode = True
from compare import documents, many_files

# A second `fn=` of the same function names its number alone.
ENTERED = re.compile(r"^(c?)fn=\((\d+)\)(?: (.*))?$")


class Profile:
    """Runs commands of one program, and remembers what they entered in the order in which it was seen first."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.symbols = symbols(program)
        self.entered = {}

    def run(self, *words, seconds=None, **how):
        """Runs a command to its end, or asks it to end after some seconds. A command that fails is no profile."""
        out = f"{self.folder}/callgrind.{len(os.listdir(self.folder))}"
        command = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={out}", self.program, *words]
        with tempfile.TemporaryFile() as told:
            child = subprocess.Popen(command, stdout=told, stderr=told, **how)
            try:
                status = child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGTERM)
                status = child.wait()
            if status:
                told.seek(0)
                sys.exit(f"lifeboat {' '.join(words)} ended with {status}:\n{told.read().decode()[-2000:]}")
        names, called = {}, set()
        with open(out) as lines:
            for found in filter(None, map(ENTERED.match, lines)):
                if found[3]:
                    # A function that calls itself is told apart by how deep it is.
                    names[found[2]] = re.sub(r"'\d+$", "", found[3])
                if not found[1]:
                    called.add(found[2])
        mine = {names[number] for number in called} & self.symbols.keys()
        # As they lie now: what belongs together was put together by the compiler.
        self.entered |= dict.fromkeys(sorted(mine - self.entered.keys(), key=self.symbols.get))
        print(f"lifeboat {' '.join(words)}: {len(mine)} functions, {len(self.entered)} in all", file=sys.stderr)


def symbols(program):
    """Functions of a program, with their addresses."""
    listed = subprocess.run(["nm", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    words = (line.split() for line in listed.splitlines())
    return {name: int(address, 16) for address, kind, name in words if kind in "tT"}


def answering():
    """The port of a server that takes connections and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))

    def take():
        while True:
            server.accept()[0].close()

    threading.Thread(target=take, daemon=True).start()
    return server.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program, with its symbols")
    program = os.path.abspath(parser.parse_args().program)
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="layout-") as folder:
        out, data = f"{folder}/out", f"{folder}/data"
        os.mkdir(out)
        shapes, step = ("layered", "chain", "fan-out"), "uses: command, with: {run: [/bin/true], idempotent: true}"
        for shape in shapes:
            documents(f"{folder}/{shape}", shape, step)
        many_files(f"{folder}/many", 500)
        probe = f"{{name: edge, tcp: {{address: '127.0.0.1:{answering()}'}}}}"
        documents(f"{folder}/watched", "chain", step, f"{{provider: other, addresses: [127.0.0.0/8], probes: [{probe}]}}")
        bench = {**os.environ, "LIFEBOAT_DATA": data, "LIFEBOAT_FILES": f"{folder}/layered"}
        watch = {**os.environ, "LIFEBOAT_DATA": f"{folder}/watch", "LIFEBOAT_FILES": f"{folder}/watched"}
        why = ["--as", "layout", "--reason", "layout"]
        profile = Profile(program, out)
        # Which of them wait for each other differs with the shape, and with it what the runtime does.
        for shape in shapes:
            profile.run("switchover", "bench", "--file", f"{folder}/{shape}", *why, "--yes-i-mean", "bench", env=bench)
        profile.run("check", f"{folder}/many")
        profile.run("plan", "bench", "--kind", "switchover", env=bench)
        profile.run("status", env=bench)
        profile.run("run", "list", env=bench)
        profile.run("run", "show", "bench-1", env=bench)
        profile.run("evidence", "verify", env=bench)
        profile.run("evidence", "report", "bench-1", env=bench)
        profile.run("serve", seconds=20, env=watch)
    print("\n".join(profile.entered))


if __name__ == "__main__":
    main()
