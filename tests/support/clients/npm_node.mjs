// A program that uses the npm package under Node: sends a file, and reads along in the same room.
//
//     node npm_node.mjs URL FILE
import { readFileSync } from "node:fs";
import { Room, StreamWhisper } from "streamwhisper";
import WebSocket from "ws";

const [url, file] = process.argv.slice(2);
const sound = readFileSync(file);

const room = new Room({ url, name: "hall", WebSocket });
const read = [];
const watching = (async () => {
  for await (const event of room) {
    read.push(event);
    if (event.type === "done") room.close();
  }
})();

const stream = new StreamWhisper({ url, publish: "hall", WebSocket });
async function speak() {
  for (let at = 0; at < sound.length; at += 3200) {
    stream.send(sound.subarray(at, at + 3200));
    await stream.room();
    await new Promise((resolve) => setTimeout(resolve, 20)); // five times as fast as speech
  }
  return stream.end();
}
const spoken = speak();
const events = [];
for await (const event of stream) events.push(event);
await watching;
const done = await spoken;
const again = [];
for await (const event of stream) again.push(event); // the session is over
console.log(JSON.stringify({ events, read, done, again, state: stream.state }));
