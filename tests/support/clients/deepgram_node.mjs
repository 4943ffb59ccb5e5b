// A program that uses Deepgram's own SDK under Node: likewise.
//
//     node deepgram_node.mjs SDK_FOLDER URL KEY PLAN
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, url, key, plan] = process.argv.slice(2);
const { DeepgramClient } = createRequire(`${folder}/`)("@deepgram/sdk");
const { query, steps } = JSON.parse(plan);
const tell = (kind, message = null) => console.log(JSON.stringify({ kind, message }));

const client = new DeepgramClient({ apiKey: key, baseUrl: url });
const stream = await client.listen.v1.connect(query);
let finalized;
const answer = new Promise((resolve) => (finalized = resolve));
const closed = new Promise((resolve) => {
  stream.on("close", (event) => {
    tell("closed", event.code);
    if (event.code === 1000) resolve();
  });
});
let opened = 0;
let again;
const reopened = new Promise((resolve) => (again = resolve));
stream.on("open", () => {
  tell("open");
  opened += 1;
  if (opened === 2) again();
});
stream.on("error", (error) => tell("error", String(error.message)));
stream.on("message", (message) => {
  tell("message", message);
  if (message.from_finalize) finalized();
});
stream.connect();
await stream.waitForOpen();
for (const [what, argument] of steps) {
  if (what === "audio") {
    const sound = readFileSync(argument);
    for (let at = 0; at < sound.length; at += 3200) stream.sendMedia(sound.subarray(at, at + 3200));
  }
  if (what === "finalize") stream.sendFinalize({ type: "Finalize" });
  if (what === "finalized") await answer;
  if (what === "reopened") await reopened;
  if (what === "keep_alive") stream.sendKeepAlive({ type: "KeepAlive" });
  if (what === "close") stream.sendCloseStream({ type: "CloseStream" });
}
await closed;
stream.close();
