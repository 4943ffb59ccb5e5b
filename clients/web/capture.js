/**
 * Audio of a microphone, a tab or a screen, as 16-bit mono samples.
 *
 *     const capture = await Capture.open({ kind: "microphone" });
 *     capture.run((samples) => stream.send(samples)); // at capture.sampleRate
 *     await capture.stop();
 */
import { StreamWhisperError } from "./fault.js";
import { workletUrl } from "./place.js";

const SAMPLE_RATE = 16000; // enough for speech; the browser resamples
const LATENCY = 0.1; // seconds; with less, a busy machine loses audio in the browser

/** Return why this page cannot capture audio, and what to do; null: it can. */
export function obstacle() {
  if (!globalThis.isSecureContext) {
    const { host, pathname, port } = globalThis.location;
    const local = port ? `http://localhost:${port}` : "http://localhost";
    return (
      "Browsers only allow the microphone on HTTPS or localhost. Open " +
      `https://${host}${pathname} if the server has a certificate (streamwhisper serve ` +
      `--tls self-signed creates one), or ${local} on the machine that runs the server.`
    );
  }
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) {
    return "This browser cannot record audio. Use a current Firefox, Chrome, Edge or Safari.";
  }
  return null;
}

/** Whether this browser can capture the audio of a tab or screen. */
export function canShare() {
  // Some browsers share pictures only; those that share audio can also mute it at its source.
  const { mediaDevices } = navigator;
  return Boolean(
    mediaDevices?.getDisplayMedia &&
      mediaDevices.getSupportedConstraints().suppressLocalAudioPlayback,
  );
}

/** Return the microphones: [{deviceId, label}]; labels are empty until the user allows one. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === "audioinput");
}

export class Capture {
  /** Called when the source ends by itself: unplugged, or no longer shared. */
  onend = () => {};
  #context;
  #node;
  #kind;
  #source = null;
  #stream = null;
  #stopped = false;
  #receive = () => {};

  /**
   * Ask the user for a source, and prepare to capture it.
   * Throws a StreamWhisperError that explains what to do.
   * @param {{kind: "microphone" | "display", deviceId?: string}} source
   * @param {{worklet?: string}} options address of worklet.js, if it is not beside this file.
   */
  static async open(source, { worklet = workletUrl() } = {}) {
    const why = obstacle();
    if (why) throw new StreamWhisperError("insecure", why);
    const stream = await ask(source);
    try {
      for (const options of [{ sampleRate: SAMPLE_RATE }, {}]) {
        const capture = new Capture();
        capture.#kind = source.kind;
        capture.#context = new AudioContext({ latencyHint: LATENCY, ...options });
        try {
          await capture.#prepare(stream, worklet);
          return capture;
        } catch (error) {
          await capture.#context.close();
          // Firefox connects a microphone only to a context of the same rate.
          if (error.name !== "NotSupportedError" || !options.sampleRate) throw error;
        }
      }
    } catch (error) {
      release(stream);
      throw error;
    }
  }

  /** Sample rate in Hz. */
  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** The captured source, as an argument of `open`. */
  get source() {
    return { kind: this.#kind, deviceId: this.#track.getSettings().deviceId };
  }

  /** Name of the source, e.g. of the microphone. */
  get label() {
    return this.#track.label;
  }

  get #track() {
    return this.#stream.getAudioTracks()[0];
  }

  /** Whether the source is still connected, as far as the browser knows. */
  async present() {
    const track = this.#track;
    const { kind, deviceId } = this.source;
    if (kind === "display" || !deviceId) return true;
    const connected = (await microphones()).some((microphone) => microphone.deviceId === deviceId);
    return connected || track !== this.#track; // the source has changed meanwhile
  }

  /** Pass the samples to `receive`: an Int16Array every 0.04 s. */
  run(receive) {
    this.#receive = receive;
    this.#source.connect(this.#node);
  }

  /** Switch to another source; the current one is captured until the new one is ready. */
  async change(source) {
    const stream = await ask(source);
    const before = this.#source;
    try {
      if (this.#stopped) throw new StreamWhisperError("done", "The capture was stopped.");
      this.#attach(stream);
    } catch (error) {
      release(stream);
      throw error instanceof StreamWhisperError ? error : explained(error, source.kind);
    }
    this.#kind = source.kind;
    before.disconnect();
    this.#source.connect(this.#node);
  }

  /** Pass the remaining samples, and release the source. */
  async stop() {
    this.#stopped = true;
    await pause(2 * LATENCY); // audio captured by now arrives
    this.#source.disconnect();
    const flushed = new Promise((resolve) => {
      this.#receive = ((receive) => (samples) => (samples ? receive(samples) : resolve()))(this.#receive);
    });
    this.#node.port.postMessage("stop");
    // A context that the system has suspended does not answer.
    await Promise.race([flushed, pause(0.5)]);
    release(this.#stream);
    this.#context.onstatechange = null;
    await this.#context.close();
  }

  async #prepare(stream, worklet) {
    const context = this.#context;
    this.#attach(stream);
    try {
      await context.audioWorklet.addModule(worklet);
    } catch (cause) {
      const message = "The server cannot be reached. Is it running?";
      throw Object.assign(new StreamWhisperError("connection_lost", message), { cause });
    }
    this.#node = new AudioWorkletNode(context, "chunks", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.#node.port.onmessage = ({ data }) => this.#receive(data);
    // The system suspends it during a phone call, or when the machine sleeps.
    context.onstatechange = () => context.state === "closed" || context.resume();
    await context.resume();
  }

  #attach(stream) {
    this.#source = this.#context.createMediaStreamSource(stream);
    if (this.#stream) release(this.#stream);
    this.#stream = stream;
    this.#track.onended = () => this.onend();
  }
}

