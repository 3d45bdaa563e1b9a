"""What the measuring scripts share: a private network, processes that report in JSON lines, and their CPU and memory."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBTORRENT_PEER = HERE.parent / "tests" / "peers" / "lt.py"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
GIB = 1 << 30


def isolate():
    """Runs this script again in a network of its own that has only `lo`, where the machine allows it."""
    if os.environ.get("P2P_ISOLATED"):
        return
    for flags in (["-n"], ["-Urn"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            inner = 'ip link set lo up && exec "$@"'
            os.environ["P2P_ISOLATED"] = "1"
            os.execvp("unshare", ["unshare", *flags, "sh", "-c", inner, "sh", sys.executable, *sys.argv])
    print("no private network here: loopback of the machine is used", file=sys.stderr)


def libtorrent_command():
    """The command that runs our libtorrent peer: `.ci/clients` installs the module below the target directory."""
    folder = os.environ.get("P2P_LIBTORRENT", str(TARGET / "clients"))
    os.environ["PYTHONPATH"] = folder + os.pathsep + os.environ.get("PYTHONPATH", "")
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", "import libtorrent"], capture_output=True)
    if found.returncode:
        sys.exit(f"no libtorrent for Python in {folder}: run .ci/clients first")
    return [sys.executable, "-W", "ignore", str(LIBTORRENT_PEER)]


def our_program(name="torrent"):
    """The release build of one of our programs, or None."""
    path = pathlib.Path(os.environ.get("P2P_PROGRAMS", TARGET / "release")) / name
    return str(path) if path.exists() else None


@contextlib.contextmanager
def scratch(need):
    """A folder in memory (so that no disk is measured) with `need` bytes free; removed at the end, also on a signal."""
    for name in ("/dev/shm", tempfile.gettempdir()):
        if os.path.isdir(name) and shutil.disk_usage(name).free > need:
            break
    else:
        sys.exit(f"neither /dev/shm nor the temporary folder has {need // MIB} MiB free")
    folder = tempfile.mkdtemp(prefix="p2p-measure-", dir=name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def random_file(path, size):
    with open(path, "wb") as out:
        for start in range(0, size, 8 * MIB):
            out.write(os.urandom(min(8 * MIB, size - start)))


def warm(folder, size):
    """Writes a file of this size and removes it: its pages are then at hand for the next file.

    A virtual machine gives free memory back to its host, and to touch it again costs many times the copy; whoever comes
    after a pause would pay. Called before every run, so that all clients write to memory that was just used.
    """
    path, zeros = os.path.join(folder, "warm"), bytes(8 * MIB)
    with open(path, "wb", buffering=0) as out:
        for _ in range(0, size, len(zeros)):
            out.write(zeros)
    os.remove(path)


def sha256(path):
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def cpu_seconds(pid):
    """User and system seconds of all threads of a process, also of one that ended and was not yet waited for."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def exact_cpu_seconds(pid):
    """The same to the nanosecond, of the threads that live: for what takes less than a tick. None where the kernel
    does not count it."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
                total += int(stat.read().split()[0])
    except OSError:
        return None
    return total / 1e9


def anonymous_kib(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("RssAnon")), 0)
    except OSError:
        return 0


def machine_busy_seconds():
    with open("/proc/stat") as stat:
        fields = [int(x) for x in stat.readline().split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS


class Peer:
    """A child process; its JSON lines are read by a thread, its peak anonymous memory sampled by another."""

    def __init__(self, command, log, **env):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, **env}, start_new_session=True,
        )
        self.pid = self.process.pid
        self.command = command
        self.events, self.moments, self.news = [], {}, threading.Condition()
        self.peak_kib, self.ended = 0, False
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._sample, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            moment = time.monotonic()
            try:
                event = json.loads(line)
            except ValueError:
                continue
            with self.news:
                self.events.append(event)
                self.moments.setdefault(event.get("event"), (moment, cpu_seconds(self.pid)))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def _sample(self):
        while not self.ended:
            self.peak_kib = max(self.peak_kib, anonymous_kib(self.pid))
            time.sleep(0.05)

    def wait_for(self, *names, seconds=120):
        deadline = time.monotonic() + seconds
        with self.news:
            while True:
                for event in self.events:
                    if event.get("event") in names:
                        return event
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise RuntimeError(
                        f"{' '.join(map(str, self.command))}: no {'/'.join(names)} "
                        f"({'it ended' if self.ended else 'too late'}); its log:\n{self.tail()}")
                self.news.wait(left)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def tail(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")[-2000:]

    def stop(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def median(values):
    return statistics.median(values) if values else float("nan")


def verdict(name, value, goal, at_most, unit=""):
    """Prints one line of the table of goals and says whether it is met."""
    met = value <= goal if at_most else value >= goal
    sign = "<=" if at_most else ">="
    print(f"{name:<52} {value:8.2f}{unit}  goal {sign} {goal:g}{unit}  {'met' if met else 'MISSED'}",
          flush=True)
    return met
