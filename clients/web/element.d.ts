/** The custom element <stream-whisper>. */

export class StreamWhisperElement extends HTMLElement {
  /** Access token, or a function that returns one; it comes before the attribute. */
  token: string | null | (() => string | null | Promise<string | null>);
  /** All final text. */
  readonly text: string;
  /** "idle", or the state of the connection. */
  readonly state: string;
  /** Ask for the microphone and listen; resolves when it is open. */
  start(): Promise<void>;
  /** Stop to listen; resolves with the whole text. */
  stop(): Promise<string>;
}

declare global {
  interface HTMLElementTagNameMap {
    "stream-whisper": StreamWhisperElement;
  }
}
