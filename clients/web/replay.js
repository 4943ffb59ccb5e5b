/** The audio of this page's sessions, kept in memory to play single words; bounded. */

const LONGEST = 30 * 60; // seconds of audio that are kept; older audio is dropped
const MARGIN = 0.15; // seconds of audio that are played before and after a word

export class Replay {
  /** Whether audio is kept. */
  enabled = false;
  #parts = []; // {offset, rate, first, length, chunks}: contiguous stretches of audio
  #session = null; // {offset, rate, position, always}
  #part = null;
  #context = null;
  #playing = null;

  /**
   * Begin with the audio of a session.
   * @param {number} offset its start in seconds of the transcript.
   * @param {number} rate in Hz.
   * @param {boolean} always keep this audio even if `enabled` is false.
   */
  begin(offset, rate, always = false) {
    this.#session = { offset, rate, position: 0, always };
    this.#part = null;
  }

  /** Append samples of the current session: an Int16Array. */
  write(samples) {
    const session = this.#session;
    if (session === null) return;
    if (this.enabled || session.always) {
      if (this.#part === null) {
        const { offset, rate, position } = session;
        this.#part = { offset, rate, first: position, length: 0, chunks: [] };
        this.#parts.push(this.#part);
      }
      this.#part.chunks.push(samples.slice());
      this.#part.length += samples.length;
      this.#trim();
    } else {
      this.#part = null;
    }
    session.position += samples.length;
  }

  /** Return whether a stretch of the transcript, in seconds, can be played. */
  has(start, end) {
    return this.#find(start, end) !== undefined;
  }

  /** Play a stretch of the transcript. */
  async play(start, end) {
    const part = this.#find(start, end);
    if (part === undefined) return;
    const samples = cut(part, start - MARGIN, end + MARGIN);
    this.#context ??= new AudioContext();
    await this.#context.resume();
    const buffer = this.#context.createBuffer(1, samples.length, part.rate);
    buffer.copyToChannel(samples, 0);
    this.#playing?.stop();
    this.#playing = this.#context.createBufferSource();
    this.#playing.buffer = buffer;
    this.#playing.connect(this.#context.destination);
    this.#playing.start();
  }

  /** Drop all audio. */
  clear() {
    this.#parts = [];
    this.#part = null;
  }

  #find(start, end) {
    return this.#parts.findLast(({ offset, rate, first, length }) => {
      const from = offset + first / rate;
      return start >= from - MARGIN && end <= from + length / rate + MARGIN && length > 0;
    });
  }

  #trim() {
    let seconds = this.#parts.reduce((sum, { length, rate }) => sum + length / rate, 0);
    while (seconds > LONGEST) {
      const oldest = this.#parts[0];
      const count = oldest.chunks.shift().length;
      oldest.first += count;
      oldest.length -= count;
      seconds -= count / oldest.rate;
      if (oldest.chunks.length === 0) this.#parts.shift();
    }
  }
}

/** Return the samples from one second of the transcript to another, as floats. */
function cut({ offset, rate, first, chunks, length }, start, end) {
  const [from, to] = [start, end].map((second) => {
    const index = Math.round((second - offset) * rate) - first;
    return Math.max(0, Math.min(length, index));
  });
  const samples = new Float32Array(Math.max(1, to - from));
  let at = 0;
  for (const chunk of chunks) {
    for (let k = Math.max(0, from - at); k < chunk.length && at + k < to; k += 1) {
      samples[at + k - from] = chunk[k] / 32768;
    }
    at += chunk.length;
  }
  return samples;
}
