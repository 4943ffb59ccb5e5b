/** A recording as a source of audio: played aloud in real time, or sent as fast as it is taken. */
import { StreamWhisperError } from "./fault.js";

const SAMPLE_RATE = 16000;
const CHUNK = 640; // samples per message in real time: 0.04 s
const BLOCK = 8000; // samples per message otherwise: 0.5 s
const LARGEST = 400 * 1024 * 1024; // bytes of a file that a browser is asked to decode

/** The interface of Capture, for the audio of a file. */
export class Clip {
  /** Called when the end of the audio is reached. */
  onend = () => {};
  source;
  sampleRate = SAMPLE_RATE;
  /** Name of the file. */
  label;
  /** Whether it is played aloud, in real time. */
  aloud;
  #samples; // Int16Array
  #context = null;
  #stopped = false;

  /**
   * Decode a file. Throws "undecodable" or "file_too_large".
   * @param {Blob} file
   * @param {string} label its name.
   * @param {{aloud?: boolean}} options `aloud`: play it, in real time.
   */
  static async open(file, label, { aloud = false } = {}) {
    if (file.size > LARGEST) {
      const message = `${label} has ${Math.round(file.size / 1e6)} MB; expected at most ${Math.round(LARGEST / 1e6)} MB.`;
      throw new StreamWhisperError("file_too_large", message);
    }
    const clip = new Clip();
    Object.assign(clip, { label, aloud, source: { kind: "clip" } });
    try {
      const context = new OfflineAudioContext(1, 1, SAMPLE_RATE);
      clip.#samples = mixed(await context.decodeAudioData(await file.arrayBuffer()));
    } catch (cause) {
      throw new StreamWhisperError("undecodable", `${label} cannot be decoded: ${cause.message}`);
    }
    return clip;
  }

  /** Length in seconds. */
  get seconds() {
    return this.#samples.length / SAMPLE_RATE;
  }

  async present() {
    return true;
  }

  /**
   * Pass the samples to `receive`: Int16Arrays.
   * @param {(samples: Int16Array) => void} receive
   * @param {() => Promise<void>} room resolves when more may be passed.
   */
  async run(receive, room) {
    try {
      if (this.aloud) await this.#play(receive);
      else await this.#pour(receive, room);
    } catch {
      return; // the stream has failed, and reports it
    }
    if (!this.#stopped) this.onend();
  }

  /** Stop playing or sending. */
  async stop() {
    this.#stopped = true;
    await this.#context?.close().catch(() => {});
    this.#context = null;
  }

  async #pour(receive, room) {
    for (let at = 0; at < this.#samples.length && !this.#stopped; at += BLOCK) {
      receive(this.#samples.slice(at, at + BLOCK));
      await room();
      await pause(0); // the page stays responsive
    }
  }

  async #play(receive) {
    this.#context = new AudioContext();
    const buffer = this.#context.createBuffer(1, this.#samples.length, SAMPLE_RATE);
    buffer.copyToChannel(Float32Array.from(this.#samples, (sample) => sample / 32768), 0);
    const node = this.#context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.#context.destination);
    node.start();
    const began = performance.now();
    let at = 0;
    while (at < this.#samples.length && !this.#stopped) {
      const due = ((performance.now() - began) / 1000) * SAMPLE_RATE;
      for (; at + CHUNK <= due && at < this.#samples.length; at += CHUNK) {
        receive(this.#samples.slice(at, at + CHUNK));
      }
      await pause(20);
    }
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Return the mean of all channels as 16-bit samples. */
function mixed(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, k) => buffer.getChannelData(k));
  const samples = new Int16Array(buffer.length);
  for (let k = 0; k < samples.length; k += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[k];
    const mean = Math.max(-1, Math.min(1, sum / channels.length));
    samples[k] = mean * (mean < 0 ? 32768 : 32767);
  }
  return samples;
}
