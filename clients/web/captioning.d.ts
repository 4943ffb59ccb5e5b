/** Captions of a microphone, a tab or a screen in one call. */
import type { CaptureOptions, Source } from "./capture.js";
import type { StreamWhisper, StreamWhisperOptions } from "./streamwhisper.js";

export interface CaptionsOptions
  extends Omit<StreamWhisperOptions, "encoding" | "sampleRate" | "channels">,
    CaptureOptions {
  /** Element of the page, or its selector; it is emptied, and shows the captions. */
  element: Element | string;
  /** Default: the microphone. */
  source?: Source;
}

export interface Captioning {
  /** Its events carry the text. */
  readonly stream: StreamWhisper;
  /** All final text so far. */
  readonly text: string;
  /** Stop to listen; resolves with the whole text. */
  stop(): Promise<string>;
  /** Close at once; text that is not final is lost. */
  close(): Promise<void>;
}

/** Show captions in an element. Throws a StreamWhisperError with advice for the user. */
export function captions(options: CaptionsOptions): Promise<Captioning>;
