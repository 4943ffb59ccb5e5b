/** The overlay: only the newest lines, transparent, for a stage or a video mixer. */
import { remember, remembered } from "./appearance.js";
import { look } from "./overlay-look.js";
import { $, query, root, served } from "./page.js";
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

/** Apply the address's parameters, and clear the text after some silence. */
function dress() {
  const { style, hide, wrong } = look(query, (color) => CSS.supports("color", color));
  for (const [name, value] of Object.entries(style)) root.style.setProperty(name, value);
  if (wrong.length > 0) console.warn(`Ignored in the address: ${wrong.join("; ")}.`);
  if (globalThis.obsstudio) root.dataset.mixer = ""; // never show a message over the video
  const captions = $("captions");
  let timer = 0;
  const clear = () => {
    for (const span of captions.querySelectorAll(".committed")) span.classList.add("gone");
    frame();
  };
  // A paragraph without visible text has no box.
  const frame = () => {
    for (const paragraph of captions.children) {
      const spans = [...paragraph.querySelectorAll(".committed:not(.gone), .partial")];
      paragraph.hidden = spans.every(({ textContent }) => textContent.trim() === "");
    }
  };
  new MutationObserver(() => {
    if (captions.textContent !== "") root.dataset.shown = "";
    frame();
    clearTimeout(timer);
    if (hide > 0) timer = setTimeout(clear, 1000 * hide);
  }).observe(captions, { childList: true, subtree: true, characterData: true });
  new MutationObserver(() => {
    const { textContent: message } = $("notice");
    if (message !== "") console.warn(message);
  }).observe($("notice"), { childList: true, subtree: true, characterData: true });
}

if (query.has("overlay")) dress();
