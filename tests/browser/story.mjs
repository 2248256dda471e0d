// The tour by keyboard alone: watch, break, fix, prove. The pointer is never used.
import assert from "node:assert/strict";
import { Keyboard } from "./keyboard.mjs";

/** Time in which a paused list may not move, in ms; the feed sends several messages meanwhile. */
const STILL_MS = 2_500;
/** Admissions that are opened to find one that made a patient. */
const ROWS_MAX = 8;
/** Looks at a message that was sent again before it is said that nothing came of it. */
const LOOKS_MAX = 80;
const LOOK_MS = 250;
/** Panels of a message in the order of their keys, `1` to `7`. */
const PANELS = ["hl7", "fhir", "trace", "twin", "route", "deliveries", "audit"];
export const MESSAGE = /^\/messages\/[0-9a-f-]{36}$/;
/** What the laboratory left out of PID-3. */
export const NUMBER = "79012345^^^HARBOR&2.16.840.1.113883.3.9999.1&ISO^MR";

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
  await fix(tour);
  await reviews(tour);
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
  // `m` leads to the reason; it is chosen in the closed list, and Enter on the button reveals.
  await keyboard.press("m");
  assert.equal(await focusedId(page), "reason");
  await keyboard.press("ArrowDown");
  await keyboard.follow(button(page, "Reveal"), /^\/messages\/[0-9a-f-]{36}\/reveal$/);
  await gates.check("message, revealed");
  const { raw, fhir, twin } = await lit({ page, keyboard });
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)/.exec(raw[0]);
  assert.ok(fhir.some((line) => line.includes(`"birthDate": "${year}-${month}-${day}"`)), `FHIR lights ${fhir.length} lines without the birth date`);
  assert.ok(twin.length > 0 && twin.every((value) => value === year), "the twin says something else than the year");
  await page.evaluate(() => scrollTo(0, 0));
  await picture("message");
  await panels({ page, keyboard }, `${year}-${month}-${day}`);
  // The same bytes as a table of described values, and as bytes.
  for (const layout of ["tree", "hex"]) {
    await keyboard.press("1");
    await keyboard.to(button(page, layout));
    await keyboard.press("Enter");
    await page.locator(`button[value="${layout}"][aria-current]`).waitFor();
    await gates.check(`message, as ${layout}`);
  }
}

const focusedId = (page) => page.evaluate(() => document.activeElement.id);

/** Keys of the panels, of a value that is pinned by the address, and of what explains it. */
async function panels({ page, keyboard }, birthDate) {
  // What is lit in a box that scrolls is in sight there.
  const isSeen = await page.locator("#fhir .lit").first().evaluate((line) => {
    const [inner, outer] = [line.getBoundingClientRect(), line.closest(".code").getBoundingClientRect()];
    return inner.top >= outer.top && inner.bottom <= outer.bottom;
  });
  assert.ok(isSeen, "the lit line of the FHIR panel is out of sight");
  for (const [index, id] of PANELS.entries()) {
    await keyboard.press(String(index + 1));
    assert.equal(await focusedId(page), id);
  }
  // Backwards too, nothing that stays in place lies over the focus.
  await keyboard.press("4");
  await keyboard.to(page.locator("#trace tbody tr:nth-last-child(8) a").last(), "Shift+Tab");
  await keyboard.press("1");
  await keyboard.to(page.locator("#PID-7"));
  await keyboard.press("Enter");
  await page.waitForFunction(() => location.hash === "#PID-7");
  await keyboard.press("4");
  assert.equal(await focusedId(page), "twin");
  // What the address names stays lit; it is lit after the event that says so.
  await page.locator("#twin .lit").first().waitFor({ state: "attached" });
  await keyboard.press("x");
  const step = await page.evaluate(() => document.activeElement.closest("#trace tr")?.textContent ?? "");
  assert.ok(step.includes("Patient.birthDate") && step.includes(birthDate), "the step of PID-7 explains it");
  await keyboard.press("Escape");
  assert.equal(await page.evaluate(() => location.hash), "");
  await keyboard.press("1", "j", "j");
  const leaves = await page.locator("a.leaf").evaluateAll((all) => all.indexOf(document.activeElement));
  assert.equal(leaves, 1, "two steps down from the start of the message");
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
    // From the last row upwards: who came first was new.
    await keyboard.press("k", "k", "j", ...Array(row - 1).fill("k"));
    await keyboard.go(MESSAGE, "Enter");
    const isIn = (panel) => page.locator(`[aria-labelledby="${panel}"] [data-at$="birthDate"]`).count();
    if ((await isIn("h-fhir")) > 0 && (await isIn("h-twin")) > 0) return;
  }
  assert.fail(`none of ${ROWS_MAX} admissions made a patient that was released`);
}

