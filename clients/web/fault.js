/** An error, with a code for programs and a message for people. */
export class StreamWhisperError extends Error {
  /**
   * @param {string} code e.g. "unsupported_language"; one of docs/PROTOCOL.md, or
   *   "connection_lost", "not_allowed", "bad_token", "no_token", "too_far_behind", "resume_position",
   *   "bad_url", "no_websocket", "no_element", "unread_events".
   * @param {string} message what was received, what was expected, what to try.
   * @param {number | null} retryAfter seconds after which the client may try again.
   */
  constructor(code, message, retryAfter = null) {
    super(message);
    this.name = "StreamWhisperError";
    this.code = code;
    this.retryAfter = retryAfter;
  }
}