async function ask({ kind, deviceId }) {
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false };
  try {
    if (kind === "display") return await share(audio);
    return await navigator.mediaDevices.getUserMedia({
      audio: { ...audio, autoGainControl: true, ...(deviceId && { deviceId: { exact: deviceId } }) },
    });
  } catch (error) {
    throw explained(error, kind);
  }
}

async function share(audio) {
  // Browsers share audio only together with a picture.
  const asked = { video: true, audio, systemAudio: "include" };
  const stream = await navigator.mediaDevices.getDisplayMedia(asked);
  for (const track of stream.getVideoTracks()) track.stop();
  if (stream.getAudioTracks().length > 0) return stream;
  release(stream);
  throw new DOMException("no audio was shared", "NotFoundError");
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

function release(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}

const EXPLANATIONS = {
  microphone: {
    NotAllowedError:
      "Microphone access is blocked. Click the icon at the left of the address bar, allow the " +
      "microphone (also in the system's privacy settings), then press Start.",
    NotFoundError: "No microphone found. Connect one, then press Start.",
    OverconstrainedError: "That microphone is not connected. Choose another one, then press Start.",
    NotReadableError:
      "The microphone is not available. Close other programs that may use it, or choose " +
      "another microphone, then press Start.",
    NotSupportedError:
      "This browser cannot switch to that microphone while it records. Press Stop, then Start.",
  },
  display: {
    NotAllowedError: "Nothing was shared. Press Start, and choose a tab or screen.",
    NotFoundError:
      "The tab or screen was shared without audio. Press Start, and turn on “Share audio” in " +
      "the browser's dialog; if there is no such option, share a tab.",
  },
};

function explained(error, kind) {
  const message = EXPLANATIONS[kind][error.name];
  if (!message) return new StreamWhisperError("capture_failed", `Cannot capture audio: ${error.message}`);
  const code = error.name === "NotAllowedError" ? "not_allowed" : "no_source";
  const reason = `${kind}_${error.name}`; // for callers that have their own texts
  return Object.assign(new StreamWhisperError(code, message), { reason });
}
