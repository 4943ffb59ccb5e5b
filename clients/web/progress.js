/** How far a file is transcribed. */
import { $, say } from "./page.js";
import { t } from "./texts.js";

export class Progress {
  #clip;
  #began = performance.now();

  /** @param {import("./clip.js").Clip} clip */
  constructor(clip) {
    this.#clip = clip;
    $("file-progress").hidden = false;
    this.show(0);
  }

  /** Show that so many seconds are transcribed. */
  show(seconds) {
    const { label: name, seconds: all } = this.#clip;
    const done = Math.max(0, Math.min(seconds, all));
    const speed = done / Math.max(0.001, (performance.now() - this.#began) / 1000);
    $("file-bar").value = all > 0 ? done / all : 1;
    const values = { name, done: clock(done), all: clock(all), speed: speed.toFixed(0) };
    say("file-text", t(speed >= 1 ? "progress_speed" : "progress", values));
  }

  end() {
    $("file-progress").hidden = true;
  }
}

function clock(seconds) {
  const all = Math.round(seconds);
  const [h, m, s] = [all / 3600, (all / 60) % 60, all % 60].map(Math.floor);
  const two = (number) => String(number).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
