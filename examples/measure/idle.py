"""Memory and CPU of torrents, and of connected peers, that do nothing, in one process: ours and libtorrent's.

Both programs are started as `PROGRAM… N --pieces N --to DIR --listen ADDR`, print a JSON line `{"event":"started"}` and
wait for a line on stdin; then they add N torrents that nobody has, print `{"event":"ready"}` with their address and an
info-hash, and stay idle until stdin ends. What the process grew by between the two, divided by N, is the cost of a
torrent; the CPU of some quiet seconds is the rest. Then the same with one torrent of many pieces and `--peers` peers,
which this script plays: each has half of the pieces, says so, chokes us and is silent.

    cargo build --release -p p2p-bittorrent --example idle && .ci/clients && python3 examples/measure/idle.py
"""

import argparse
import os
import random
import socket
import sys
import time

import bench
from bench import Peer, median


def cpu(pid):
    exact = bench.exact_cpu_seconds(pid)
    return sum(bench.cpu_seconds(pid)) if exact is None else exact


def quiet_ms(pid, seconds):
    before = cpu(pid)
    time.sleep(seconds)
    return (cpu(pid) - before) * 1000 / seconds


def start(command, torrents, pieces, folder):
    target = folder / "files"
    target.mkdir(exist_ok=True)
    arguments = [str(torrents), "--pieces", str(pieces), "--to", str(target), "--listen", "127.0.0.1:0"]
    return Peer([*command, *arguments], str(folder / "log"))


def measure_torrents(command, args, folder):
    with start(command, args.torrents, 256, folder) as peer:
        peer.wait_for("started")
        time.sleep(1)
        base = bench.anonymous_kib(peer.pid)
        began = time.monotonic()
        peer.say("go")
        peer.wait_for("ready", seconds=300)
        added = peer.moments["ready"][0] - began
        time.sleep(5)
        ms = quiet_ms(peer.pid, args.seconds)
        return {
            "base_mib": base / 1024,
            "kib_each": (bench.anonymous_kib(peer.pid) - base) / args.torrents,
            "ms_per_s": ms,
            "added_s": added,
        }


def receive(stream, size):
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise RuntimeError("the client closed the connection of an idle peer")
        data += part
    return data


def connect(addr, info_hash, pieces, number):
    """A peer that has every second piece and chokes us (BEP 3, 6 and 10)."""
    stream = socket.create_connection(addr, timeout=20)
    reserved = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04])
    peer_id = b"-qB4520-" + b"%012d" % number
    stream.sendall(b"\x13BitTorrent protocol" + reserved + info_hash + peer_id)
    receive(stream, 68)
    bits = random.Random(number).randbytes(pieces // 8)
    extended = b"\x14\x00d1:md11:ut_metadatai2e6:ut_pexi1ee4:reqqi500e1:v17:qBittorrent/4.5.2e"
    for body in (b"\x05" + bits, extended):
        stream.sendall(len(body).to_bytes(4, "big") + body)
    return stream


def is_over(stream):
    """Whether the client closed it; reads what it said before."""
    stream.setblocking(False)
    try:
        while stream.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        stream.close()


def measure_peers(command, args, folder):
    with start(command, 1, args.pieces, folder) as peer:
        peer.wait_for("started")
        peer.say("go")
        ready = peer.wait_for("ready")
        host, _, port = ready["addr"].rpartition(":")
        streams = []

        def more(count):
            for _ in range(count):
                streams.append(connect((host, int(port)), bytes.fromhex(ready["info_hash"]), args.pieces, len(streams)))
                time.sleep(0.002)
            time.sleep(12)

        # The first ones make what there is once per torrent, and once per process.
        more(20)
        base = bench.anonymous_kib(peer.pid)
        began = time.monotonic()
        more(args.peers)
        added = time.monotonic() - began - 12
        ms = quiet_ms(peer.pid, args.seconds)
        grown = bench.anonymous_kib(peer.pid) - base
        gone = sum(is_over(stream) for stream in streams)
        if gone:
            raise RuntimeError(f"the client dropped {gone} of {len(streams)} idle peers; its log:\n{peer.tail()}")
        return {"base_mib": base / 1024, "kib_each": grown / args.peers, "ms_per_s": ms, "added_s": added}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torrents", type=int, default=1000)
    parser.add_argument("--peers", type=int, default=500)
    parser.add_argument("--pieces", type=int, default=8192, help="of the torrent that the peers share")
    parser.add_argument("--seconds", type=float, default=20, help="how long the quiet is measured")
    parser.add_argument("--only", choices=["ours", "libtorrent"])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    args = parser.parse_args()
    bench.isolate()
    programs = {}
    if args.only != "ours":
        programs["libtorrent"] = [*bench.libtorrent_command(), "idle"]
    if ours := bench.our_program(os.path.join("examples", "idle")):
        if args.only != "libtorrent":
            programs["ours"] = [ours]
    else:
        print("no release build of the example `idle`: only libtorrent is measured", file=sys.stderr)
    measures = {}
    if args.torrents:
        measures["torrent"] = measure_torrents
    if args.peers:
        measures["peer"] = measure_peers
    results = {(what, name): [] for what in measures for name in programs}
    with bench.scratch(256 << 20) as folder:
        for number in range(args.rounds):
            for what, measure in measures.items():
                for name, command in programs.items():
                    result = measure(command, args, folder)
                    results[what, name].append(result)
                    print(f"round {number + 1}: {name:<10} " + show(what, result), flush=True)
    print(f"\nmedians of {args.rounds} ({args.torrents} torrents of 256 pieces; {args.peers} peers at {args.pieces} pieces):")
    medians = {}
    for (what, name), runs in results.items():
        medians[what, name] = {key: median([r[key] for r in runs]) for key in runs[0]}
        print(f"  {name:<10} " + show(what, medians[what, name]))
    if "ours" not in programs:
        return 0
    print("\nagainst the goals:")
    met = []
    if args.torrents:
        ours = medians["torrent", "ours"]
        met.append(bench.verdict("anonymous memory per torrent", ours["kib_each"], 7, True, " KiB"))
        met.append(bench.verdict("CPU of all, idle", ours["ms_per_s"], 0.3 * max(args.torrents / 1000, 1), True, " ms/s"))
    if args.peers:
        met.append(bench.verdict("anonymous memory per peer", medians["peer", "ours"]["kib_each"], 2.5, True, " KiB"))
    return 0 if all(met) or not args.check else 1


def show(what, r):
    return (f"base {r['base_mib']:5.1f} MiB  {r['kib_each']:6.2f} KiB per {what:<7}  {r['ms_per_s']:7.3f} ms/s idle"
            f"  added in {r['added_s']:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
