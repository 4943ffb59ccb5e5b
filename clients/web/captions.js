/** The captions page: a person speaks, or somebody else does, and the text stands there. */
import { Capture, canShare, microphones, obstacle } from "./capture.js";
import { Reader } from "./reader.js";
import { Room } from "./room.js";
import { StreamWhisper } from "./streamwhisper.js";
import { Transcript } from "./transcript.js";

const LANGUAGES = (
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he " +
  "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne " +
  "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk " +
  "ur uz vi yi yo yue zh"
).split(" ");
const DISPLAY = "display"; // the value of the choice of a tab or a screen
const SIZES = [16, 20, 24, 28, 34, 42, 52, 64, 80];
const OVERLAY_SIZE = 52;
const OVERLAY_PARAGRAPHS = 4;
const QUIET = 0.004; // loudness below which nothing can be heard
const PATIENCE = 6; // seconds without any sound before that is said
const BEHIND = 3; // seconds of lag that are worth saying

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const query = new URLSearchParams(location.search);
const secrets = new URLSearchParams(location.hash.slice(1)); // never sent, never logged
const overlay = query.has("overlay");
const watched = query.get("watch");
const served = document.querySelector("meta[name=streamwhisper]");

const transcript = new Transcript();
const reader = new Reader($("captions"), $("back"), overlay ? OVERLAY_PARAGRAPHS : Infinity);

// What is remembered from one visit to the next; a browser may refuse to.

function remembered(name) {
  try {
    return localStorage.getItem(`captions.${name}`);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`captions.${name}`, value);
  } catch {
    // It is not remembered then.
  }
}

// What is said.

function show(message) {
  const text = transcript.add(message);
  if (text === null) return;
  reader.commit(text);
  $("hint").hidden = true;
  for (const id of ["copy", "txt", "srt", "vtt", "clear"]) $(id).disabled = false;
}

function guess({ text }) {
  reader.guess(text);
  if (text !== "") $("hint").hidden = true;
}

function hear(source) {
  source.addEventListener("committed", ({ detail }) => {
    reader.guess("");
    show(detail);
  });
  source.addEventListener("partial", ({ detail }) => guess(detail));
}

function clear() {
  transcript.clear();
  reader.clear();
  $("hint").hidden = false;
  for (const id of ["copy", "txt", "srt", "vtt", "clear"]) $(id).disabled = true;
}

// How it goes.

