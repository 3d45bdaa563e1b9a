// Plays /stream.ts, and draws /picture once a second. Figures for tests are in `window.esm`.
"use strict";
const video = document.getElementById("video");
const state = document.getElementById("state");
const esm = (window.esm = { began: performance.now(), first: null, playing: false, stalls: 0, stalled: [], errors: [], pictures: 0 });

let player;
function play() {
  player = mpegts.createPlayer(
    { type: "mpegts", isLive: true, url: new URL("stream.ts", location.href).href },
    {
      enableWorker: false,
      enableStashBuffer: false,
      liveBufferLatencyChasing: true,
      liveBufferLatencyMaxLatency: 1.8,
      liveBufferLatencyMinRemain: 0.6,
      autoCleanupSourceBuffer: true,
    },
  );
  player.attachMediaElement(video);
  player.on(mpegts.Events.ERROR, (kind, detail) => {
    esm.errors.push(kind + ": " + detail);
    again();
  });
  // The stream ended, or the agent did.
  player.on(mpegts.Events.LOADING_COMPLETE, () => { state.textContent = "the stream ended"; });
  player.load();
  Promise.resolve(player.play()).catch(() => {});
}
let waiting = null;
function again() {
  if (waiting) return;
  state.textContent = "lost the stream, trying again";
  waiting = setTimeout(() => { waiting = null; player.destroy(); play(); }, 1000);
}
// Before it plays it waits for its beginning; what stops it later is a stall.
video.addEventListener("playing", () => { esm.playing = true; });
video.addEventListener("waiting", () => {
  if (!esm.playing) return;
  esm.stalls += 1;
  if (esm.stalled.length < 100) esm.stalled.push([video.currentTime, video.seeking]);
});
video.addEventListener("loadeddata", () => {
  if (esm.first === null) esm.first = performance.now() - esm.began;
  state.textContent = "playing";
});

const NS = "http://www.w3.org/2000/svg";
function draw(kind, attributes, text) {
  const element = document.createElementNS(NS, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
const short = (id) => id.slice(0, 4);

function show(picture) {
  const svg = document.getElementById("trees");
  const rows = document.getElementById("rows");
  const hops = Math.max(1, ...picture.trees.map((tree) => tree.path.length));
  const [width, high] = [720, 34];
  svg.setAttribute("viewBox", `0 0 ${width} ${high * picture.trees.length + 10}`);
  svg.replaceChildren();
  rows.replaceChildren();
  const across = (n) => 60 + (n * (width - 220)) / hops;
  picture.trees.forEach((tree, at) => {
    const y = high * at + 18;
    const me = across(hops);
    svg.append(draw("text", { x: 0, y: y + 4 }, `tree ${at}`));
    const nodes = tree.path.map((id, n) => [across(n), id, n === 0 ? "source" : "hop"]);
    for (let n = 0; n < nodes.length; n += 1) {
      const next = n + 1 < nodes.length ? nodes[n + 1][0] : me;
      svg.append(draw("line", { x1: nodes[n][0], y1: y, x2: next, y2: y }));
    }
    if (nodes.length === 0) svg.append(draw("line", { x1: across(0), y1: y, x2: me, y2: y, class: tree.group ? "" : "gone" }));
    for (const [x, id, kind] of nodes) {
      svg.append(draw("circle", { cx: x, cy: y, r: 6, class: kind }), draw("text", { x: x - 10, y: y - 8 }, short(id)));
    }
    tree.children.forEach((_, n) => {
      const to = y + (n - (tree.children.length - 1) / 2) * 7;
      svg.append(draw("line", { x1: me, y1: y, x2: me + 60, y2: to }), draw("circle", { cx: me + 60, cy: to, r: 3, class: "child" }));
    });
    svg.append(draw("circle", { cx: me, cy: y, r: 7, class: "me" }));
    const from = tree.group ? "this LAN" : tree.parent || "nobody";
    const lost = tree.sent ? (100 * (1 - tree.came / tree.sent)).toFixed(1) + " %" : "";
    const delay = tree.delay === undefined ? "" : tree.delay + " ms";
    const row = document.createElement("tr");
    for (const text of [at, from, tree.path.length || "", delay, lost, tree.children.length]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    rows.append(row);
  });
  document.getElementById("figures").textContent =
    `${(picture.rate * 8 / 1e6).toFixed(2)} Mbit/s, ${picture.lost} packets lost, ${picture.lost_parents} parents lost, ` +
    `${picture.known} members known, ${picture.bad} bad datagrams`;
}
async function look() {
  try {
    const answer = await fetch("picture", { cache: "no-store" });
    if (answer.ok) {
      show(await answer.json());
      esm.pictures += 1;
    }
  } catch { /* The agent is gone; the player says so. */ }
  setTimeout(look, 1000);
}
play();
look();
