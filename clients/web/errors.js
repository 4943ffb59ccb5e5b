/** What the page says about an error, in the language of the page. */
import { known, t } from "./texts.js";

/** Return a message for an error of the capture, the stream or a file, or a server's message. */
export function explained({ reason, code, message }) {
  const key = [reason, code].map((name) => `error_${name}`).find(known);
  return key ? t(key, { message }) : message;
}

/** Return why this page cannot capture audio; `message` is what capture.js says. */
export function obstacleText(message) {
  if (globalThis.isSecureContext) return t("error_old_browser");
  const [secure, local] = message.match(/https?:\/\/[^\s,]+/g) ?? [];
  return t("error_insecure", { secure, local });
}
