/** The spoken language, the output and the access token of a session. */
import { remember, remembered } from "./appearance.js";
import { $, query, secrets, served } from "./page.js";
import { language as pageLanguage } from "./texts.js";

const TRADITIONAL = "zh-Hant";
const FIELDS = ["language", "task", "token"];

/** The settings as options of StreamWhisper. */
export function settings() {
  return {
    token: $("token").value.trim() || null,
    language: $("language").value || null,
    task: $("task").value,
  };
}

/** Lock or unlock the settings: they cannot change while a session runs. */
export function lock(locked) {
  for (const id of FIELDS) $(id).disabled = locked;
}

/** Fill the fields from the address and from the last visit. */
export function connect() {
  $("token").value = secrets.get("token") ?? "";
  listLanguages();
  document.addEventListener("language", listLanguages);
  if (served.multilingual === "false") return;
  choose("language", query.get("language") ?? remembered("language"));
  choose("task", query.get("task"));
  $("language").onchange = () => remember("language", $("language").value);
}

/** Return the name of a language in the language of the page, e.g. "German". */
export function languageName(code) {
  const names = new Intl.DisplayNames([pageLanguage(), "en"], { type: "language" });
  return names.of(code === "jw" ? "jv" : code);
}

function listLanguages() {
  for (const field of document.querySelectorAll(".multilingual")) {
    field.hidden = served.multilingual === "false";
  }
  if (served.multilingual === "false") return;
  const list = $("language");
  const { value } = list;
  const codes = served.languages.split(" ").flatMap((c) => (c === "zh" ? ["zh", TRADITIONAL] : c));
  const named = codes.map((code) => [languageName(code), code]);
  named.sort(([a], [b]) => a.localeCompare(b, pageLanguage()));
  list.replaceChildren(list.options[0], ...named.map(([name, code]) => new Option(name, code)));
  list.value = value;
}

/** Select the option of a value; of a tag such as "de-AT" without an option, that of "de". */
function choose(id, value) {
  const list = $(id);
  const known = [...list.options].map((option) => option.value);
  const written = /^zh-(hant|tw|hk|mo)/i.test(value) ? TRADITIONAL : null;
  const chosen = [value, written, value?.split(/[-_]/)[0].toLowerCase()];
  const found = chosen.find((one) => one && known.includes(one));
  if (found) list.value = found;
}
