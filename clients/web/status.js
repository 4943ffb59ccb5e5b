/** The state of a session: the line and the chips in the header, and the running time. */
import { $, root, say, served } from "./page.js";
import * as notice from "./notice.js";
import { languageName } from "./settings.js";
import { t } from "./texts.js";

const LATE = 3; // seconds of lag from which it is highlighted
const EXACT = 10; // seconds of lag up to which tenths are shown

export class Status {
  #began = 0;
  #clock = null;

  /** Show the running time from now on. */
  begin() {
    this.#began = performance.now();
    $("clock").hidden = false;
    $("model").hidden = !served.model;
    say("model", served.model);
    this.#tick();
    this.#clock = setInterval(() => this.#tick(), 500);
  }

  /** Remove the running time and the chips. */
  end() {
    clearInterval(this.#clock);
    for (const id of ["clock", "lag", "spoken", "model"]) $(id).hidden = true;
    delete root.dataset.state;
    notice.settle("connection");
  }

  /** Show how far the text is behind the audio, in seconds. */
  lag(seconds) {
    $("lag").hidden = false;
    $("lag").classList.toggle("late", seconds >= LATE);
    const shown = seconds < EXACT ? seconds.toFixed(1) : String(Math.round(seconds));
    say("lag", t("behind", { seconds: shown }));
  }

  /** Show the language of the speech, a code. */
  spoken(code) {
    if (!code) return;
    $("spoken").hidden = false;
    say("spoken", languageName(code));
  }

  /** Show the state of the connection. */
  connection({ state, cause }) {
    root.dataset.state = state;
    if (state === "connecting") {
      say("status", t("connecting"));
      if (cause) notice.show(t("unreachable"), { kind: "connection" });
    }
    if (state === "reconnecting") {
      say("status", t("reconnecting"));
      notice.show(t("connection_lost"), { kind: "connection" });
    }
    if (state === "open") notice.settle("connection");
  }

  #tick() {
    const all = Math.floor((performance.now() - this.#began) / 1000);
    const [h, m, s] = [all / 3600, (all / 60) % 60, all % 60].map(Math.floor);
    const two = (number) => String(number).padStart(2, "0");
    say("clock", h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`);
  }
}
