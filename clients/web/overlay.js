/** The overlay that listens: only the newest lines, for a stage or a video mixer. */
import { remember, remembered } from "./appearance.js";
import { $, served } from "./page.js";
import { room } from "./share.js";
import { t } from "./texts.js";

/** Size of its text in pixels, and number of paragraphs that are kept. */
export const OVERLAY = { size: 52, paragraphs: 4 };

/**
 * Start at once if this address was allowed before, and no other site has opened it. Otherwise ask:
 * a link must not switch a microphone on.
 */
export function beginOverlay(start) {
  if (served.direct === "true" && remembered("allowed") === location.search) {
    start();
    return;
  }
  const allow = $("allow");
  allow.textContent = room() === "" ? t("listen") : t("listen_and_share", { room: room() });
  allow.hidden = false;
  allow.onclick = () => {
    remember("allowed", location.search);
    allow.hidden = true;
    start();
  };
}
