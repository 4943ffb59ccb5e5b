/** Something that went wrong, as a code for programs and a sentence for people. */
export class StreamWhisperError extends Error {
  /**
   * @param {string} code such as "unsupported_language"; those of docs/PROTOCOL.md, and
   *   "connection_lost", "not_allowed", "bad_token", "too_far_behind", "resume_position".
   * @param {string} message what was seen, what was expected, what to try.
   */
  constructor(code, message) {
    super(message);
    this.name = "StreamWhisperError";
    this.code = code;
  }
}