function status(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function notice(text) {
  if ($("notice").textContent !== text) $("notice").textContent = text;
}

function connection(state, cause) {
  root.dataset.state = state;
  const texts = {
    connecting: cause ? "No server yet; trying again. What is said is kept." : "Connecting…",
    open: "Listening",
    reconnecting: "Connection lost; coming back. What is said is kept.",
  };
  status(texts[state] ?? "Ready");
}

// Speaking.

class Run {
  #capture;
  #stream;
  #lock = null;
  #heardAt = performance.now(); // sound that is not silence
  #clock;
  #stopping = false;

  /** Begin to listen to a source; throws what is in the way. */
  static async begin(source) {
    const run = new Run();
    run.#capture = await Capture.open(source);
    try {
      run.#connect();
    } catch (error) {
      await run.#capture.stop();
      throw error;
    }
    return run;
  }

  get stopping() {
    return this.#stopping;
  }

  change(source) {
    this.#heardAt = performance.now();
    return this.#capture.change(source);
  }

  /** Have the rest committed, then leave; leave at once when asked again. */
  async stop() {
    if (this.#stopping) {
      this.#stream.close();
      return;
    }
    this.#stopping = true;
    status("Finishing…");
    await this.#capture.stop();
    try {
      await this.#stream.end();
    } catch {
      // The page has been told by the event.
    }
  }

  #connect() {
    const room = $("room").value.trim();
    const capture = this.#capture;
    this.#stream = new StreamWhisper({
      token: $("token").value.trim() || null,
      language: $("language").value || null,
      task: $("task").value,
      sampleRate: capture.sampleRate,
      publish: room || null,
    });
    const stream = this.#stream;
    transcript.continueAt(transcript.end);
    hear(stream);
    stream.addEventListener("state", ({ detail }) => this.#changed(detail));
    stream.addEventListener("status", ({ detail }) => this.#lags(detail.lag_ms / 1000));
    stream.addEventListener("error", ({ detail }) => notice(detail.message));
    stream.connect().catch(() => {}); // the same is said by the event
    capture.run((samples) => this.#listen(samples));
    capture.onend = () => {
      notice(`“${capture.label}” has ended. Press Start to go on with another source.`);
      this.stop();
    };
    this.#clock = setInterval(() => this.#watch(), 1000);
    this.#wakeLock();
    document.addEventListener("visibilitychange", this.#wakeLock);
  }

  #listen(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    loudness(peak / 32768);
    if (peak / 32768 > QUIET) this.#heardAt = performance.now();
    if (["done", "failed", "closed"].includes(this.#stream.state)) return;
    this.#stream.send(samples);
  }

  #changed({ state, cause }) {
    if (!["done", "failed", "closed"].includes(state)) {
      if (!this.#stopping) connection(state, cause);
      return;
    }
    this.#leave(state);
  }

  async #leave(state) {
    clearInterval(this.#clock);
    document.removeEventListener("visibilitychange", this.#wakeLock);
    this.#lock?.release();
    if (!this.#stopping) {
      this.#stopping = true;
      await this.#capture.stop();
    }
    reader.guess("");
    stopped(state);
  }

  #lags(seconds) {
    if (this.#stopping || this.#stream.state !== "open") return;
    status(seconds < BEHIND ? "Listening" : `Listening, ${seconds.toFixed()} s behind`);
  }

  /** Say so when there is nothing to hear. */
  #watch() {
    const silent = performance.now() - this.#heardAt > PATIENCE * 1000;
    const text = "No sound comes from here. Is it switched off, or is another one meant?";
    if (silent && !this.#stopping) notice(text);
    else if ($("notice").textContent === text) notice("");
  }

  // The screen stays on; the lock falls whenever the page is out of sight.
  #wakeLock = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      this.#lock = await navigator.wakeLock?.request("screen");
    } catch {
      // A battery that is nearly empty has the last word.
    }
  };
}

let run = null;
let starting = false;

function chosen() {
  const value = $("source").value;
  return value === DISPLAY ? { kind: DISPLAY } : { kind: "microphone", deviceId: value };
}

async function start() {
  if (starting) return;
  notice("");
  starting = true;
  status("Asking for the sound…");
  try {
    run = await Run.begin(chosen());
  } catch (error) {
    stopped("failed");
    notice(error.message);
    return;
  } finally {
    starting = false;
  }
  root.dataset.running = "";
  $("start").textContent = "Stop";
  for (const id of ["language", "task", "room", "token"]) $(id).disabled = true;
  sharing();
  await listSources(); // their names are known now
}

async function stop() {
  $("start").textContent = "Leave at once";
  await run.stop();
}

function stopped(state) {
  run = null;
  delete root.dataset.running;
  delete root.dataset.state;
  $("start").textContent = "Start";
  for (const id of ["language", "task", "room", "token"]) $(id).disabled = false;
  loudness(0);
  sharing();
  status(state === "failed" ? "Stopped" : "Ready");
}

function loudness(peak) {
  // 60 dB from one end to the other.
  const share = peak > 0 ? Math.max(0, 1 + Math.log10(peak) / 3) : 0;
  $("level").style.setProperty("--loudness", share.toFixed(3));
  $("level").ariaValueNow = String(Math.round(100 * share));
}

async function listSources() {
  const list = $("source");
  const value = list.value || remembered("source");
  const named = (await microphones()).filter(({ deviceId }) => deviceId !== "");
  const options = named.map(({ deviceId, label }, k) => new Option(label || `Microphone ${k + 1}`, deviceId));
  if (options.length === 0) options.push(new Option("Microphone", ""));
  if (canShare()) options.push(new Option("Sound of a tab or the screen…", DISPLAY));
  list.replaceChildren(...options);
  if (options.some((option) => option.value === value)) list.value = value;
}

async function changeSource() {
  remember("source", $("source").value);
  if (run === null || run.stopping) return;
  notice("");
  try {
    await run.change(chosen());
  } catch (error) {
    notice(error.message);
  }
}

/** Where others can read along. */
function sharing() {
  const room = $("room").value.trim();
  if (room === "" || !$("room").checkValidity()) {
    $("room-text").textContent = "Others can then read along.";
    return;
  }
  const url = new URL(`watch/${encodeURIComponent(room)}`, location.href);
  const link = Object.assign(document.createElement("a"), {
    href: url.href,
    textContent: url.href,
    target: "_blank",
  });
  $("room-text").replaceChildren("Others read along at ", link);
}

// What is done with the text.

async function copy() {
  const text = transcript.toText();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only secure pages have a clipboard of that kind.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  $("copy").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
}

function download(kind, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const name = `captions-${new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-")}.${kind}`;
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// How it looks.

function size(pixels) {
  root.style.setProperty("--size", `${pixels}px`);
  return pixels;
}

function contrast(more) {
  root.dataset.contrast = more ? "more" : "normal";
  $("contrast").ariaPressed = String(more);
}

function appearance() {
  const asked = Number(query.get("size") || (overlay ? OVERLAY_SIZE : remembered("size"))) || 28;
  let pixels = size(Math.max(8, Math.min(400, asked)));
  const step = (by) => {
    const sizes = by > 0 ? SIZES.filter((s) => s > pixels) : SIZES.filter((s) => s < pixels).reverse();
    pixels = size(sizes[0] ?? pixels);
    remember("size", pixels);
  };
  $("smaller").onclick = () => step(-1);
  $("larger").onclick = () => step(1);
  const system = matchMedia("(prefers-contrast: more)");
  contrast(remembered("contrast") ? remembered("contrast") === "more" : system.matches);
  system.onchange = () => contrast(system.matches);
  $("contrast").onclick = () => {
    contrast(root.dataset.contrast !== "more");
    remember("contrast", root.dataset.contrast);
  };
}

function languages() {
  const multilingual = served.dataset.multilingual !== "false";
  for (const field of document.querySelectorAll(".multilingual")) field.hidden = !multilingual;
  if (!multilingual) return;
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const named = LANGUAGES.map((code) => [code, code === "jw" ? "Javanese" : names.of(code)]);
  named.sort(([, a], [, b]) => a.localeCompare(b));
  $("language").append(...named.map(([code, name]) => new Option(name, code)));
  $("language").value = query.get("language") ?? remembered("language") ?? "";
  $("task").value = query.get("task") ?? "transcribe";
  if ($("language").selectedIndex < 0) $("language").value = "";
  if ($("task").selectedIndex < 0) $("task").value = "transcribe";
  $("language").onchange = () => remember("language", $("language").value);
}

// The page.

function watch() {
  root.dataset.watching = "";
  document.title = `${watched} · captions`;
  $("hint-title").textContent = watched;
  $("hint-text").textContent = "What is said there appears here.";
  const room = new Room({ name: watched, token: secrets.get("token") });
  let stale = false; // what is shown was told by a connection before this one
  const fresh = () => {
    if (stale) clear();
    stale = false;
  };
  for (const type of ["committed", "partial"]) room.addEventListener(type, fresh);
  hear(room);
  room.addEventListener("again", () => {
    stale = true;
    reader.guess("");
  });
  room.addEventListener("state", ({ detail: { state, cause } }) => {
    root.dataset.state = state;
    status(state === "open" ? `Reading along: ${watched}` : "Not connected; trying again…");
    if (state === "failed") status("Not connected");
    notice(state === "failed" ? cause : "");
  });
  room.watch();
}

function speak() {
  $("start").onclick = () => (run === null ? start() : stop());
  $("source").onchange = changeSource;
  $("room").oninput = sharing;
  $("room").value = query.get("publish") ?? "";
  $("token").value = secrets.get("token") ?? "";
  languages();
  sharing();
  listSources();
  navigator.mediaDevices?.addEventListener("devicechange", listSources);
  const why = obstacle();
  if (why) {
    $("start").disabled = true;
    $("hint-title").textContent = "Not from here.";
    $("hint-text").textContent = "";
    status("Not secure");
    notice(why);
  } else if (overlay) {
    start();
  }
}

function begin() {
  if (overlay) root.dataset.overlay = "";
  appearance();
  $("copy").onclick = copy;
  $("txt").onclick = () => download("txt", transcript.toText());
  $("srt").onclick = () => download("srt", transcript.toSrt());
  $("vtt").onclick = () => download("vtt", transcript.toVtt());
  $("clear").onclick = clear;
  const more = $("more");
  addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !more.open) return;
    more.open = false;
    more.querySelector("summary").focus();
  });
  addEventListener("click", ({ target }) => {
    if (!more.contains(target)) more.open = false;
  });
  addEventListener("beforeunload", (event) => {
    if (run !== null && !transcript.empty) event.preventDefault();
  });
  if (watched) watch();
  else speak();
}

begin();
