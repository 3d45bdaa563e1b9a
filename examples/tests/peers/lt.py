"""One libtorrent peer as a process: creates, shows, checks, seeds or fetches a torrent, and reports in JSON lines.

It talks like the program `torrent`: one JSON object per line on stdout, the bound address first. Everything that
reaches outward (DHT, LSD, UPnP, NAT-PMP) is off. Lines on stdin are commands: `peer HOST:PORT` dials a peer.
"""

import argparse
import json
import os
import sys
import threading
import time

import libtorrent as lt


def say(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def open_session(listen, args):
    settings = {
        "listen_interfaces": listen,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        # Plain TCP both ways: what is compared is the protocol, not a cipher.
        "in_enc_policy": lt.enc_policy.pe_disabled,
        "out_enc_policy": lt.enc_policy.pe_disabled,
        "min_reconnect_time": 1,
        "max_failcount": 100,
        "peer_connect_timeout": 3,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification
        | lt.alert.category_t.storage_notification,
        # As many as fit: a lost "finished" alert would hang a run.
        "alert_queue_size": 100000,
        "close_redundant_connections": False,
    }
    if getattr(args, "threads", None):
        settings["hashing_threads"] = args.threads
    if getattr(args, "memory", None):
        settings["checking_mem_usage"] = args.memory
    settings["rate_limit_ip_overhead"] = False
    return lt.session(settings)


def alerts(session, until):
    """Yields alerts as they come; `until` ends it. Waiting costs the session nothing, polling its status would."""
    while not until.is_set():
        session.wait_for_alert(200)
        yield from session.pop_alerts()


def commands(handle, stop, dial):
    for line in sys.stdin:
        word = line.split()
        if word[:1] == ["peer"]:
            handle.connect_peer(address(word[1]))
        elif word[:1] == ["stop"]:
            break
    else:
        # The end of stdin is how a parent that died says goodbye, unless it never gave us one.
        if dial:
            return
    stop.set()


def add(session, args, folder):
    params = lt.load_torrent_file(args.torrent)
    params.save_path = os.path.abspath(folder)
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    params.flags |= lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd | lt.torrent_flags.disable_pex
    handle = session.add_torrent(params)
    # The session's own limits spare peers of the local network, a torrent's do not.
    if getattr(args, "up", None):
        handle.set_upload_limit(args.up)
    if getattr(args, "down", None):
        handle.set_download_limit(args.down)
    return handle


def run(args, folder, seeding):
    stop = threading.Event()
    session = open_session(args.listen, args)
    host = args.listen.rpartition(":")[0]
    deadline = time.time() + 10
    while session.listen_port() == 0 and time.time() < deadline:
        time.sleep(0.01)
    say("listening", addr=f"{host}:{session.listen_port()}")
    handle = add(session, args, folder)
    threading.Thread(target=commands, args=(handle, stop, args.keep), daemon=True).start()
    if args.progress:
        threading.Thread(target=progress, args=(handle, stop), daemon=True).start()
    checked = False
    for alert in alerts(session, stop):
        if isinstance(alert, lt.torrent_checked_alert) and not checked:
            checked = True
            say("checked", done=handle.status().total_wanted_done)
            for peer in args.peer:
                handle.connect_peer(address(peer))
        elif isinstance(alert, lt.torrent_finished_alert):
            say("complete")
            if not seeding and not args.seed:
                stop.set()
        elif isinstance(alert, (lt.torrent_error_alert, lt.file_error_alert, lt.hash_failed_alert, lt.listen_failed_alert)):
            print(alert.message(), file=sys.stderr, flush=True)
        elif isinstance(alert, (lt.tracker_error_alert, lt.tracker_reply_alert, lt.tracker_warning_alert)):
            print(alert.message(), file=sys.stderr, flush=True)
    # Written blocks may still be queued: stopping the torrent flushes them.
    session.remove_torrent(handle)
    for _ in range(50):
        if any(isinstance(a, lt.torrent_removed_alert) for a in session.pop_alerts()):
            break
        time.sleep(0.05)
    del session


def progress(handle, stop):
    """Asks for the status twice a second: only for tests, a measured run must not."""
    while not stop.wait(0.5):
        status = handle.status()
        say("progress", done=status.total_wanted_done, total=status.total_wanted,
            down=status.total_payload_download, up=status.total_payload_upload, peers=status.num_peers)


def create(args):
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[args.format]
    files = lt.file_storage()
    path = os.path.abspath(args.path)
    lt.add_files(files, path)
    started, cpu = time.monotonic(), time.process_time()
    torrent = lt.create_torrent(files, args.piece_length, flags)
    torrent.set_creator("libtorrent")
    for tier, url in enumerate(args.announce):
        torrent.add_tracker(url, tier)
    torrent.set_priv(args.private)
    lt.set_piece_hashes(torrent, os.path.dirname(path))
    with open(args.output, "wb") as out:
        out.write(lt.bencode(torrent.generate()))
    say("created", seconds=time.monotonic() - started, cpu=time.process_time() - cpu)


def show(args):
    info = lt.torrent_info(args.torrent)
    files = info.files()
    hashes = info.info_hashes()
    say(
        "torrent",
        name=info.name(),
        info_hash=str(hashes.v1) if hashes.has_v1() else None,
        info_hash_v2=str(hashes.v2) if hashes.has_v2() else None,
        size=info.total_size(),
        piece_length=info.piece_length(),
        pieces=info.num_pieces(),
        private=info.priv(),
        trackers=[t.url for t in info.trackers()],
        files=[
            {"path": files.file_path(i), "size": files.file_size(i)}
            for i in range(files.num_files())
            if not files.file_flags(i) & 1
        ],
    )


def check(args):
    """A full check of what lies in a folder, timed from adding the torrent to the end of the check."""
    session = open_session("127.0.0.1:0", args)
    args.seed = False
    time.sleep(0.5)
    started, cpu = time.monotonic(), time.process_time()
    handle = add(session, args, args.folder)
    for alert in alerts(session, threading.Event()):
        if isinstance(alert, lt.torrent_checked_alert):
            break
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    status = handle.status()
    say("checked", seconds=seconds, cpu=cpu, done=status.total_wanted_done, total=status.total_wanted)
    sys.exit(0 if status.total_wanted_done == status.total_wanted else 1)


def idle(args):
    """Adds torrents that nobody has and keeps them running until stdin ends."""
    session = open_session(args.listen, args)
    session.apply_settings({"connections_limit": 20000, "unchoke_slots_limit": 8, "listen_queue_size": 1000})
    say("started", pid=os.getpid())
    sys.stdin.readline()
    for number in range(args.torrents):
        info = {
            b"name": b"idle-%d" % number,
            b"piece length": 16384,
            b"length": 16384 * args.pieces,
            b"pieces": os.urandom(20 * args.pieces),
        }
        params = lt.load_torrent_buffer(lt.bencode({b"info": info}))
        params.save_path = args.to
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handle = session.add_torrent(params)
    checked = 0
    for alert in alerts(session, threading.Event()):
        checked += isinstance(alert, lt.torrent_checked_alert)
        if checked == args.torrents:
            break
    host = args.listen.rpartition(":")[0]
    say("ready", addr=f"{host}:{session.listen_port()}", info_hash=str(handle.info_hashes().v1))
    sys.stdin.readline()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="command", required=True)

    def peer(name, folder):
        part = parts.add_parser(name)
        part.add_argument("torrent")
        part.add_argument(folder, dest="folder", required=True)
        part.add_argument("--listen", default="127.0.0.1:0")
        part.add_argument("--peer", action="append", default=[])
        part.add_argument("--up", type=int, help="bytes per second")
        part.add_argument("--down", type=int, help="bytes per second")
        part.add_argument("--seed", action="store_true", help="go on seeding when complete")
        part.add_argument("--progress", action="store_true")
        part.add_argument("--keep", action="store_true", help="go on when stdin ends")
        part.add_argument("--threads", type=int)
        part.add_argument("--memory", type=int)

    peer("get", "--to")
    peer("seed", "--from")
    part = parts.add_parser("create")
    part.add_argument("path")
    part.add_argument("-o", "--output", required=True)
    part.add_argument("--piece-length", type=int, required=True)
    part.add_argument("--announce", action="append", default=[])
    part.add_argument("--private", action="store_true")
    part.add_argument("--format", choices=["v1", "v2", "hybrid"], default="v1")
    part = parts.add_parser("show")
    part.add_argument("torrent")
    part = parts.add_parser("check")
    part.add_argument("torrent")
    part.add_argument("--in", dest="folder", required=True)
    part.add_argument("--threads", type=int, default=2)
    part.add_argument("--memory", type=int, default=2048, help="blocks of 16 KiB")
    part = parts.add_parser("idle")
    part.add_argument("torrents", type=int)
    part.add_argument("--pieces", type=int, default=256)
    part.add_argument("--to", required=True)
    part.add_argument("--listen", default="127.0.0.1:0")
    args = parser.parse_args()
    match args.command:
        case "get":
            run(args, args.folder, seeding=False)
        case "seed":
            run(args, args.folder, seeding=True)
        case "create":
            create(args)
        case "show":
            show(args)
        case "check":
            check(args)
        case "idle":
            idle(args)


if __name__ == "__main__":
    main()
