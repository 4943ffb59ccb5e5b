/** The dialog with programs that use this server. */
import { $ } from "./page.js";
import * as saving from "./saving.js";
import { t } from "./texts.js";

const REST_PORT = 8766;

/** Return the programs, filled with the address of this page: [{name, note, text}]. */
export function programs({ href, host, hostname, protocol }, { token = false } = {}) {
  const secure = protocol === "https:";
  const stream = new URL("v1/stream", href);
  stream.protocol = secure ? "wss:" : "ws:";
  const module = new URL("streamwhisper.js", href).href;
  const key = token ? "TOKEN" : "any";
  return [
    {
      name: "Python",
      note: "code_python",
      text: `import asyncio
import streamwhisper


async def main():
    url = "${stream.href}"
    async with streamwhisper.connect(url, encoding="pcm_f32le"${token ? ', token="TOKEN"' : ""}) as stream:

        async def send():
            async for chunk in streamwhisper.microphone():
                await stream.send(chunk.tobytes())

        sending = asyncio.create_task(send())
        async for event in stream:
            if isinstance(event, streamwhisper.Committed):
                print(event.text, end="", flush=True)
        await sending


asyncio.run(main())
`,
    },
    {
      name: "JavaScript",
      note: "code_javascript",
      text: `import { Capture } from "${new URL("capture.js", href).href}";
import { StreamWhisper } from "${module}";

const capture = await Capture.open({ kind: "microphone" });
const stream = new StreamWhisper({
  url: "${stream.href}",${token ? '\n  token: "TOKEN",' : ""}
  sampleRate: capture.sampleRate,
});
stream.addEventListener("partial", ({ detail }) => console.log("…", detail.text));
stream.addEventListener("committed", ({ detail }) => console.log(detail.text));
stream.connect();
capture.run((samples) => stream.send(samples));
`,
    },
    {
      name: "curl",
      note: "code_curl",
      text: `curl ${secure ? "https" : "http"}://${hostname}:${REST_PORT}/v1/audio/transcriptions \\
${token ? '  -H "Authorization: Bearer TOKEN" \\\n' : ""}  -F file=@talk.mp3 -F model=whisper-1 -F response_format=srt
`,
    },
    {
      name: "Deepgram",
      note: "code_deepgram",
      text: `from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment

here = DeepgramClientEnvironment(
    base="${secure ? "https" : "http"}://${host}",
    production="${secure ? "wss" : "ws"}://${host}",
    agent="${secure ? "wss" : "ws"}://${host}",
    agent_rest="${secure ? "https" : "http"}://${host}",
)
client = DeepgramClient(api_key="${key}", environment=here)
with client.listen.v1.connect(model="any", encoding="linear16", sample_rate="16000") as stream:
    ...
`,
    },
  ];
}

/** Connect the dialog. */
export function connect() {
  $("code-button").onclick = () => {
    $("more").open = false;
    show(0);
    $("code").showModal();
  };
  $("code-copy").onclick = () => saving.copy($("code-block").textContent, $("code-copy"));
  $("code-tabs").onkeydown = ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const tabs = [...$("code-tabs").children];
    const now = tabs.findIndex((tab) => tab.ariaSelected === "true");
    show((now + step + tabs.length) % tabs.length);
    $("code-tabs").querySelector("[aria-selected=true]").focus();
  };
}

function show(chosen) {
  const all = programs(location, { token: $("token").value !== "" });
  const tabs = all.map(({ name }, k) => {
    const tab = document.createElement("button");
    Object.assign(tab, { textContent: name, role: "tab", ariaSelected: String(k === chosen) });
    Object.assign(tab, { tabIndex: k === chosen ? 0 : -1, onclick: () => show(k) });
    tab.setAttribute("aria-controls", "code-block");
    return tab;
  });
  $("code-tabs").replaceChildren(...tabs);
  $("code-text").textContent = t(all[chosen].note);
  $("code-block").firstElementChild.textContent = all[chosen].text;
}
