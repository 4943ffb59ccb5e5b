// What the npm package says under Node when something is wrong.
//
//     node npm_refusals.mjs URL DEAD_URL
import { Room, StreamWhisper } from "streamwhisper";
import WebSocket from "ws";

const [url, dead] = process.argv.slice(2);

async function fault(act) {
  try {
    await act();
    return null;
  } catch (error) {
    return { name: error.name, code: error.code, message: error.message };
  }
}

async function read(stream) {
  for await (const event of stream) void event;
}

const reconnect = { patience: 0.3 };
const found = {
  no_class: await fault(() => new StreamWhisper({ url })),
  relative: await fault(() => new StreamWhisper({ url: "v1/stream", WebSocket })),
  scheme: await fault(() => new StreamWhisper({ url: "ftp://127.0.0.1/", WebSocket })),
  language: await fault(() => read(new StreamWhisper({ url, WebSocket, language: "de" }))),
  dead: await fault(() => read(new StreamWhisper({ url: dead, WebSocket, reconnect }))),
  room: await fault(() => read(new Room({ url, name: "a b", WebSocket }))),
};
console.log(JSON.stringify(found));
