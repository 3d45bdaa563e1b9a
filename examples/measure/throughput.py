"""One seed to one leech on loopback, our program and real clients in turn: speed, CPU per GiB and memory.

Every pair moves the same random file in memory; pairs alternate, so that what else the machine does hits all alike;
the medians and their ratios count. CPU is that of whole processes, from the moment the seed has checked its
file (and a leech that stays running has loaded the torrent) until the leech reports that everything is verified; our
leech is counted from its start. Before every run a file of the same size is written and removed, so that all write to
memory that is at hand. Received files are compared by SHA-256, outside of what is measured.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import bench
from bench import GIB, MIB, Peer, median


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Libtorrent:
    name = "libtorrent"

    def __init__(self):
        self.base = bench.libtorrent_command()

    def seed(self, torrent, folder, log):
        peer = Peer([*self.base, "seed", torrent, "--from", folder], log)
        peer.wait_for("checked")
        peer.address = peer.wait_for("listening")["addr"]
        peer.dial = lambda address: peer.say(f"peer {address}")
        return peer

    def leech(self, torrent, folder, log, seed):
        peer = Peer([*self.base, "get", torrent, "--to", folder, "--seed"], log)
        peer.wait_for("checked")
        begin = time.monotonic(), bench.cpu_seconds(peer.pid)
        peer.say(f"peer {seed.address}")
        return peer, begin


class Ours:
    name = "ours"

    def __init__(self, program):
        self.program = program

    def seed(self, torrent, folder, log):
        peer = Peer([self.program, "seed", torrent, "--from", folder, "--listen", "127.0.0.1:0", "--json"], log)
        peer.address = peer.wait_for("listening")["addr"]
        peer.wait_for("complete", "checked", "seeding")
        return peer

    def leech(self, torrent, folder, log, seed):
        begin = time.monotonic(), (0.0, 0.0)
        command = [self.program, "get", torrent, "--to", folder, "--peer", seed.address]
        return Peer([*command, "--listen", "127.0.0.1:0", "--json"], log), begin


class Aria2:
    """aria2 takes no address of a peer: the seed dials it. A hook tells when it is complete, so nothing polls it."""

    name = "aria2"

    def leech(self, torrent, folder, log, seed):
        port = free_port()
        hook = os.path.join(folder, "hook")
        with open(hook, "w") as script:
            script.write(f"#!/bin/sh\necho '{{\"event\":\"complete\"}}' > {folder}/told\n")
        os.chmod(hook, 0o755)
        os.mkfifo(f"{folder}/told")
        command = [
            "aria2c", "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
            "--enable-peer-exchange=false", "--disable-ipv6", "--interface=127.0.0.1", f"--listen-port={port}",
            "--file-allocation=none", "--seed-ratio=0.0", "--summary-interval=0", "--console-log-level=warn",
            "--show-console-readout=false", "--bt-tracker-connect-timeout=1", f"--dir={folder}",
            f"--on-bt-download-complete={hook}", torrent,
        ]
        # `cat` turns the hook's line into one of aria2's own: it costs nothing while it waits.
        shell = f'cat {folder}/told & exec "$@" >/dev/null'
        peer = Peer(["sh", "-c", shell, "sh", *command], log)
        deadline = time.monotonic() + 10
        while not listens(port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"aria2 does not listen:\n{peer.tail()}")
            time.sleep(0.02)
        begin = time.monotonic(), bench.cpu_seconds(peer.pid)
        seed.dial(f"127.0.0.1:{port}")
        return peer, begin


class Rqbit:
    """rqbit is asked over HTTP, twenty times a second, whether it is done; only measured where it is installed."""

    name = "rqbit"

    def __init__(self, program):
        self.program = program

    def start(self, torrent, folder, log, query=""):
        port, api = free_port(), free_port()
        home = os.path.join(folder, f".rqbit-{port}")
        os.mkdir(home)
        peer = RqbitPeer([
            self.program, "-v", "warn", "--disable-dht", "--disable-lsd", "--disable-trackers",
            "--disable-upnp-port-forward", "--ipv4-only", "--listen-ip", "127.0.0.1", "--listen-port", str(port),
            "--http-api-listen-addr", f"127.0.0.1:{api}", "server", "start", "--disable-persistence", folder,
        ], log, HOME=home)
        peer.address, peer.api = f"127.0.0.1:{port}", f"http://127.0.0.1:{api}/torrents"
        deadline = time.monotonic() + 10
        while not (listens(port) and listens(api)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"rqbit does not listen:\n{peer.tail()}")
            time.sleep(0.02)
        begin = time.monotonic(), bench.cpu_seconds(peer.pid)
        with open(torrent, "rb") as file:
            url = f"{peer.api}?overwrite=true&output_folder={folder}{query}"
            urllib.request.urlopen(urllib.request.Request(url, file.read()), timeout=60).read()
        return peer, begin

    def seed(self, torrent, folder, log):
        peer, _ = self.start(torrent, folder, log)
        peer.wait_for("complete")
        return peer

    def leech(self, torrent, folder, log, seed):
        return self.start(torrent, folder, log, f"&initial_peers={seed.address}")


class RqbitPeer(Peer):
    def wait_for(self, *names, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"{self.api}/0/stats/v1", timeout=10) as answer:
                if json.load(answer)["finished"]:
                    self.moments["complete"] = time.monotonic(), bench.cpu_seconds(self.pid)
                    return
            time.sleep(0.05)
        raise RuntimeError(f"rqbit is not done:\n{self.tail()}")


def listens(port):
    with open("/proc/net/tcp") as table:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(table)[1:])


def run(seeder, leecher, torrent, source, target, expected, size, log):
    os.makedirs(target)
    with seeder.seed(torrent, source, log) as seed:
        bench.warm(target, 3 * size // 2)
        seed_before, busy_before = bench.cpu_seconds(seed.pid), bench.machine_busy_seconds()
        leech, (begin, leech_before) = leecher.leech(torrent, target, log, seed)
        with leech:
            leech.wait_for("complete", seconds=600)
            ended, leech_after = leech.moments["complete"]
            seed_after, busy_after = bench.cpu_seconds(seed.pid), bench.machine_busy_seconds()
    seconds = ended - begin
    cpu = [[b - a for a, b in zip(*pair)] for pair in ((seed_before, seed_after), (leech_before, leech_after))]
    name = os.path.basename(expected[0])
    same = bench.sha256(os.path.join(target, name)) == expected[1]
    shutil.rmtree(target)
    if not same:
        raise RuntimeError(f"{seeder.name} -> {leecher.name}: the file that arrived differs")
    other = max(0.0, busy_after - busy_before - sum(map(sum, cpu)))
    gib = size / GIB
    return {
        "pair": f"{seeder.name} -> {leecher.name}",
        "mib_per_s": size / MIB / seconds,
        "seed_cpu": sum(cpu[0]) / gib, "seed_user": cpu[0][0] / gib, "seed_sys": cpu[0][1] / gib,
        "leech_cpu": sum(cpu[1]) / gib, "leech_user": cpu[1][0] / gib, "leech_sys": cpu[1][1] / gib,
        "seed_mib": seed.peak_kib / 1024, "leech_mib": leech.peak_kib / 1024,
        "other_load": other / seconds / os.cpu_count(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB")
    parser.add_argument("--pairs", help="only pairs whose names contain one of these words, by commas")
    parser.add_argument("--json", help="also write every run to this file, a line each")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    args = parser.parse_args()
    bench.isolate()

    libtorrent, aria2 = Libtorrent(), Aria2()
    pairs = [(libtorrent, libtorrent), (libtorrent, aria2)]
    program = bench.our_program()
    if program:
        ours = Ours(program)
        pairs += [(ours, ours), (ours, libtorrent), (libtorrent, ours)]
    else:
        print("no release build of `torrent`: only the real clients are measured", file=sys.stderr)
    rqbit = bench.TARGET / "rqbit" / "bin" / "rqbit"
    if rqbit.exists():
        rqbit = Rqbit(str(rqbit))
        pairs += [(rqbit, rqbit), (libtorrent, rqbit)]
        if program:
            pairs += [(ours, rqbit), (rqbit, ours)]
    if args.pairs:
        words = args.pairs.split(",")
        pairs = [p for p in pairs if any(w in f"{p[0].name}->{p[1].name}" for w in words)]

    size = args.size * MIB
    results = []
    with bench.scratch(2 * size + 512 * MIB) as folder:
        source = folder / "source"
        source.mkdir()
        data = source / "data.bin"
        bench.random_file(data, size)
        expected = str(data), bench.sha256(data)
        torrent = str(folder / "data.torrent")
        subprocess.run([*libtorrent.base, "create", str(data), "-o", torrent, "--piece-length", str(MIB)],
                       check=True, stdout=subprocess.DEVNULL)
        for number in range(args.rounds):
            for seeder, leecher in pairs:
                result = run(seeder, leecher, torrent, str(source), str(folder / "target"), expected, size,
                             str(folder / "log"))
                results.append(result)
                print(f"round {number + 1}: " + show(result), flush=True)
                if args.json:
                    with open(args.json, "a") as out:
                        out.write(json.dumps(result) + "\n")

    print(f"\nmedians of {args.rounds} ({args.size} MiB, CPU seconds per GiB: user + system):")
    by_pair = {}
    for result in results:
        by_pair.setdefault(result["pair"], []).append(result)
    medians = {pair: {k: median([r[k] for r in runs]) for k in runs[0] if k != "pair"} | {"pair": pair}
               for pair, runs in by_pair.items()}
    for result in medians.values():
        print(show(result))
    if not {"ours -> ours", "libtorrent -> libtorrent", "libtorrent -> aria2"} <= medians.keys():
        return 0
    mine, theirs, frugal = (medians[f"{a} -> {b}"] for a, b in
                            (("ours", "ours"), ("libtorrent", "libtorrent"), ("libtorrent", "aria2")))
    print("\nagainst the goals:")
    met = [
        bench.verdict("seed CPU, ours / libtorrent's", mine["seed_cpu"] / theirs["seed_cpu"], 0.75, True),
        bench.verdict("leech CPU, ours / aria2's", mine["leech_cpu"] / frugal["leech_cpu"], 0.90, True),
        bench.verdict("speed, ours to ours / libtorrent to libtorrent", mine["mib_per_s"] / theirs["mib_per_s"], 1.5,
                      False),
        bench.verdict("peak anonymous memory of our seed", mine["seed_mib"], 8, True, " MiB"),
        bench.verdict("peak anonymous memory of our leech", mine["leech_mib"], 8, True, " MiB"),
    ]
    return 0 if all(met) or not args.check else 1


def show(r):
    return (f"{r['pair']:<26} {r['mib_per_s']:6.0f} MiB/s  seed {r['seed_cpu']:.2f} ({r['seed_user']:.2f} + "
            f"{r['seed_sys']:.2f})  leech {r['leech_cpu']:.2f} ({r['leech_user']:.2f} + {r['leech_sys']:.2f})  "
            f"peak {r['seed_mib']:.0f} / {r['leech_mib']:.0f} MiB  other load {r['other_load']:.0%}")


if __name__ == "__main__":
    sys.exit(main())
