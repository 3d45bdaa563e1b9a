"""Memory and CPU of 1,000 torrents that do nothing, 256 pieces each, in one process: ours and libtorrent's.

Both programs are started as `PROGRAM… N --to DIR --listen ADDR`, print a JSON line `{"event":"started"}` and wait for a
line on stdin; then they add N torrents without peers, print `{"event":"ready"}` and stay idle until stdin ends. What the
process grew by between the two, divided by N, is the cost of a torrent; the CPU of some quiet seconds is the rest.
"""

import argparse
import sys
import time

import bench
from bench import Peer, median


def measure(command, torrents, folder, seconds):
    target = folder / "files"
    target.mkdir(exist_ok=True)
    with Peer([*command, str(torrents), "--to", str(target), "--listen", "127.0.0.1:0"], str(folder / "log")) as peer:
        peer.wait_for("started")
        time.sleep(1)
        base = bench.anonymous_kib(peer.pid)
        began = time.monotonic()
        peer.say("go")
        peer.wait_for("ready", seconds=300)
        added = peer.moments["ready"][0] - began
        time.sleep(5)
        before = sum(bench.cpu_seconds(peer.pid))
        time.sleep(seconds)
        busy = sum(bench.cpu_seconds(peer.pid)) - before
        return {
            "base_mib": base / 1024,
            "kib_per_torrent": (bench.anonymous_kib(peer.pid) - base) / torrents,
            "ms_per_s": busy * 1000 / seconds,
            "added_s": added,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torrents", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20, help="how long the quiet is measured")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    args = parser.parse_args()
    bench.isolate()
    programs = {"libtorrent": [*bench.libtorrent_command(), "idle"]}
    if ours := bench.our_program("idle"):
        programs["ours"] = [ours]
    else:
        print("no release build of `idle`: only libtorrent is measured", file=sys.stderr)
    results = {name: [] for name in programs}
    with bench.scratch(256 << 20) as folder:
        for number in range(args.rounds):
            for name, command in programs.items():
                result = measure(command, args.torrents, folder, args.seconds)
                results[name].append(result)
                print(f"round {number + 1}: {name:<12} " + show(result), flush=True)
    print(f"\nmedians of {args.rounds} ({args.torrents} torrents of 256 pieces):")
    medians = {}
    for name, runs in results.items():
        medians[name] = {key: median([r[key] for r in runs]) for key in runs[0]}
        print(f"  {name:<12} " + show(medians[name]))
    if "ours" not in medians:
        return 0
    print("\nagainst the goals:")
    met = [
        bench.verdict("anonymous memory per torrent", medians["ours"]["kib_per_torrent"], 7, True, " KiB"),
        bench.verdict("CPU of all, idle", medians["ours"]["ms_per_s"], 0.3 * args.torrents / 1000, True, " ms/s"),
    ]
    return 0 if all(met) or not args.check else 1


def show(r):
    return (f"base {r['base_mib']:5.1f} MiB  {r['kib_per_torrent']:6.2f} KiB per torrent  {r['ms_per_s']:6.2f} ms/s idle"
            f"  added in {r['added_s']:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
