// The tour by keyboard alone: watch, break, prove. The pointer is never used.
import assert from "node:assert/strict";
import { Keyboard } from "./keyboard.mjs";

/** Time in which a paused list may not move, in ms; the feed sends several messages meanwhile. */
const STILL_MS = 2_500;
/** Admissions that are opened to find one that made a patient. */
const ROWS_MAX = 8;

export async function story(window, gates, { login, cloudLogin, theme }, picture) {
  const { page } = window;
  const keyboard = new Keyboard(page);
  const tour = { page, keyboard, gates, picture, theme };
  await signIn(tour, login);
  await dashboard(tour);
  await live(tour);
  await message(tour);
  await breakSomething(tour);
  await quarantine(tour);
  await search(tour);
  await prove(tour);
  await help(tour);
  await signOut(tour);
  await cloud(tour, cloudLogin);
}

const heading = (page) => page.locator("h1").innerText();
const button = (page, name) => page.getByRole("button", { name });

async function signIn({ page, keyboard, gates }, login) {
  await page.goto(login);
  await gates.check("sign in");
  await keyboard.follow(button(page, "Sign in"), "/");
}

async function dashboard({ page, keyboard, gates, picture }) {
  assert.equal(await heading(page), "Dashboard");
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Feeds"] tbody tr').length >= 3);
  const figures = await page.locator(".strip .value").allInnerTexts();
  assert.equal(figures.length, 4);
  await gates.check("dashboard");
  await picture("dashboard");
  // The skip link is the first stop, and leads past the head.
  await page.reload();
  await keyboard.press("Tab");
  assert.equal(await keyboard.focused(), "Skip to content");
  await keyboard.press("Enter");
  await keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
}

async function live({ page, keyboard, gates, picture }) {
  await keyboard.jump("/live");
  const rows = () => page.locator("#messages tbody tr th a").evaluateAll((links) => links.map((link) => link.href));
  await page.waitForFunction(() => document.querySelector("#live-state").textContent !== "");
  const before = (await rows())[0];
  await page.waitForFunction((first) => document.querySelector("#messages tbody tr th a")?.href !== first, before);
  await keyboard.press("p");
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  const paused = await rows();
  await page.waitForTimeout(STILL_MS);
  assert.deepEqual(await rows(), paused, "a paused list moves");
  await gates.check("live");
  await picture("live");
  await keyboard.press("p");
  await page.waitForFunction((first) => document.querySelector("#messages tbody tr th a").href !== first, paused[0]);
}

async function message({ page, keyboard, gates, picture }) {
  await openPatient({ page, keyboard });
  await gates.check("message, masked");
  const masked = await lit({ page, keyboard });
  assert.ok(masked.raw.every((text) => !/\d/.test(text)), "a masked birth date shows a digit");
  // The reason is chosen in the closed list, and Enter on the button reveals.
  await keyboard.to(page.getByLabel(/Reason to see them/));
  await keyboard.press("ArrowDown");
  await keyboard.follow(button(page, "Reveal"), /^\/messages\/[0-9a-f-]{36}\/reveal$/);
  await gates.check("message, revealed");
  const { raw, fhir, twin } = await lit({ page, keyboard });
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)/.exec(raw[0]);
  assert.ok(fhir.some((line) => line.includes(`"birthDate": "${year}-${month}-${day}"`)), `FHIR lights ${fhir.length} lines without the birth date`);
  assert.ok(twin.some((line) => line.includes(`"birthDate": "${year}"`)), `the twin lights ${twin.length} lines without the year`);
  assert.ok(twin.every((line) => !line.includes(`${year}-${month}`)), "the twin says more than the year");
  await picture("message");
}

/** Opens a message that made a patient: what is known already is not made again. */
async function openPatient({ page, keyboard }) {
  for (let row = 1; row <= ROWS_MAX; row += 1) {
    await keyboard.jump("/live");
    await keyboard.to(page.getByLabel("Type", { exact: true }));
    await keyboard.fill("ADT^A01");
    await keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("type") === "ADT^A01");
    await page.waitForLoadState("load");
    await keyboard.press("j", "j", "k", ...Array(row - 1).fill("j"));
    await keyboard.go(/^\/messages\/[0-9a-f-]{36}$/, "Enter");
    const panels = await page.locator('[aria-labelledby="h-fhir"], [aria-labelledby="h-twin"]').allTextContents();
    if (panels.length === 2 && panels.every((text) => text.includes('"birthDate"'))) return;
  }
  assert.fail(`none of ${ROWS_MAX} admissions made a patient that was released`);
}

/** Moves the focus to PID-7; what lights up in each panel. */
async function lit({ page, keyboard }) {
  await keyboard.to(page.locator('.leaf[data-at^="PID-7 "]'));
  const texts = (panel) => page.locator(`[aria-labelledby="${panel}"] .lit`).evaluateAll((lines) => lines.map((line) => line.textContent.trim()));
  return { raw: await texts("h-raw"), fhir: await texts("h-fhir"), twin: await texts("h-twin") };
}

async function breakSomething({ page, keyboard, gates }) {
  await keyboard.jump("/");
  await keyboard.follow(button(page, "Break something"), "/guide/break");
  await gates.check("break something");
}

async function quarantine({ page, keyboard, gates }) {
  await keyboard.jump("/quarantine");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length >= 2);
  await gates.check("quarantine");
  await keyboard.press("j");
  await keyboard.go(/^\/quarantine\//, "Enter");
  await gates.check("a cause");
  await keyboard.press("j");
  await keyboard.go(/^\/messages\//, "Enter");
  await gates.check("a held message");
}

async function search({ page, keyboard, gates }) {
  await keyboard.go("/search", "/");
  await gates.check("search");
  await keyboard.press("/");
  await keyboard.type("type:ADT^A01 since:2h");
  await keyboard.go(/^\/search\//, "Enter");
  await gates.check("found");
}

async function prove({ page, keyboard, gates, picture }) {
  await keyboard.jump("/ledger");
  await gates.check("ledger");
  await picture("ledger");
  await keyboard.follow(button(page, "Verify the whole ledger"), "/ledger/verify");
  await page.getByText("The ledger is whole").waitFor();
  await gates.check("verified");
}

async function help({ page, keyboard, gates }) {
  await keyboard.jump("/status");
  await gates.check("status");
  await keyboard.go("/help", "?");
  await gates.check("help");
}

async function signOut({ page, keyboard, gates }) {
  await keyboard.follow(button(page, "Sign out"), "/logout");
  await gates.check("signed out");
}

/** The other node has no messages and says so. */
async function cloud({ page, keyboard, gates }, login) {
  await page.goto(login);
  await keyboard.follow(button(page, "Sign in"), "/");
  await gates.check("cloud status");
  assert.equal(await page.locator('nav a[href="/live"]').count(), 0);
  await keyboard.jump("/ledger");
  await gates.check("cloud ledger");
}
