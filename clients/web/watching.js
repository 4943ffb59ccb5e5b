/** The page of a viewer: shared captions of a room. */
import { Awake } from "./awake.js";
import { $, root, say, secrets } from "./page.js";
import { Room } from "./room.js";
import { t } from "./texts.js";

/** Show the captions of a room. */
export function watch(name, text) {
  root.dataset.watching = "";
  document.title = `${name} · captions`;
  for (const id of ["hint-title", "hint-text"]) delete $(id).dataset.t;
  say("hint-title", name);
  say("hint-text", t("watch_hint"));
  const room = new Room({ name, token: secrets.get("token") });
  let restarted = false; // the next text starts a new transcript
  for (const type of ["committed", "partial"]) {
    room.addEventListener(type, () => {
      if (restarted) text.clear();
      restarted = false;
    });
  }
  text.follow(room);
  room.addEventListener("watching", ({ detail: { session } }) => {
    restarted = true;
    text.guess("");
    say("status", session === null ? t("watch_waiting") : t("live"));
  });
  room.addEventListener("state", ({ detail: { state, cause } }) => {
    root.dataset.state = state;
    if (state === "reconnecting") say("status", t("watch_reconnecting"));
    if (state === "failed") say("status", t("not_connected"));
    say("notice", state === "failed" ? cause : "");
  });
  room.watch();
  new Awake().begin();
}
