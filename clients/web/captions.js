/** The captions page: live captions of this device, or of a shared room. */
import { contrast, sizes } from "./appearance.js";
import { closeMenus } from "./menus.js";
import { beginOverlay, OVERLAY } from "./overlay.js";
import { $, query, root, say } from "./page.js";
import * as saving from "./saving.js";
import * as settings from "./settings.js";
import * as share from "./share.js";
import { Speaker } from "./speaking.js";
import { Text } from "./text.js";
import { t, translate } from "./texts.js";
import { watch } from "./watching.js";

const overlay = query.has("overlay");
const watched = query.get("watch");

function speak(text) {
  settings.connect();
  share.connect();
  const speaker = new Speaker(text);
  addEventListener("beforeunload", (event) => {
    if (speaker.running && !text.transcript.empty) event.preventDefault();
  });
  if (!speaker.check()) return;
  if (overlay) beginOverlay(() => speaker.start());
  else if (share.room() !== "") say("notice", t("shares_as", { room: share.room() }));
}

function begin() {
  translate();
  if (overlay) root.dataset.overlay = "";
  sizes($("smaller"), $("larger"), Number(query.get("size")) || (overlay ? OVERLAY.size : null));
  contrast($("contrast"));
  closeMenus();
  const text = new Text(overlay ? OVERLAY.paragraphs : Infinity);
  saving.connect(text.transcript);
  $("clear").onclick = () => confirm(t("clear_all")) && text.clear();
  if (watched) watch(watched, text);
  else speak(text);
}

begin();
