/** Where these files come from. In the npm bundle, build.mjs puts another module in place of this. */

/** Address of the server that serves these files; null: they come from elsewhere. */
export const SERVER = new URL(".", import.meta.url).href;

/** Return the address of worklet.js. */
export const workletUrl = () => new URL("worklet.js", import.meta.url).href;
