/** The npm package: everything a page or a Node program needs, and the element <stream-whisper>. */
export { captions } from "./captioning.js";
export { Capture, canShare, microphones, obstacle } from "./capture.js";
export { StreamWhisperElement } from "./element.js";
export { Room } from "./room.js";
export { StreamWhisper, StreamWhisperError } from "./streamwhisper.js";
