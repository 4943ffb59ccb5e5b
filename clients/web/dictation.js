/** A person who speaks into this page: the sound, the stream that it goes into, and their ends. */
import { Capture } from "./capture.js";
import { StreamWhisper } from "./streamwhisper.js";

const OVER = new Set(["done", "failed", "closed"]);
const QUIET = 0.004; // peak below which nothing can be heard, of 1
const PATIENCE = 6000; // milliseconds without any sound before that is said

/**
 * Events: `level` with the sound's `peak`, 0 to 1; `silent` with whether there has been none for
 * a while; `lost`, when the source has ended by itself; `over` with the stream's last state.
 */
export class Dictation extends EventTarget {
  /** The StreamWhisper that the sound goes into; its events are the text. */
  stream;
  #capture;
  #stopping = false;
  #heardAt = performance.now();
  #silent = false;
  #clock;
  #lock = null;

  /**
   * Ask for the sound and connect. Throws what is in the way, with a sentence for people.
   * @param {{kind: "microphone" | "display", deviceId?: string}} source
   * @param {import("./streamwhisper.js").StreamWhisperOptions} options
   */
  static async begin(source, options) {
    const dictation = new Dictation();
    const capture = await Capture.open(source);
    dictation.#capture = capture;
    try {
      dictation.stream = new StreamWhisper({ ...options, sampleRate: capture.sampleRate });
    } catch (error) {
      await capture.stop();
      throw error;
    }
    return dictation;
  }

  /** What the browser calls the source. */
  get label() {
    return this.#capture.label;
  }

  /** Whether it is coming to its end. */
  get stopping() {
    return this.#stopping;
  }

  /** Begin to send what is heard. */
  run() {
    this.stream.addEventListener("state", ({ detail: { state } }) => {
      if (OVER.has(state)) this.#leave(state);
    });
    this.stream.connect().catch(() => {}); // the stream's events say the same
    this.#capture.run((samples) => this.#listen(samples));
    this.#capture.onend = () => this.#tell("lost");
    this.#clock = setInterval(() => this.#watch(), 1000);
    document.addEventListener("visibilitychange", this.#stayAwake);
    this.#stayAwake();
  }

  /** Go on with another source. */
  async change(source) {
    await this.#capture.change(source);
    this.#heardAt = performance.now();
  }

  /** Have the rest committed; leave at once when asked a second time. */
  async stop() {
    if (this.#stopping) {
      this.stream.close();
      return;
    }
    this.#stopping = true;
    await this.#capture.stop();
    await this.stream.end().catch(() => {}); // the stream's events say the same
  }

  #listen(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample) / 32768);
    if (peak > QUIET) this.#heardAt = performance.now();
    this.#tell("level", { peak });
    if (!OVER.has(this.stream.state)) this.stream.send(samples);
  }

  #watch() {
    const silent = !this.#stopping && performance.now() - this.#heardAt > PATIENCE;
    if (silent !== this.#silent) this.#tell("silent", { silent });
    this.#silent = silent;
  }

  async #leave(state) {
    clearInterval(this.#clock);
    document.removeEventListener("visibilitychange", this.#stayAwake);
    this.#lock?.release();
    if (!this.#stopping) {
      this.#stopping = true;
      await this.#capture.stop();
    }
    this.#tell("over", { state });
  }

  // The screen stays on; the lock falls whenever the page is out of sight.
  #stayAwake = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      this.#lock = await navigator.wakeLock?.request("screen");
    } catch {
      // A battery that is nearly empty has the last word.
    }
  };

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
