// Builds the npm package: dist/streamwhisper.js, one ES module for browsers and Node.
//
//     npm install && npm run build
import { copyFile, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));
const { version } = JSON.parse(await readFile(`${folder}package.json`, "utf8"));
const worklet = await readFile(`${folder}worklet.js`, "utf8");

// A single file has no worklet beside it, and does not come from the server that it talks to.
const PLACE = `
export const SERVER = null;
let url = null;
export function workletUrl() {
  url ??= URL.createObjectURL(new Blob([${JSON.stringify(worklet)}], { type: "text/javascript" }));
  return url;
}
`;
const place = {
  name: "place",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]place\.js$/ }, () => ({ contents: PLACE, loader: "js" }));
  },
};

await build({
  absWorkingDir: folder,
  entryPoints: ["index.js"],
  outfile: "dist/streamwhisper.js",
  bundle: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* streamwhisper ${version}, MIT License */` },
  plugins: [place],
});
await copyFile(`${folder}../../LICENSE`, `${folder}dist/LICENSE`);
