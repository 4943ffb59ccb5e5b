/** The page of a speaker: starts and stops sessions, and reports their state. */
import { obstacle } from "./capture.js";
import { Dictation } from "./dictation.js";
import { $, root, say } from "./page.js";
import * as settings from "./settings.js";
import * as share from "./share.js";
import { Sources } from "./sources.js";
import { t } from "./texts.js";

const BEHIND = 3; // seconds of lag from which the status shows it

export class Speaker {
  #text;
  #sources = new Sources($("source"));
  #dictation = null;
  #asking = false;
  #silent = false; // whether the notice reports silence

  /** @param {import("./text.js").Text} text */
  constructor(text) {
    this.#text = text;
    $("start").onclick = () => (this.running ? this.stop() : this.start());
    $("source").onchange = () => this.#change();
    this.#sources.refresh();
  }

  get running() {
    return this.#dictation !== null;
  }

  /** Disable the page, with the reason, if it cannot capture audio; returns whether it can. */
  check() {
    const why = obstacle();
    if (why === null) return true;
    $("start").disabled = true;
    $("hint").hidden = true;
    say("status", t("no_microphone"));
    say("notice", why);
    return false;
  }

  async start() {
    if (this.#asking) return;
    const fault = share.roomFault();
    if (fault !== null) {
      say("notice", fault);
      return;
    }
    this.#asking = true;
    say("notice", "");
    say("status", this.#waiting());
    try {
      const options = { ...settings.settings(), publish: share.room() || null };
      this.#dictation = await Dictation.begin(this.#sources.chosen, options);
    } catch (error) {
      this.#stopped("failed");
      say("notice", error.message);
      return;
    } finally {
      this.#asking = false;
    }
    const { transcript } = this.#text;
    transcript.continueAt(transcript.end);
    this.#follow(this.#dictation);
    this.#dictation.run();
    root.dataset.running = "";
    say("start", t("stop"));
    say("hint-title", t("listening_hint"));
    settings.lock(true);
    share.lock(true);
    await this.#sources.show(this.#dictation.source); // the browser reveals their names now
  }

  stop() {
    say("status", t("finishing"));
    say("start", t("stop_now"));
    this.#dictation.stop();
  }

  #follow(dictation) {
    const { stream } = dictation;
    share.follow(stream);
    this.#text.follow(stream);
    stream.addEventListener("state", ({ detail }) => {
      if (!dictation.stopping) connection(detail);
      this.#progress();
    });
    stream.addEventListener("status", ({ detail: { lag_ms: lag } }) => {
      this.#progress(lag / 1000);
    });
    stream.addEventListener("error", ({ detail: { code, message } }) => {
      const locked = code === "unauthorized";
      say("notice", locked ? t($("token").value ? "token_unknown" : "token_missing") : message);
      $("more").open ||= locked;
    });
    stream.addEventListener("committed", () => {
      if ($("notice").textContent === this.found) say("notice", ""); // it works
    });
    this.#followSource(dictation);
    dictation.addEventListener("over", ({ detail }) => this.#stopped(detail.state));
  }

  #followSource(dictation) {
    dictation.addEventListener("level", ({ detail }) => level(detail.peak));
    dictation.addEventListener("silent", ({ detail: { silent } }) => {
      if (silent) say("notice", t("silent"));
      else if (this.#silent) say("notice", "");
      this.#silent = silent;
    });
    dictation.addEventListener("unshared", () => {
      say("notice", t("unshared"));
      this.stop();
    });
    let lost = "";
    dictation.addEventListener("lost", () => {
      lost = t("lost", { name: dictation.label });
      this.#progress();
      say("notice", `${lost} ${t("lost_advice")}`);
    });
    dictation.addEventListener("found", () => {
      this.found = `${lost} ${t("found", { name: dictation.label })}`;
      this.#progress();
      say("notice", this.found);
      this.#sources.show(dictation.source);
    });
  }

  /** Show the status of an open connection. */
  #progress(lag = 0) {
    const dictation = this.#dictation;
    if (dictation === null || dictation.stopping || root.dataset.state !== "open") return;
    const late = lag >= BEHIND ? `, ${t("behind", { seconds: Math.round(lag) })}` : "";
    if (this.#asking) say("status", this.#waiting());
    else say("status", dictation.lost ? t("microphone_lost") : t("listening") + late);
  }

  #waiting() {
    return t(this.#sources.chosen.kind === "display" ? "waiting_display" : "waiting_microphone");
  }

  #stopped(state) {
    this.#dictation = null;
    delete root.dataset.running;
    delete root.dataset.state;
    this.#text.guess("");
    level(0);
    say("start", t("start"));
    say("hint-title", t("start_speaking"));
    say("status", t(state === "failed" ? "stopped" : "ready"));
    settings.lock(false);
    share.lock(false);
  }

  async #change() {
    const dictation = this.#dictation;
    if (dictation === null || dictation.stopping) return;
    this.#asking = true;
    say("notice", "");
    this.#progress();
    try {
      await dictation.change(this.#sources.chosen);
    } catch (error) {
      if (!dictation.stopping) say("notice", error.message);
    } finally {
      this.#asking = false;
    }
    this.#progress();
    await this.#sources.show(dictation.source);
  }
}

function connection({ state, cause }) {
  root.dataset.state = state;
  if (state === "connecting") say("status", t(cause ? "unreachable" : "connecting"));
  if (state === "reconnecting") say("status", t("reconnecting"));
}

function level(peak) {
  // The meter covers 60 dB.
  const share = peak > 0 ? Math.max(0, 1 + Math.log10(peak) / 3) : 0;
  root.style.setProperty("--loudness", share.toFixed(3));
  $("level").ariaValueNow = String(Math.round(100 * share));
}
