/** Audio of a microphone, a tab or a screen, as 16-bit mono samples. */

export interface Source {
  kind: "microphone" | "display";
  /** Identifier of a microphone, from `microphones`; empty: the default one. */
  deviceId?: string;
}

export interface CaptureOptions {
  /** Address of worklet.js, for pages whose policy forbids `blob:` scripts. */
  worklet?: string;
}

/** Return why this page cannot capture audio, and what to do; null: it can. */
export function obstacle(): string | null;

/** Whether this browser can capture the audio of a tab or screen. */
export function canShare(): boolean;

/** Return the microphones; labels are empty until the user allows one. */
export function microphones(): Promise<MediaDeviceInfo[]>;

export class Capture {
  private constructor();
  /** Ask the user for a source. Throws a StreamWhisperError that explains what to do. */
  static open(source: Source, options?: CaptureOptions): Promise<Capture>;
  /** Called when the source ends by itself: unplugged, or no longer shared. */
  onend: () => void;
  /** Sample rate in Hz. */
  readonly sampleRate: number;
  /** The captured source. */
  readonly source: Source;
  /** Name of the source. */
  readonly label: string;
  /** Call a function with every chunk of audio. */
  run(receive: (samples: Int16Array) => void): void;
  /** Switch to another source. Throws if that fails, and continues with the current one. */
  change(source: Source): Promise<void>;
  /** Stop after the last chunk. */
  stop(): Promise<void>;
}
