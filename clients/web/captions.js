/** The captions page: live captions of this device, or of a shared room. */
import { contrast, remember, remembered, sizes } from "./appearance.js";
import { Awake } from "./awake.js";
import { obstacle } from "./capture.js";
import { Dictation } from "./dictation.js";
import { Reader } from "./reader.js";
import { Room } from "./room.js";
import { Sources } from "./sources.js";
import { Transcript } from "./transcript.js";

const TRADITIONAL = "zh-Hant";
const OVERLAY = { size: 52, paragraphs: 4 };
const BEHIND = 3; // seconds of lag from which the status shows it
const SILENT = "We hear only silence. Is the microphone muted, or is another one meant?";
const LOCKED = "This server needs an access token. Enter it below, then press Start.";
const UNKNOWN = "That token was not accepted. Check it below, then press Start.";
const UNSHARED = "Anyone with the link can read along.";
const SETTINGS = ["language", "task", "room", "token"]; // locked while a session runs
const ACTIONS = ["copy", "txt", "srt", "vtt", "clear"]; // need text

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const query = new URLSearchParams(location.search);
const secrets = new URLSearchParams(location.hash.slice(1)); // the browser never sends it, so no server logs it
const overlay = query.has("overlay");
const watched = query.get("watch");

const transcript = new Transcript();
const sources = new Sources($("source"));
const reader = new Reader($("captions"), $("back"), overlay ? OVERLAY.paragraphs : Infinity);
let dictation = null;
let asking = false;

// Text.

function showText(source) {
  source.addEventListener("committed", ({ detail }) => {
    reader.guess("");
    const text = transcript.add(detail);
    if (text === null) return;
    reader.commit(text);
    enableActions(true);
  });
  source.addEventListener("partial", ({ detail }) => {
    reader.guess(detail.text);
    if (detail.text !== "") $("hint").hidden = true;
  });
}

function clear() {
  transcript.clear();
  reader.clear();
  enableActions(false);
}

function enableActions(any) {
  $("hint").hidden = any;
  for (const id of ACTIONS) $(id).disabled = !any;
}

async function copy() {
  const text = transcript.toText();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Insecure pages have no clipboard API.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    $("copy").focus();
  }
  $("copy").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
}

