// Queries the search of the built site, as a browser does: node tools/search.mjs SITE QUERY...
// Prints the address of the first result of each query, or an empty line.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runInThisContext } from "node:vm";

const [site, ...queries] = process.argv.slice(2);
const workers = join(site, "assets/javascripts/workers");
const worker = readdirSync(workers).find((name) => /^search\..*\.js$/.test(name));
const listeners = [];
const answers = [];
Object.assign(globalThis, {
  self: globalThis,
  addEventListener: (_, listener) => listeners.push(listener),
  postMessage: (message) => answers.push(message),
});
runInThisContext(readFileSync(join(workers, worker), "utf-8"));
const request = async (type, data) => {
  answers.length = 0;
  for (const listener of listeners) await listener({ data: { type, data } });
  while (!answers.length) await new Promise((resolve) => setImmediate(resolve));
  return answers.at(-1).data;
};
const [SETUP, QUERY] = [0, 2];
const index = JSON.parse(readFileSync(join(site, "search/search_index.json"), "utf-8"));
await request(SETUP, { ...index, options: { suggest: true } });
for (const query of queries) {
  const { items } = await request(QUERY, query);
  console.log(items.length ? items[0][0].location : "");
}
