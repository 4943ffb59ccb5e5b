/** The page of a speaker: starts and stops sessions, and reports their state. Event: `change`. */
import { obstacle } from "./capture.js";
import { Dictation } from "./dictation.js";
import { explained, obstacleText } from "./errors.js";
import { Level } from "./level.js";
import * as notice from "./notice.js";
import { $, root, say } from "./page.js";
import { Progress } from "./progress.js";
import * as settings from "./settings.js";
import * as share from "./share.js";
import { Sources } from "./sources.js";
import { Status } from "./status.js";
import { t } from "./texts.js";

const PATIENCE = 1500; // milliseconds from Stop until it may be cut short: no double click does that

export class Speaker extends EventTarget {
  #text;
  #replay;
  #renew;
  #sources = new Sources($("source"));
  #status = new Status();
  #level = new Level();
  #dictation = null;
  #progress = null; // of a file
  #asking = false;
  #offset = 0; // start of the session in seconds of the transcript
  #stopAt = Infinity; // time from which a second Stop discards text
  #labels = { button: "start", title: "start_speaking", status: "ready" };

  /**
   * @param {import("./text.js").Text} text
   * @param {import("./replay.js").Replay} replay
   * @param {() => void} renew begins a new transcript.
   */
  constructor(text, replay, renew) {
    super();
    this.#text = text;
    this.#replay = replay;
    this.#renew = renew;
    $("start").onclick = () => (this.running ? this.stop() : this.start());
    $("source").onchange = () => this.#change();
    document.addEventListener("language", () => {
      this.#label({});
      this.#sources.refresh();
    });
    this.#sources.refresh();
    this.#label({});
  }

  get running() {
    return this.#dictation !== null;
  }

  /** Disable the button, with the reason, if the page cannot capture audio; returns whether it can. */
  check() {
    const why = obstacle();
    if (why === null) return true;
    $("start").disabled = true;
    this.#label({ title: "no_microphone", status: "no_microphone" });
    notice.show(obstacleText(why));
    return false;
  }

  /** Begin a new transcript: the times of a file are its own. */
  startAnew() {
    this.#renew();
  }

