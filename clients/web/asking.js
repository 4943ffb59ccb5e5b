/** The page that asks a viewer for the name of a room. */
import { $, say } from "./page.js";
import { language, t } from "./texts.js";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

document.documentElement.lang = language();
say("title", t("watch_title"));
say("label", t("watch_name"));
say("open", t("watch_open"));
$("ask").onsubmit = (event) => {
  event.preventDefault();
  const name = $("name").value.trim().replace(/\s+/g, "-");
  const valid = NAME.test(name);
  $("name").ariaInvalid = String(!valid);
  say("fault", valid || name === "" ? "" : t("room_invalid", { name }));
  if (valid) location.assign(`watch/${name}`);
  else $("name").focus();
};
