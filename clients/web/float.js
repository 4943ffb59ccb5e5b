/** Captions in a small window above all others, in browsers that have them. */
import { $, root } from "./page.js";
import { Reader } from "./reader.js";
import { t } from "./texts.js";

const SIZE = { width: 720, height: 150 }; // pixels
const PARAGRAPHS = 2;

/** Whether this browser has floating windows. */
export const canFloat = () => "documentPictureInPicture" in globalThis;

/** Show the last two lines of the text in a window that stays above all others. */
export async function float(text) {
  const pane = await globalThis.documentPictureInPicture.requestWindow(SIZE);
  const { document } = pane;
  document.title = t("captions");
  document.documentElement.dataset.float = "";
  document.documentElement.dataset.contrast = root.dataset.contrast;
  document.documentElement.lang = root.lang;
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: new URL("captions.css", root.baseURI).href });
  document.head.append(style);
  const box = document.createElement("div");
  Object.assign(box, { id: "captions", role: "log", ariaLabel: t("captions") });
  const back = document.createElement("button");
  document.body.append(box);
  const mirror = new Reader(box, back, PARAGRAPHS);
  text.mirror(mirror);
  pane.addEventListener("pagehide", () => {
    text.unmirror(mirror);
    $("float").ariaPressed = "false";
  });
  $("float").ariaPressed = "true";
}
