/** Transcripts that this browser keeps, in IndexedDB; bounded: the oldest ones are deleted. */

const NAME = "streamwhisper.captions";
const STORE = "transcripts";
const MOST = 30; // transcripts
const MOST_WORDS = 300_000; // in all of them

/**
 * @typedef {object} Kept
 * @property {string} id
 * @property {number} at time of its start, in milliseconds since 1970.
 * @property {import("./transcript.js").Span[]} spans
 */

/** Store a transcript, in place of one of the same id. Rejects if the browser has no storage. */
export async function put(kept) {
  await request("readwrite", (store) => store.put(kept));
  await trim(kept.id);
}

/** Return all transcripts, the newest first. */
export async function list() {
  const all = await request("readonly", (store) => store.getAll());
  return all.sort((a, b) => b.at - a.at);
}

export async function remove(id) {
  await request("readwrite", (store) => store.delete(id));
}

/** Delete all transcripts. */
export async function empty() {
  await request("readwrite", (store) => store.clear());
}

async function trim(current) {
  let words = 0;
  const surplus = (await list()).filter(({ id, spans }, k) => {
    words += spans.length;
    return id !== current && (k >= MOST || words > MOST_WORDS);
  });
  for (const { id } of surplus) await remove(id);
}

async function request(mode, task) {
  const database = await open();
  try {
    return await settled(task(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function open() {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
  return settled(opening);
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error ?? new Error("blocked"));
  });
}