/** Moves the focus to PID-7; what lights up in each panel. */
async function lit({ page, keyboard }) {
  await keyboard.to(page.locator('.leaf[data-at^="PID-7 "]'));
  const texts = (lines) => page.locator(lines).evaluateAll((lines) => lines.map((line) => line.textContent.trim()));
  return {
    raw: await texts('[aria-labelledby="h-raw"] .lit'),
    fhir: await texts('[aria-labelledby="h-fhir"] .lit'),
    twin: await texts('[aria-labelledby="h-twin"] tr.lit td:last-child'),
  };
}

async function breakSomething({ page, keyboard, gates }) {
  await keyboard.jump("/");
  await keyboard.follow(button(page, "Break something"), "/guide/break");
  await gates.check("break something");
}

async function quarantine({ page, keyboard, gates }) {
  await keyboard.jump("/quarantine");
  await shown(page, page.locator("tbody tr").nth(1));
  await gates.check("quarantine");
  await keyboard.follow(page.getByRole("link", { name: "A required field is empty" }), /^\/quarantine\//);
  await gates.check("a cause");
  await keyboard.press("j");
  await keyboard.go(MESSAGE, "Enter");
  await gates.check("a held message");
}

/** The number is put in, tried, and sent again; the message that was held is resolved. */
async function fix({ page, keyboard, gates, picture }) {
  const held = new URL(page.url()).pathname;
  await keyboard.go(`${held}/edit`, "e");
  await gates.check("why to edit");
  await keyboard.press("m", "ArrowDown");
  await keyboard.to(button(page, "Show and edit"));
  await keyboard.press("Enter");
  const text = page.locator("#text");
  await text.waitFor();
  await gates.check("edit");
  await keyboard.to(text);
  const place = await text.evaluate((field) => field.value.indexOf("\nPID|1||") + "\nPID|1||".length);
  await keyboard.press("Control+Home");
  await keyboard.press(...Array(place).fill("ArrowRight"));
  await keyboard.type(NUMBER);
  await keyboard.follow(button(page, "Dry run"), `${held}/dry-run`);
  assert.match(await page.locator(".outcome h2").innerText(), /routed/);
  const fields = await page.locator('[aria-label="Fields that differ"] tbody tr').allInnerTexts();
  assert.ok(fields.length > 0 && fields.every((row) => row.startsWith("PID-3")), `${fields}`);
  assert.ok((await page.locator('[aria-label="Elements that differ"] tbody tr').count()) > 1);
  await gates.check("dry run");
  await picture("dry-run");
  await keyboard.follow(button(page, "Send it again"), MESSAGE);
  await settled(page);
  await gates.check("sent again");
  await keyboard.follow(page.getByRole("link", { name: "another message" }), held);
  await page.getByText("resolved", { exact: false }).first().waitFor();
  await gates.check("resolved");
  assert.match(await heading(page), /quarantined.*resolved/);
}

/** Looks again until the page shows what comes of messages that were just sent. */
export async function shown(page, locator) {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if ((await locator.count()) > 0) return;
    await page.waitForTimeout(LOOK_MS);
    await page.reload();
  }
  assert.fail(`after ${LOOKS_MAX} looks: ${await heading(page)}`);
}

/** Looks again until the message that was sent is processed. */
export async function settled(page) {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if (/routed/.test(await heading(page))) return;
    await page.waitForTimeout(LOOK_MS);
    await page.reload();
  }
  assert.fail(`after ${LOOKS_MAX} looks: ${await heading(page)}`);
}

/** Two people under one number: a person says that they are two, and the message goes on. */
async function reviews({ page, keyboard, gates, picture }) {
  await keyboard.jump("/reviews");
  await gates.check("reviews");
  await keyboard.press("j");
  await keyboard.go(/^\/reviews\/[0-9a-f-]{36}$/, "Enter");
  const review = new URL(page.url()).pathname;
  await gates.check("review, masked");
  assert.ok((await page.locator("td").allInnerTexts()).some((text) => text.includes("•••")));
  await keyboard.press("m", "ArrowDown");
  await keyboard.follow(button(page, "Reveal"), `${review}/reveal`);
  await gates.check("review, revealed");
  await picture("review");
  await keyboard.follow(button(page, "They are different…"), `${review}/answer`);
  await gates.check("review, to be confirmed");
  await keyboard.follow(button(page, "Yes, say so"), review);
  await page.getByText("Answered different persons").waitFor();
  await gates.check("review, answered");
  await keyboard.follow(page.getByRole("link", { name: "this message" }), MESSAGE);
  await settled(page);
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
