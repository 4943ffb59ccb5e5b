/**
 * Sound of a microphone, or of a tab or a screen, as 16-bit samples of one channel.
 *
 *     const capture = await Capture.open({ kind: "microphone" });
 *     capture.run((samples) => stream.send(samples)); // declared at capture.sampleRate
 *     await capture.stop();
 */
import { StreamWhisperError } from "./fault.js";

const SAMPLE_RATE = 16000; // what speech needs; the browser resamples
const LATENCY = 0.1; // seconds; with less a busy machine loses sound on its way through the browser

/** Why this page cannot hear anything, and what to do about it; null: it can. */
export function obstacle() {
  if (!globalThis.isSecureContext) {
    const { host, pathname, port } = globalThis.location;
    const local = port ? `http://localhost:${port}` : "http://localhost";
    return (
      "A browser lends the microphone to secure pages only, and this one is not. Open " +
      `https://${host}${pathname} if the server has a certificate (streamwhisper serve ` +
      `--tls self-signed makes one), or ${local} on the machine that the server runs on.`
    );
  }
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) {
    return "This browser cannot record sound. A current Firefox, Chrome, Edge or Safari can.";
  }
  return null;
}

/** Whether the sound of a tab or a screen can be captured here. */
export function canShare() {
  // Some share pictures alone; those that share sound can also silence it where it comes from.
  const { mediaDevices } = navigator;
  return Boolean(
    mediaDevices?.getDisplayMedia &&
      mediaDevices.getSupportedConstraints().suppressLocalAudioPlayback,
  );
}

/** The microphones: [{deviceId, label}]; labels are empty until one was allowed. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === "audioinput");
}

export class Capture {
  /** Called when the sound has ended by itself: unplugged, or no longer shared. */
  onend = () => {};
  #context;
  #node;
  #kind;
  #source = null;
  #stream = null;
  #stopped = false;
  #hear = () => {};

  /**
   * Ask for the sound, and get ready for it.
   * Throws a StreamWhisperError that says what to do.
   * @param {{kind: "microphone" | "display", deviceId?: string}} source
   */
  static async open(source) {
    const why = obstacle();
    if (why) throw new StreamWhisperError("insecure", why);
    const stream = await ask(source);
    try {
      for (const options of [{ sampleRate: SAMPLE_RATE }, {}]) {
        const capture = new Capture();
        capture.#kind = source.kind;
        capture.#context = new AudioContext({ latencyHint: LATENCY, ...options });
        try {
          await capture.#prepare(stream);
          return capture;
        } catch (error) {
          await capture.#context.close();
          // Firefox connects a microphone to a context of its own rate alone.
          if (error.name !== "NotSupportedError" || !options.sampleRate) throw error;
        }
      }
    } catch (error) {
      release(stream);
      throw error;
    }
  }

  /** Of the samples, in Hz. */
  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** What is listened to, as `open` takes it. */
  get source() {
    return { kind: this.#kind, deviceId: this.#track.getSettings().deviceId };
  }

  /** What the browser calls the source, such as the microphone's name. */
  get label() {
    return this.#track.label;
  }

  get #track() {
    return this.#stream.getAudioTracks()[0];
  }

  /** Whether the source is still there, as far as the browser can tell. */
  async present() {
    const track = this.#track;
    const { kind, deviceId } = this.source;
    if (kind === "display" || !deviceId) return true;
    const there = (await microphones()).some((microphone) => microphone.deviceId === deviceId);
    return there || track !== this.#track; // another one was taken meanwhile
  }

  /** Hand on the samples: an Int16Array, every 0.04 s. */
  run(hear) {
    this.#hear = hear;
    this.#source.connect(this.#node);
  }

  /** Go on with another source; the present one is heard until that is there. */
  async change(source) {
    const stream = await ask(source);
    const before = this.#source;
    try {
      if (this.#stopped) throw new StreamWhisperError("done", "The sound was stopped.");
      this.#attach(stream);
    } catch (error) {
      release(stream);
      throw error instanceof StreamWhisperError ? error : explained(error, source.kind);
    }
    this.#kind = source.kind;
    before.disconnect();
    this.#source.connect(this.#node);
  }

  /** Hand on the rest, and let go of the source. */
  async stop() {
    this.#stopped = true;
    await pause(2 * LATENCY); // what was said by now is on its way
    this.#source.disconnect();
    const handedOn = new Promise((resolve) => {
      this.#hear = ((hear) => (samples) => (samples ? hear(samples) : resolve()))(this.#hear);
    });
    this.#node.port.postMessage("stop");
    // A context that the system has halted answers nothing.
    await Promise.race([handedOn, pause(0.5)]);
    release(this.#stream);
    this.#context.onstatechange = null;
    await this.#context.close();
  }

  async #prepare(stream) {
    const context = this.#context;
    this.#attach(stream);
    await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    this.#node = new AudioWorkletNode(context, "chunks", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
    // The system halts it for a telephone call, or when the machine sleeps.
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
  // A browser offers no sound without a picture.
  const asked = { video: true, audio, systemAudio: "include" };
  const stream = await navigator.mediaDevices.getDisplayMedia(asked);
  for (const track of stream.getVideoTracks()) track.stop();
  if (stream.getAudioTracks().length > 0) return stream;
  release(stream);
  throw new DOMException("no sound was shared", "NotFoundError");
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
      "The microphone is not allowed here. Allow it with the sign beside the page's address " +
      "(and in the system's privacy settings), then try again.",
    NotFoundError: "No microphone was found. Plug one in, then try again.",
    OverconstrainedError: "That microphone is gone. Choose another one, then try again.",
    NotReadableError:
      "The microphone cannot be used. Another program may hold it: close that, or choose " +
      "another microphone, then try again.",
    NotSupportedError:
      "This browser cannot go over to that microphone while it listens. Press Stop, then Start.",
  },
  display: {
    NotAllowedError: "Nothing was shared. Try again, and choose a tab or a screen.",
    NotFoundError:
      "What was shared came without sound. Try again, and switch on “Share audio” in the " +
      "browser's window; where there is no such switch, share a tab.",
  },
};

function explained(error, kind) {
  const message = EXPLANATIONS[kind][error.name];
  if (!message) return new StreamWhisperError("capture_failed", `No sound: ${error.message}`);
  return new StreamWhisperError(error.name === "NotAllowedError" ? "not_allowed" : "no_source", message);
}
