"""Creating a torrent of one big file and checking that file again, with two threads each: our program and real ones.

Creation is compared with `mktorrent -t 2`, the check with libtorrent's (`hashing_threads=2`, `checking_mem_usage=2048`).
The check of libtorrent is timed inside its process, from adding the torrent to the end of its check; everything else is
timed as whole processes, started included. The file lies in memory and was just read: the disk is not measured. Of our
program the bytes that it read are counted as well (`rchar` of /proc/PID/io): each byte is to be read once.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import bench
from bench import MIB, median


def timed(command, log):
    """Wall and CPU seconds of a whole process that must succeed, and the bytes that it read."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    # Its figures are there until it is reaped.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - started
    with open(f"/proc/{child.pid}/io") as figures:
        read = next(int(line.split()[1]) for line in figures if line.startswith("rchar"))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}, see its output in the log")
    return seconds, usage.ru_utime + usage.ru_stime, read


def reported(command):
    """What a process says of itself in a JSON line."""
    event = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
    return event["seconds"], event["cpu"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB")
    parser.add_argument("--create-goal", type=float, default=1.0, help="ours / mktorrent's, wall time, at most")
    parser.add_argument("--check-goal", type=float, default=1.0, help="ours / libtorrent's, wall time, at most")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    args = parser.parse_args()
    bench.isolate()
    peer = bench.libtorrent_command()
    program = bench.our_program()
    if not program:
        print("no release build of `torrent`: only the real clients are measured", file=sys.stderr)

    results = {}
    size = args.size * MIB
    with bench.scratch(size + 256 * MIB) as folder, open(folder / "log", "w") as log:
        data, torrent = folder / "data.bin", folder / "data.torrent"
        bench.random_file(data, size)

        def note(name, result):
            results.setdefault(name, []).append(result)
            print(f"  {name:<28} {result[0]:6.2f} s  {result[1]:6.2f} CPU s", flush=True)

        subprocess.run([*peer, "create", str(data), "-o", str(torrent), "--piece-length", str(MIB)],
                       check=True, stdout=log)
        for number in range(args.rounds):
            print(f"round {number + 1}:")
            made = folder / "made.torrent"
            made.unlink(missing_ok=True)
            note("mktorrent -t 2, create", timed(["mktorrent", "-t", "2", "-l", "20", "-o", str(made), str(data)], log))
            note("libtorrent, create", reported(
                [*peer, "create", str(data), "-o", str(made), "--piece-length", str(MIB)]))
            note("libtorrent, check", reported([*peer, "check", str(torrent), "--in", str(folder), "--threads", "2"]))
            if program:
                made.unlink(missing_ok=True)
                note("ours, create", timed(
                    [program, "create", str(data), "-o", str(made), "--piece-length", str(MIB)], log))
                note("ours, check", timed([program, "verify", str(torrent), "--in", str(folder)], log))

    print(f"\nmedians of {args.rounds} ({args.size} MiB):")
    wall, read = {}, {}
    for name, runs in results.items():
        wall[name] = median([r[0] for r in runs])
        read[name] = max(r[2] for r in runs) / size if len(runs[0]) > 2 else None
        print(f"  {name:<28} {wall[name]:6.2f} s  {median([r[1] for r in runs]):6.2f} CPU s")
    if not program:
        return 0
    print("\nagainst the goals:")
    met = [
        bench.verdict("create, ours / mktorrent -t 2 (wall)", wall["ours, create"] / wall["mktorrent -t 2, create"],
                      args.create_goal, True),
        bench.verdict("check, ours / libtorrent's with 2 threads (wall)",
                      wall["ours, check"] / wall["libtorrent, check"], args.check_goal, True),
        bench.verdict("create, bytes read / bytes there", read["ours, create"], 1.01, True),
        bench.verdict("check, bytes read / bytes there", read["ours, check"], 1.01, True),
    ]
    return 0 if all(met) or not args.check else 1


if __name__ == "__main__":
    sys.exit(main())
