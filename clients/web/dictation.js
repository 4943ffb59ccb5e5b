/** A person who speaks into this page: the sound, the stream that it goes into, and their ends. */
import { Awake } from "./awake.js";
import { Capture } from "./capture.js";
import { StreamWhisper } from "./streamwhisper.js";

const OVER = new Set(["done", "failed", "closed"]);
const QUIET = 0.004; // peak below which nothing can be heard, of 1
const RETRY = 1000; // milliseconds between two looks for another microphone
// Milliseconds without any sound before that is said: from a new source, and from one that was heard.
const PATIENCE = { new: 6000, heard: 30_000 };

/**
 * Events: `level` with the sound's `peak`, 0 to 1; `silent` with whether there has been none for
 * a while; `unshared`, when what was shared is so no longer; `lost`, when a microphone is gone, and
 * `found`, when another one is listened to in its place; `over` with the stream's last state.
 */
export class Dictation extends EventTarget {
  /** The StreamWhisper that the sound goes into; its events are the text. */
  stream;
  #capture;
  #stopping = false;
  #heardAt = performance.now();
  #patience = PATIENCE.new;
  #silent = false;
  #clock;
  #awake = new Awake();
  #lost = false;
  #turn = Promise.resolve(); // one change of the source after the other

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

  /** What is listened to. */
  get source() {
    return this.#capture.source;
  }

  /** What the browser calls it. */
  get label() {
    return this.#capture.label;
  }

  /** Whether it is coming to its end. */
  get stopping() {
    return this.#stopping;
  }

  /** Whether the microphone is gone, and no other was found yet. */
  get lost() {
    return this.#lost;
  }

  /** Begin to send what is heard. */
  run() {
    this.stream.addEventListener("state", ({ detail: { state } }) => {
      if (OVER.has(state)) this.#leave(state);
    });
    this.stream.connect().catch(() => {}); // the stream's events say the same
    this.#capture.run((samples) => this.#listen(samples));
    this.#capture.onend = () => this.#lose();
    this.#clock = setInterval(() => this.#watch(), 1000);
    this.#awake.begin();
  }

  /** Go on with another source. Throws what is in the way, and goes on with the present one. */
  change(source) {
    return this.#inTurn(() => this.#change(source));
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
    if (peak > QUIET) {
      this.#heardAt = performance.now();
      this.#patience = PATIENCE.heard;
    }
    this.#tell("level", { peak });
    if (!OVER.has(this.stream.state)) this.stream.send(samples);
  }

  async #change(source) {
    await this.#capture.change(source);
    this.#heardAt = performance.now();
    this.#patience = PATIENCE.new;
    this.#lost = false;
  }

  #inTurn(task) {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {}); // who asked is told
    return result;
  }

  #lose() {
    if (this.#stopping || this.#lost) return;
    if (this.source.kind === "display") {
      this.#tell("unshared");
      return;
    }
    this.#lost = true;
    this.#tell("lost");
    this.stream.flush().catch(() => {}); // what was said is not to wait for what comes
    this.#seek();
  }

  /** Take whatever microphone there is, or will be. */
  async #seek() {
    while (this.#lost && !this.#stopping) {
      try {
        await this.#inTurn(async () => {
          if (!this.#lost) return; // another one was chosen
          await this.#change({ kind: "microphone" });
          this.#tell("found");
        });
      } catch (error) {
        if (error.code === "not_allowed") return; // not to be asked again and again
        // Not every system says when one is plugged in.
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  async #watch() {
    const listening = !this.#stopping && !this.#lost;
    const quiet = performance.now() - this.#heardAt;
    const silent = listening && quiet > this.#patience;
    if (silent !== this.#silent) this.#tell("silent", { silent });
    this.#silent = silent;
    // Not every system tells of a microphone that is pulled out.
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
