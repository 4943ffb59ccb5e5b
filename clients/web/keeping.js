/** Keeps the transcript of this page in the browser while it grows. */
import { remember, remembered } from "./appearance.js";
import * as archive from "./archive.js";

const DELAY = 1000; // milliseconds from a change until it is stored
const PER_WORD = 0.2; // more milliseconds per word, because the whole transcript is written

export class Keeping extends EventTarget {
  #text;
  #id = null;
  #at = 0;
  #timer = null;
  #unsaved = false;

  /** @param {import("./text.js").Text} text */
  constructor(text) {
    super();
    this.#text = text;
    text.addEventListener("change", () => this.#changed());
    addEventListener("pagehide", () => this.store());
  }

  /** Whether the user wants transcripts to be kept. */
  get enabled() {
    return remembered("keep") !== "no";
  }

  set enabled(wanted) {
    remember("keep", wanted ? "yes" : "no");
    if (wanted) this.store();
  }

  /** Whether the text would be lost with the page. */
  get unsaved() {
    return this.#unsaved && !this.#text.transcript.empty;
  }

  /** Record that the user has copied or downloaded the text. */
  saved() {
    this.#unsaved = false;
  }

  /** Continue with another transcript, or with a new one (null). */
  renew(kept = null) {
    this.store();
    this.#id = kept?.id ?? null;
    this.#at = kept?.at ?? 0;
    this.#unsaved = false;
  }

  /** Id and start of the current transcript. */
  get current() {
    return this.#id === null ? null : { id: this.#id, at: this.#at };
  }

  /** Store the text now. */
  async store() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const spans = this.#text.transcript.spans;
    if (!this.enabled || !this.#unsaved || spans.length === 0) return;
    this.#id ??= `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    this.#at ||= Date.now();
    const { length } = spans;
    try {
      await archive.put({ id: this.#id, at: this.#at, spans });
    } catch {
      return; // the browser has no storage: the text stays unsaved, and the page warns
    }
    if (this.#text.transcript.spans.length === length) this.#unsaved = false;
    this.dispatchEvent(new Event("stored"));
  }

  #changed() {
    this.#unsaved = true;
    if (this.#at === 0) this.#at = Date.now();
    const { length } = this.#text.transcript.spans;
    this.#timer ??= setTimeout(() => this.store(), DELAY + PER_WORD * length);
  }
}
