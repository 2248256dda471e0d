// Debian's Chromium without its own traffic, and a watch over what a page says and asks for.
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** The smallest screen that is promised to need no sideways scrolling. */
export const VIEWPORT = { width: 1366, height: 768 };
/** Longest wait for one thing, in ms; far beyond what it takes on a busy machine. */
export const WAIT_MAX_MS = 60_000;

const QUIET = [
  "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
  "--disable-quic", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--no-pings",
  "--force-color-profile=srgb", "--disable-lcd-text",
];

/** Where `chromium` is on the path. */
function chromiumPath() {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.join(folder, "chromium");
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error("chromium is not on the path");
}

export async function launch(chromium) {
  // Chromium's own sandbox cannot be set up by the superuser, which containers run as.
  const isSuperuser = process.getuid?.() === 0;
  const args = isSuperuser ? [...QUIET, "--no-sandbox"] : QUIET;
  return chromium.launch({ executablePath: chromiumPath(), args });
}

/** A window: own origins only; all that is said on the console or asked of others is kept in `faults`. */
export async function open(browser, { origins, theme, hasScript = true }) {
  const context = await browser.newContext({
    viewport: VIEWPORT, colorScheme: theme, javaScriptEnabled: hasScript, locale: "en-GB", timezoneId: "UTC",
    reducedMotion: "reduce", serviceWorkers: "block",
  });
  context.setDefaultTimeout(WAIT_MAX_MS);
  const faults = [];
  await context.route("**/*", (route) => {
    const { origin, href } = new URL(route.request().url());
    if (origins.includes(origin)) return route.continue();
    faults.push(`asked another origin: ${href}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on("console", (message) => faults.push(`console, ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return { context, page, faults };
}
