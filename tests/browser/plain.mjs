// The same work without scripts: every control is a link or a form.
import assert from "node:assert/strict";
import { MESSAGE, NUMBER, settled, shown } from "./story.mjs";

export async function plain(window, gates, { login }) {
  const { page } = window;
  const steps = { page, gates };
  await page.goto(login);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname === "/");
  await gates.check("dashboard");
  await live(steps);
  await reveal(steps);
  await theme(steps);
  await search(steps);
  await quarantine(steps);
  await fix(steps);
  await review(steps);
  await verify(steps);
}

async function live({ page, gates }) {
  await page.getByRole("navigation").getByRole("link", { name: "Live" }).click();
  await page.waitForURL("**/live");
  assert.ok((await page.locator("#messages tbody tr").count()) > 5);
  assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 0, "what needs a script is not offered");
  await gates.check("live");
  await page.getByLabel("State").selectOption("routed");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL("**/live?state=routed*");
  const states = await page.locator("#messages tbody .badge").allInnerTexts();
  assert.ok(states.length > 0 && states.every((state) => state.includes("routed")), `${states}`);
}

async function reveal({ page, gates }) {
  await page.locator("#messages tbody th a").first().click();
  await page.waitForURL((url) => MESSAGE.test(url.pathname));
  const raw = page.locator(".raw").first();
  assert.ok((await raw.textContent()).includes("•••"));
  await page.getByLabel(/Reason to see them/).selectOption({ index: 1 });
  await page.getByRole("button", { name: "Reveal" }).click();
  await page.waitForURL((url) => url.pathname.endsWith("/reveal"));
  assert.ok(!(await raw.textContent()).includes("•••"), "revealed values are masked");
  await gates.check("message, revealed");
}

/** Asked for light or dark, the console no longer follows the system. */
async function theme({ page }) {
  const shown = () => page.locator("html").getAttribute("data-theme");
  const seen = new Set();
  for (let press = 0; press < 3; press += 1) {
    await page.getByRole("button", { name: /Theme/ }).click();
    await page.waitForLoadState("load");
    seen.add(await shown());
  }
  assert.deepEqual([...seen].map(String).sort(), ["dark", "light", "null"]);
}

async function search({ page, gates }) {
  await page.getByRole("navigation").getByRole("link", { name: "Search" }).click();
  await page.getByLabel("Search for").fill("type:ADT^A01 since:2h");
  await page.getByRole("button", { name: "Search" }).click();
  await page.waitForURL(/\/search\/./);
  const types = await page.locator("#messages tbody th").allInnerTexts();
  assert.ok(types.length > 0 && types.every((type) => type.startsWith("ADT^A01")), `${types}`);
  await gates.check("found");
}

async function quarantine({ page, gates }) {
  await page.goto(new URL("/", page.url()).href);
  await page.getByRole("button", { name: "Break something" }).click();
  await page.waitForURL("**/guide/break");
  await page.goto(new URL("/quarantine", page.url()).href);
  const cause = page.getByRole("link", { name: "A required field is empty" });
  await shown(page, cause);
  await gates.check("quarantine");
  await cause.click();
  await page.locator("tbody th a").first().click();
  await page.waitForURL((url) => MESSAGE.test(url.pathname));
}

async function fix({ page, gates }) {
  const held = page.url();
  await page.getByRole("link", { name: "Fix and send again" }).click();
  await page.getByLabel("Reason").selectOption({ index: 1 });
  await page.getByRole("button", { name: "Show and edit" }).click();
  const text = page.locator("#text");
  await text.fill((await text.inputValue()).replace("\nPID|1||", `\nPID|1||${NUMBER}`));
  await page.getByRole("button", { name: "Dry run" }).click();
  assert.match(await page.locator(".outcome h2").innerText(), /routed/);
  await gates.check("dry run");
  await page.getByRole("button", { name: "Send it again" }).click();
  await page.waitForURL((url) => MESSAGE.test(url.pathname));
  await settled(page);
  await page.getByRole("link", { name: "another message" }).click();
  await page.waitForURL(held);
  assert.match(await page.locator("h1").innerText(), /quarantined.*resolved/);
  await gates.check("resolved");
}

async function review({ page, gates }) {
  await page.getByRole("navigation").getByRole("link", { name: "Reviews" }).click();
  await page.getByRole("link", { name: "Same person?" }).click();
  await page.getByRole("button", { name: "They are different…" }).click();
  await page.getByRole("button", { name: "Yes, say so" }).click();
  await page.getByText("Answered different persons").waitFor();
  await gates.check("review, answered");
}

async function verify({ page, gates }) {
  await page.getByRole("navigation").getByRole("link", { name: "Ledger" }).click();
  await page.getByRole("button", { name: "Verify the whole ledger" }).click();
  // The page loads itself again while it runs.
  await page.getByText("The ledger is whole").waitFor();
  await gates.check("verified");
  await page.getByRole("link", { name: "Ledger", exact: true }).first().click();
  await page.locator("tbody th a").first().click();
  await page.waitForURL(/\/ledger\/records\//);
  await gates.check("a record");
}
