// A program that uses OpenAI's own SDK under Node: does as it is told, and prints all it hears.
//
//     node realtime_node.mjs SDK_FOLDER URL KEY CERTIFICATE PLAN
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, baseURL, apiKey, certificate, plan] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const OpenAI = require("openai");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");
const tell = (kind, message = null) => console.log(JSON.stringify({ kind, message }));

const client = new OpenAI({ apiKey, baseURL });
const options = { ca: readFileSync(certificate) };
const realtime = new OpenAIRealtimeWS({ intent: "transcription", options }, client);
const waiting = [];
const closed = new Promise((resolve) => {
  realtime.socket.on("close", (code) => resolve(tell("closed", code)));
});
realtime.on("error", (error) => tell("error", String(error.message)));
realtime.on("event", (event) => {
  tell("event", event);
  const told = waiting.findIndex(([type]) => type === event.type);
  if (told >= 0) waiting.splice(told, 1)[0][1]();
});
await new Promise((resolve) => realtime.socket.on("open", resolve));
for (const [what, argument] of JSON.parse(plan)) {
  if (what === "update") realtime.send({ type: "session.update", session: argument });
  if (what === "audio") {
    const sound = readFileSync(argument);
    for (let at = 0; at < sound.length; at += 4800) {
      const audio = sound.subarray(at, at + 4800).toString("base64");
      realtime.send({ type: "input_audio_buffer.append", audio });
    }
  }
  if (what === "commit") realtime.send({ type: "input_audio_buffer.commit" });
  if (what === "wait") await new Promise((resolve) => waiting.push([argument, resolve]));
}
realtime.close();
await closed;
