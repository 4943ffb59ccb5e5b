/** A captioning session of this page: the captured audio and the stream that transcribes it. */
import { Awake } from "./awake.js";
import { Capture } from "./capture.js";
import { StreamWhisper } from "./streamwhisper.js";

const OVER = new Set(["done", "failed", "closed"]);
const QUIET = 0.004; // peak, 0 to 1, below which audio counts as silence
const RETRY = 1000; // milliseconds between two attempts to find another microphone
// Milliseconds of silence before it is reported: of a new source, and of one that had audio.
const PATIENCE = { new: 6000, audible: 30_000 };

/**
 * Events: `audio` with the `samples` that are sent, and their `peak`, 0 to 1; `silent` with whether there was only silence for
 * a while; `unshared` when a tab or screen is no longer shared; `lost` when the microphone was
 * disconnected, and `found` when another one replaces it; `over` with the stream's last state.
 */
export class Dictation extends EventTarget {
  /** The StreamWhisper that transcribes the audio; its events carry the text. */
  stream;
  #capture;
  #stopping = false;
  #audibleAt = performance.now();
  #patience = PATIENCE.new;
  #silent = false;
  #clock;
  #awake = new Awake();
  #lost = false;
  #turn = Promise.resolve(); // changes of the source, one after the other

  /**
   * Ask the user for a source, and create the stream. Throws an error with advice for the user.
   * @param {{kind: "microphone" | "display", deviceId?: string} | import("./clip.js").Clip} source
   * @param {import("./streamwhisper.js").StreamWhisperOptions} options
   */
  static async begin(source, options) {
    const dictation = new Dictation();
    const capture = source.run ? source : await Capture.open(source);
    dictation.#capture = capture;
    try {
      dictation.stream = new StreamWhisper({ ...options, sampleRate: capture.sampleRate });
    } catch (error) {
      await capture.stop();
      throw error;
    }
    return dictation;
  }

  /** The source in use. */
  get source() {
    return this.#capture.source;
  }

  /** Sample rate of the audio in Hz. */
  get sampleRate() {
    return this.#capture.sampleRate;
  }

  /** Name of the source. */
  get label() {
    return this.#capture.label;
  }

  /** Whether the session is finishing. */
  get stopping() {
    return this.#stopping;
  }

  /** Whether the microphone was disconnected, and no other has replaced it yet. */
  get lost() {
    return this.#lost;
  }

  /** Start to send audio. */
  run() {
    this.stream.addEventListener("state", ({ detail: { state } }) => {
      if (OVER.has(state)) this.#leave(state);
    });
    this.stream.connect().catch(() => {}); // the stream's events report it
    this.#capture.onend = () => this.#lose();
    const room = () => this.stream.room();
    this.#capture.run((samples) => this.#listen(samples), room);
    this.#clock = setInterval(() => this.#watch(), 1000);
    this.#awake.begin();
  }

  /** Switch to another source. Throws if that fails, and continues with the current one. */
  change(source) {
    return this.#inTurn(() => this.#change(source));
  }

  /** Commit the rest and end; a second call ends at once. */
  async stop() {
    if (this.#stopping) {
      this.stream.close();
      return;
    }
    this.#stopping = true;
    await this.#capture.stop();
    await this.stream.end().catch(() => {}); // the stream's events report it
  }

  #listen(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample) / 32768);
    if (peak > QUIET) {
      this.#audibleAt = performance.now();
      this.#patience = PATIENCE.audible;
    }
    this.#tell("audio", { samples, peak });
    if (!OVER.has(this.stream.state)) this.stream.send(samples);
  }

  async #change(source) {
    await this.#capture.change(source);
    this.#audibleAt = performance.now();
    this.#patience = PATIENCE.new;
    this.#lost = false;
  }

  #inTurn(task) {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {}); // the caller receives the error
    return result;
  }

  #lose() {
    if (this.#stopping || this.#lost) return;
    if (this.source.kind === "clip") {
      this.stop();
      return;
    }
    if (this.source.kind === "display") {
      this.#tell("unshared");
      return;
    }
    this.#lost = true;
    this.#tell("lost");
    this.stream.flush().catch(() => {}); // commit the text so far without waiting for the next microphone
    this.#seek();
  }

  /** Switch to any microphone as soon as one is connected. */
  async #seek() {
    while (this.#lost && !this.#stopping) {
      try {
        await this.#inTurn(async () => {
          if (!this.#lost) return; // the user has chosen another one
          await this.#change({ kind: "microphone" });
          this.#tell("found");
        });
      } catch (error) {
        if (error.code === "not_allowed") return; // do not ask the user again and again
        // Not every system reports a new microphone.
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  async #watch() {
    const listening = !this.#stopping && !this.#lost && this.source.kind !== "clip";
    const quiet = performance.now() - this.#audibleAt;
    const silent = listening && quiet > this.#patience;
    if (silent !== this.#silent) this.#tell("silent", { silent });
    this.#silent = silent;
    // Not every system reports an unplugged microphone.
    const missed = listening && quiet > PATIENCE.new && !(await this.#capture.present());
    if (missed) this.#lose();
  }

  async #leave(state) {
    clearInterval(this.#clock);
    this.#awake.end();
    if (!this.#stopping) {
      this.#stopping = true;
      await this.#capture.stop();
    }
    this.#tell("over", { state });
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
