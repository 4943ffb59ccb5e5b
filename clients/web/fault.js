/** Something that went wrong, as a code for programs and a sentence for people. */
export class StreamWhisperError extends Error {
  /**
   * @param {string} code such as "unsupported_language"; those of docs/PROTOCOL.md, and
   *   "connection_lost", "not_allowed", "bad_token", "too_far_behind", "resume_position".
   * @param {string} message what was seen, what was expected, what to try.
   * @param {number | null} retryAfter seconds after which trying again is worth while.
   */
  constructor(code, message, retryAfter = null) {
    super(message);
    this.name = "StreamWhisperError";
    this.code = code;
    this.retryAfter = retryAfter;
  }
}
