/** The first screen: what the page does, and other ways to begin than a microphone. */
import { canShare, obstacle } from "./capture.js";
import { Clip } from "./clip.js";
import { explained } from "./errors.js";
import * as notice from "./notice.js";
import { $, root, say, served } from "./page.js";
import { languageName } from "./settings.js";
import { t } from "./texts.js";

const SAMPLE = "sample.mp3";
const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/;

export class Welcome {
  #text;
  #speaker;

  /**
   * @param {import("./text.js").Text} text
   * @param {import("./speaking.js").Speaker} speaker
   */
  constructor(text, speaker) {
    this.#text = text;
    this.#speaker = speaker;
    text.addEventListener("seen", () => this.place());
    speaker.addEventListener("change", () => this.place());
    document.addEventListener("language", () => this.#facts());
    $("sample").onclick = () => this.#sample();
    $("file").onclick = () => $("file-input").click();
    $("file-input").onchange = () => {
      const [file] = $("file-input").files;
      $("file-input").value = "";
      if (file) this.#file(file);
    };
    $("tab").hidden = !canShare() || obstacle() !== null;
    $("tab").onclick = () => speaker.start({ source: { kind: "display" } });
    this.#drops();
    this.#facts();
    this.place();
  }

  /** Show the first screen while there is no text; the button stands in its middle. */
  place() {
    const view = this.#text.empty ? "welcome" : "text";
    root.dataset.view = view;
    $("captions").tabIndex = view === "text" ? 0 : -1;
    const slot = view === "text" ? $("dock-button") : $("hero-button");
    if ($("start").parentElement === slot) return;
    const focused = document.activeElement === $("start");
    slot.append($("start"));
    if (focused) $("start").focus();
  }

  #facts() {
    const local = LOCAL.test(location.hostname);
    const place = local ? t("fact_local") : t("fact_remote", { host: location.host });
    $("fact-place").lastElementChild.textContent = place;
    const codes = (served.languages ?? "").split(" ").filter(Boolean);
    const spoken =
      served.multilingual === "false"
        ? t("fact_one_language", { language: languageName(codes[0] ?? "en") })
        : t("fact_languages", { count: codes.length });
    const model = served.model ? `${served.model} · ${spoken}` : spoken;
    $("fact-model").lastElementChild.textContent = model;
  }

  async #sample() {
    if (this.#busy()) return;
    try {
      const response = await fetch(SAMPLE);
      if (!response.ok) throw new Error(response.statusText);
      const clip = await Clip.open(await response.blob(), SAMPLE, { aloud: true });
      await this.#speaker.start({ source: clip, language: "en" });
    } catch {
      notice.show(t("error_connection_lost"));
    }
  }

  async #file(file) {
    if (this.#busy()) return;
    say("status", t("decoding", { name: file.name }));
    try {
      const clip = await Clip.open(file, file.name);
      this.#speaker.startAnew();
      await this.#speaker.start({ source: clip });
    } catch (error) {
      say("status", t("ready"));
      notice.show(explained({ ...error, message: file.name }));
    }
  }

  #busy() {
    if (this.#speaker.running) notice.show(t("stop_first"));
    return this.#speaker.running;
  }

  #drops() {
    const carries = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      $("drop").hidden = false;
    });
    addEventListener("dragleave", ({ relatedTarget }) => {
      if (relatedTarget === null) $("drop").hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      $("drop").hidden = true;
      const [file] = event.dataTransfer.files;
      if (file) this.#file(file);
    });
  }
}
