// One story in a browser: node tests/browser/run.mjs DESCRIPTION.json
// It ends with 0, or with 1 and what is wrong on stderr.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { launch, open } from "./browser.mjs";
import { Gates } from "./gates.mjs";
import { packages } from "./packages.mjs";
import { plain } from "./plain.mjs";
import { story } from "./story.mjs";

const STORIES = { keyboard: story, plain };

const description = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { chromium, axe } = packages(description.packages);
const browser = await launch(chromium);
const hasScript = description.story !== "plain";
const window = await open(browser, { origins: description.origins, theme: description.theme, hasScript });
const gates = new Gates({ ...window, axe, hasScript, identifiers: description.identifiers });
mkdirSync(description.pictures, { recursive: true });
const picture = async (name) => {
  const file = path.join(description.pictures, `${name}-${description.theme}.png`);
  writeFileSync(file, await window.page.screenshot({ animations: "disabled" }));
};
let failure = null;
try {
  await STORIES[description.story](window, gates, description, picture);
} catch (error) {
  failure = error;
  await picture(`failed-${description.story}`).catch(() => {});
}
gates.take("at the end");
await browser.close();
for (const finding of gates.findings) console.error(finding);
if (failure) console.error(`at ${window.page.url().split("?")[0]}: ${failure.stack}`);
console.log(`${gates.visited} pages looked at, ${gates.findings.length} findings`);
process.exit(failure || gates.findings.length > 0 ? 1 : 0);
