// A program that uses the types of the npm package: `tsc --noEmit` accepts it.
import { captions, Room, StreamWhisper, StreamWhisperElement, StreamWhisperError } from "streamwhisper";
import type { Committed, StreamWhisperEvent } from "streamwhisper";
import WebSocket from "ws";

const stream = new StreamWhisper({
  url: "http://127.0.0.1:8765",
  WebSocket,
  token: async () => "secret",
  vocabulary: ["Montfichet"],
});
stream.addEventListener("committed", ({ detail }) => {
  const committed: Committed = detail;
  console.log(committed.text, committed.words[0]?.confidence);
});
stream.send(new Int16Array(1600));

export async function read(): Promise<string> {
  let text = "";
  for await (const event of stream) {
    if (event.type === "committed") text += event.text;
    if (event.type === "status") console.log(event.viewers ?? 0, event.lag_ms);
    if (event.type === "error") console.log(event.code);
    const any: StreamWhisperEvent = event;
    console.log(any.type);
  }
  const room = new Room({ name: "stage", url: "http://127.0.0.1:8765", WebSocket });
  for await (const event of room) {
    if (event.type === "watching") console.log(event.session);
    if (event.type === "state" && event.state === "failed") console.log(event.cause);
  }
  return text;
}

export async function show(): Promise<string> {
  const running = await captions({ element: "#text", language: "en" });
  const element: StreamWhisperElement = document.createElement("stream-whisper");
  await element.start();
  try {
    return (await running.stop()) + (await element.stop());
  } catch (error) {
    if (error instanceof StreamWhisperError) return `${error.code} ${error.retryAfter ?? 0}`;
    throw error;
  }
}

// @ts-expect-error: no such option
new StreamWhisper({ colour: "red" });
// @ts-expect-error: no such task
new StreamWhisper({ task: "summarize" });
// @ts-expect-error: the name is missing
new Room({});
