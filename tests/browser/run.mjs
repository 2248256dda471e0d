// One story in a browser: node tests/browser/run.mjs DESCRIPTION.json
// It ends with 0, or with 1 and what is wrong on stderr.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
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
// What the documents show: these of the story, renewed when somebody asks for it.
const SHOWN = ["message-light", "dry-run-dark", "dashboard-light", "ledger-dark"];
const shownFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), "pictures");
const picture = async (name) => {
  const file = path.join(description.pictures, `${name}-${description.theme}.png`);
  writeFileSync(file, await window.page.screenshot({ animations: "disabled" }));
  if (process.env.UPDATE_PICTURES === "1" && SHOWN.includes(path.basename(file, ".png"))) {
    mkdirSync(shownFolder, { recursive: true });
    copyFileSync(file, path.join(shownFolder, path.basename(file)));
  }
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
