// The packages of the suite, where `npm ci` put them. As a program: exit 0 when they are there as locked.
//   node tests/browser/packages.mjs FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

/** `{ chromium, axe }`: Playwright's driver and the source of axe-core. Throws where one is absent or not as locked. */
export function packages(folder) {
  const require = createRequire(path.join(path.resolve(folder), "package.json"));
  const locked = JSON.parse(readFileSync(path.join(here, "package-lock.json"), "utf8")).packages;
  for (const name of ["playwright-core", "axe-core"]) {
    const { version } = require(`${name}/package.json`);
    const expected = locked[`node_modules/${name}`].version;
    if (version !== expected) throw new Error(`${name} is ${version}, not ${expected}`);
  }
  const { chromium } = require("playwright-core");
  return { chromium, axe: readFileSync(require.resolve("axe-core/axe.min.js"), "utf8") };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    packages(process.argv[2] ?? "target/browser");
  } catch (error) {
    console.error(error.message.split("\n")[0]);
    process.exit(1);
  }
}
