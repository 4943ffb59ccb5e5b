/** Runs in the browser's audio thread: converts audio to chunks of 16-bit samples. */

const CHUNK_SECONDS = 0.04;

class Chunks extends AudioWorkletProcessor {
  #chunk = new Int16Array(Math.round(sampleRate * CHUNK_SECONDS));
  #length = 0;
  #running = true;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#post();
      this.port.postMessage(null); // end of the audio
      this.#running = false;
    };
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      const bounded = Math.max(-1, Math.min(1, sample));
      this.#chunk[this.#length++] = bounded * (bounded < 0 ? 32768 : 32767);
      if (this.#length === this.#chunk.length) this.#post();
    }
    return this.#running;
  }

  #post() {
    const samples = this.#chunk.slice(0, this.#length);
    this.#length = 0;
    if (samples.length > 0) this.port.postMessage(samples, [samples.buffer]);
  }
}

registerProcessor("chunks", Chunks);