  /**
   * Start a session.
   * @param {object} options
   * @param {object} options.source a microphone, a tab or screen, or a Clip; default: the chosen one.
   * @param {string | null} options.language of the speech; a sample is not shared.
   */
  async start({ source = this.#sources.chosen, language = null } = {}) {
    if (this.#asking || this.running) return;
    const fault = share.roomFault();
    if (fault !== null) {
      notice.show(fault);
      return;
    }
    this.#asking = true;
    notice.clear();
    this.#label({ title: waiting(source), status: waiting(source) });
    try {
      const sample = language === null ? {} : { language, task: "transcribe" };
      const publish = language === null ? share.room() || null : null;
      const options = { ...settings.settings(), publish, ...sample };
      this.#dictation = await Dictation.begin(source, options);
    } catch (error) {
      this.#stopped("failed");
      notice.show(explained(error));
      return;
    } finally {
      this.#asking = false;
    }
    this.#run(this.#dictation, source);
    if (!source.run) await this.#sources.show(this.#dictation.source); // their names are known now
  }

  /** Commit the rest and end; a second call, a while later, ends at once. */
  stop() {
    const dictation = this.#dictation;
    if (dictation === null) return;
    if (dictation.stopping && performance.now() < this.#stopAt) return;
    if (!dictation.stopping) {
      this.#stopAt = performance.now() + PATIENCE;
      this.#label({ button: "finishing", status: "finishing" });
      setTimeout(() => {
        if (this.#dictation === dictation) this.#label({ button: "stop_now" });
      }, PATIENCE);
    }
    dictation.stop();
  }

  #run(dictation, source) {
    const { transcript } = this.#text;
    this.#offset = transcript.end;
    transcript.continueAt(this.#offset);
    this.#progress = source.run && !source.aloud ? new Progress(source) : null;
    this.#replay.begin(this.#offset, dictation.sampleRate, Boolean(source.run));
    this.#follow(dictation);
    this.#followSource(dictation);
    root.dataset.running = source.run ? "clip" : "";
    this.#status.begin();
    const title = source.run ? "clip_hint" : "listening_hint";
    this.#label({ button: "stop", title, status: "connecting" });
    settings.lock(true);
    share.lock(true);
    dictation.run();
    this.dispatchEvent(new Event("change"));
  }

  #follow(dictation) {
    const { stream } = dictation;
    share.follow(stream);
    this.#text.follow(stream);
    stream.addEventListener("state", ({ detail }) => {
      if (!dictation.stopping) this.#status.connection(detail);
      this.#listening();
    });
    stream.addEventListener("status", ({ detail: { lag_ms: lag, audio_seconds: heard } }) => {
      if (this.#progress) this.#progress.show(heard - lag / 1000);
      else this.#status.lag(lag / 1000);
      this.#listening();
    });
    stream.addEventListener("error", ({ detail }) => this.#report(detail));
    stream.addEventListener("committed", ({ detail }) => {
      this.#status.spoken(detail.language);
      notice.settle("found"); // it works
    });
    dictation.addEventListener("over", ({ detail }) => this.#stopped(detail.state));
  }

  #report(error) {
    if (error.code !== "unauthorized") {
      notice.show(explained(error));
      return;
    }
    const field = document.createElement("input");
    Object.assign(field, { type: "password", autocomplete: "off", ariaLabel: t("token") });
    field.placeholder = t("token");
    field.oninput = () => ($("token").value = field.value);
    field.onkeydown = ({ key }) => key === "Enter" && this.start();
    notice.show(t($("token").value ? "token_unknown" : "token_missing"), { field });
    field.focus();
  }

  #followSource(dictation) {
    dictation.addEventListener("audio", ({ detail: { samples, peak } }) => {
      this.#replay.write(samples);
      this.#level.show(peak);
    });
    dictation.addEventListener("silent", ({ detail: { silent } }) => {
      if (silent) notice.show(t("silent"), { kind: "silent" });
      else notice.settle("silent");
    });
    dictation.addEventListener("unshared", () => {
      notice.show(t("unshared"));
      this.stop();
    });
    let lost = "";
    dictation.addEventListener("lost", () => {
      lost = t("lost", { name: dictation.label });
      this.#listening();
      notice.show(`${lost} ${t("lost_advice")}`);
    });
    dictation.addEventListener("found", () => {
      this.#listening();
      notice.show(`${lost} ${t("found", { name: dictation.label })}`, { kind: "found" });
      this.#sources.show(dictation.source);
    });
  }

  /** Show the status of an open connection. */
  #listening() {
    const dictation = this.#dictation;
    if (dictation === null || dictation.stopping || root.dataset.state !== "open") return;
    if (this.#asking) this.#label({ status: waiting(this.#sources.chosen) });
    else if (dictation.lost) this.#label({ status: "microphone_lost" });
    else this.#label({ status: dictation.source.kind === "clip" ? "captioning" : "listening" });
  }

  #label(labels) {
    Object.assign(this.#labels, labels);
    const { button, title, status } = this.#labels;
    say("start-label", t(button));
    say("hero-title", t(title));
    say("status", t(status));
  }

  #stopped(state) {
    const error = notice.current();
    this.#dictation = null;
    delete root.dataset.running;
    this.#progress?.end();
    this.#status.end();
    this.#level.clear();
    const status = state === "failed" ? "stopped" : "ready";
    this.#label({ button: "start", title: "start_speaking", status });
    settings.lock(false);
    share.lock(false);
    this.#rescue(state === "failed" ? error : "");
    this.dispatchEvent(new Event("change"));
  }

  /** Offer to keep partial text that the session has not committed. */
  #rescue(error) {
    const lost = this.#text.takeGuess(this.#offset);
    if (lost === null) return;
    const text = t("grey_lost", { text: lost.text.trim() });
    const keep = { label: t("keep"), run: () => this.#text.keepGuess(lost) };
    notice.show(`${error} ${text}`.trim(), { action: keep });
  }

  async #change() {
    const dictation = this.#dictation;
    if (dictation === null || dictation.stopping || dictation.source.kind === "clip") return;
    this.#asking = true;
    notice.clear();
    this.#listening();
    try {
      await dictation.change(this.#sources.chosen);
    } catch (error) {
      if (!dictation.stopping) notice.show(explained(error));
    } finally {
      this.#asking = false;
    }
    this.#listening();
    await this.#sources.show(dictation.source);
  }
}

function waiting({ kind }) {
  if (kind === "clip") return "connecting";
  return kind === "display" ? "waiting_display" : "waiting_microphone";
}