function download(kind, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const at = new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-");
  const link = { href: url, download: `captions-${at}.${kind}` };
  Object.assign(document.createElement("a"), link).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// Status.

/** Set the text of an element; an unchanged text is not announced again. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function connection({ state, cause }) {
  root.dataset.state = state;
  const texts = {
    connecting: cause ? "Cannot reach the server; trying again. Keep talking — nothing will be lost." : "Connecting…",
    reconnecting: "Connection lost; reconnecting. Keep talking — nothing will be lost.",
  };
  if (texts[state]) say("status", texts[state]);
}

/** Show the status of an open connection. */
function progress({ stopping, lost }, late = "") {
  if (stopping || root.dataset.state !== "open") return;
  if (asking) say("status", waiting());
  else say("status", lost ? "No microphone" : `Listening${late}`);
}

function waiting() {
  return sources.chosen.kind === "display"
    ? "Waiting for you to choose a tab or screen…"
    : "Waiting for microphone permission…";
}

function level(peak) {
  // The meter covers 60 dB.
  const share = peak > 0 ? Math.max(0, 1 + Math.log10(peak) / 3) : 0;
  $("level").style.setProperty("--loudness", share.toFixed(3));
  $("level").ariaValueNow = String(Math.round(100 * share));
}

// Speaking.

async function start() {
  if (asking) return;
  asking = true;
  say("notice", "");
  say("status", waiting());
  try {
    dictation = await Dictation.begin(sources.chosen, {
      token: $("token").value.trim() || null,
      language: $("language").value || null,
      task: $("task").value,
      publish: room() || null,
    });
  } catch (error) {
    stopped("failed");
    say("notice", error.message);
    return;
  } finally {
    asking = false;
  }
  transcript.continueAt(transcript.end);
  follow(dictation);
  dictation.run();
  root.dataset.running = "";
  say("start", "Stop");
  say("hint-title", "Listening — say something.");
  for (const id of SETTINGS) $(id).disabled = true;
  await sources.show(dictation.source); // the browser reveals their names now
}

function follow(dictation) {
  const { stream } = dictation;
  showText(stream);
  stream.addEventListener("state", ({ detail }) => {
    if (!dictation.stopping) connection(detail);
    progress(dictation);
  });
  stream.addEventListener("status", ({ detail: { lag_ms: lag } }) => {
    const late = lag >= 1000 * BEHIND ? `, ${Math.round(lag / 1000)} s behind` : "";
    progress(dictation, late);
  });
  stream.addEventListener("error", ({ detail: { code, message } }) => {
    const locked = code === "unauthorized";
    say("notice", locked ? ($("token").value ? UNKNOWN : LOCKED) : message);
    $("more").open ||= locked;
  });
  dictation.addEventListener("level", ({ detail }) => level(detail.peak));
  dictation.addEventListener("silent", ({ detail: { silent } }) => {
    if (silent) say("notice", SILENT);
    else if ($("notice").textContent === SILENT) say("notice", "");
  });
  dictation.addEventListener("unshared", () => {
    say("notice", "The audio is no longer shared. Press Start to continue.");
    stop();
  });
  let [lost, found] = ["", ""];
  dictation.addEventListener("lost", () => {
    lost = `“${dictation.label}” was disconnected.`;
    progress(dictation);
    say("notice", `${lost} Plug it in again or choose another source; your text is kept.`);
  });
  dictation.addEventListener("found", () => {
    found = `${lost} Now listening to “${dictation.label}”.`;
    progress(dictation);
    say("notice", found);
    sources.show(dictation.source);
  });
  stream.addEventListener("committed", () => {
    if ($("notice").textContent === found) say("notice", ""); // it works
  });
  dictation.addEventListener("over", ({ detail }) => stopped(detail.state));
}

function stop() {
  say("status", "Finishing…");
  say("start", "Stop now (discards grey text)");
  dictation.stop();
}

function stopped(state) {
  dictation = null;
  delete root.dataset.running;
  delete root.dataset.state;
  reader.guess("");
  level(0);
  say("start", "Start");
  say("hint-title", "Start speaking");
  say("status", state === "failed" ? "Stopped" : "Ready");
  for (const id of SETTINGS) $(id).disabled = false;
}

async function changeSource() {
  if (dictation === null || dictation.stopping) return;
  const speaking = dictation;
  asking = true;
  say("notice", "");
  progress(speaking);
  try {
    await speaking.change(sources.chosen);
  } catch (error) {
    if (!speaking.stopping) say("notice", error.message);
  } finally {
    asking = false;
  }
  progress(speaking);
  await sources.show(speaking.source);
}

// Settings.

/** The name of the shared room; "" if the captions are not shared. */
function room() {
  return $("room").checkValidity() ? $("room").value.trim() : "";
}

function share() {
  if (room() === "") {
    $("room-text").textContent = UNSHARED;
    return;
  }
  const { href } = new URL(`watch/${room()}`, location.href);
  const link = { href, textContent: href, target: "_blank" };
  $("room-text").replaceChildren(
    "Read along at ",
    Object.assign(document.createElement("a"), link),
  );
}

function languages() {
  const { multilingual, languages } = document.querySelector("meta[name=streamwhisper]").dataset;
  for (const field of document.querySelectorAll(".multilingual")) {
    field.hidden = multilingual === "false";
  }
  if (multilingual === "false") return;
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const codes = languages.split(" ").flatMap((code) => (code === "zh" ? ["zh", TRADITIONAL] : code));
  const named = codes.map((code) => [names.of(code === "jw" ? "jv" : code), code]);
  named.sort(([a], [b]) => a.localeCompare(b));
  $("language").append(...named.map(([name, code]) => new Option(name, code)));
  choose("language", query.get("language") ?? remembered("language"));
  choose("task", query.get("task"));
  $("language").onchange = () => remember("language", $("language").value);
}

/** Select the option of a value; of a tag such as "de-AT" without an option, that of "de". */
function choose(id, value) {
  const list = $(id);
  const known = [...list.options].map((option) => option.value);
  const written = /^zh-(hant|tw|hk|mo)/i.test(value) ? TRADITIONAL : null;
  const chosen = [value, written, value?.split(/[-_]/)[0].toLowerCase()];
  const found = chosen.find((one) => one && known.includes(one));
  if (found) list.value = found;
}

// The page.

function watch() {
  root.dataset.watching = "";
  document.title = `${watched} · captions`;
  say("hint-title", watched);
  say("hint-text", "Captions appear here when the speaker starts.");
  const room = new Room({ name: watched, token: secrets.get("token") });
  let restarted = false; // the next text starts a new transcript
  for (const type of ["committed", "partial"]) {
    room.addEventListener(type, () => {
      if (restarted) clear();
      restarted = false;
    });
  }
  showText(room);
  room.addEventListener("watching", ({ detail: { session } }) => {
    restarted = true;
    reader.guess("");
    say("status", session === null ? "Waiting for the speaker" : "Live");
  });
  room.addEventListener("state", ({ detail: { state, cause } }) => {
    root.dataset.state = state;
    if (state === "reconnecting") say("status", "Not connected; reconnecting…");
    if (state === "failed") say("status", "Not connected");
    say("notice", state === "failed" ? cause : "");
  });
  room.watch();
  new Awake().begin();
}

function speak() {
  $("start").onclick = () => (dictation === null ? start() : stop());
  $("source").onchange = changeSource;
  $("room").oninput = share;
  $("room").value = query.get("publish") ?? "";
  $("token").value = secrets.get("token") ?? "";
  languages();
  share();
  sources.refresh();
  const why = obstacle();
  if (why !== null) {
    $("start").disabled = true;
    $("hint").hidden = true;
    say("status", "No microphone available");
    say("notice", why);
  } else if (overlay) {
    beginOverlay();
  } else if (room() !== "") {
    say("notice", `Start shares the captions as “${room()}”.`);
  }
}

/**
 * Start at once if this address was allowed before, and no other site has opened it. Otherwise ask:
 * a link must not switch a microphone on.
 */
function beginOverlay() {
  const { direct } = document.querySelector("meta[name=streamwhisper]").dataset;
  if (direct === "true" && remembered("allowed") === location.search) {
    start();
    return;
  }
  const allow = $("allow");
  allow.textContent = room() === "" ? "Listen" : `Listen, and share as “${room()}”`;
  allow.hidden = false;
  allow.onclick = () => {
    remember("allowed", location.search);
    allow.hidden = true;
    start();
  };
}

function begin() {
  if (overlay) root.dataset.overlay = "";
  sizes($("smaller"), $("larger"), Number(query.get("size")) || (overlay ? OVERLAY.size : null));
  contrast($("contrast"));
  $("copy").onclick = copy;
  $("txt").onclick = () => download("txt", transcript.toText());
  $("srt").onclick = () => download("srt", transcript.toSrt());
  $("vtt").onclick = () => download("vtt", transcript.toVtt());
  $("clear").onclick = () => confirm("Clear all text?") && clear();
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
    if (dictation !== null && !transcript.empty) event.preventDefault();
  });
  if (watched) watch();
  else speak();
}

begin();
