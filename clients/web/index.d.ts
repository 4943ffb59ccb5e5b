/** Client of a streamwhisper server for browsers and Node, and the element <stream-whisper>. */
export * from "./captioning.js";
export * from "./capture.js";
export * from "./element.js";
export * from "./room.js";
export * from "./streamwhisper.js";
