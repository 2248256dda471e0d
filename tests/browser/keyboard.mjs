// A person at the keyboard. Wherever Tab leads, the focus must be seen and nothing may lie over it (WCAG 2.2: 2.4.7,
// 2.4.11).
import assert from "node:assert/strict";

/** Stops of Tab on one page before it is said that something cannot be reached. */
const STOPS_MAX = 260;

/** What is wrong with the focus as it is drawn; empty when nothing is. */
function drawnFocus() {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return "";
  const name = `<${element.tagName.toLowerCase()}> “${(element.textContent || element.name || "").trim().slice(0, 40)}”`;
  if (element.id === "main") return "";
  const style = getComputedStyle(element);
  const hasOutline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  if (!hasOutline) return `${name} has the focus and does not show it`;
  // A link of several lines has several boxes, and none of them need be in the middle.
  const boxes = [...element.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
  const isSeen = boxes.some((box) => [0.5, 0.1, 0.9].some((x) => [0.5, 0.1, 0.9].some((y) => {
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    if (right <= left || bottom <= top) return false;
    const hit = document.elementFromPoint(left + (right - left) * x, top + (bottom - top) * y);
    return hit && (hit === element || element.contains(hit) || (hit.contains(element) && hit !== document.body));
  })));
  return isSeen ? "" : `${name} has the focus, hidden or covered`;
}

export class Keyboard {
  constructor(page) {
    this.page = page;
  }

  async press(...keys) {
    // One behind the other without a pause: `g` and its letter belong together, however busy the machine is.
    await Promise.all(keys.map((key) => this.page.keyboard.press(key)));
  }

  async type(text) {
    await this.page.keyboard.type(text);
  }

  /** Replaces what the focused field holds. */
  async fill(text) {
    await this.press("Control+a", "Delete");
    await this.type(text);
  }

  /** Follows keys that lead to another page, and waits until it is there. */
  async go(address, ...keys) {
    const there = this.page.waitForURL((url) => typeof address === "string" ? url.pathname === address : address.test(url.pathname));
    await this.press(...keys);
    await there;
    await this.page.waitForLoadState("load");
  }

  /** To another page by `g` and the letter that the navigation tells. */
  async jump(address) {
    const letter = await this.page.locator(`nav a[href="${address}"]`).getAttribute("data-key");
    await this.go(address, "g", letter);
  }

  /** Presses Tab (`key`) until `locator` has the focus. */
  async to(locator, key = "Tab") {
    await locator.first().waitFor({ state: "attached" });
    for (let stop = 0; stop < STOPS_MAX; stop += 1) {
      const isThere = await locator.first().evaluate((element) => element === document.activeElement);
      const wrong = await this.page.evaluate(drawnFocus);
      assert.equal(wrong, "", wrong);
      if (isThere) return;
      await this.press(key);
    }
    assert.fail(`${STOPS_MAX} times ${key} do not reach ${locator}`);
  }

  /** To `locator`, then Enter, which leads to `address`. */
  async follow(locator, address) {
    await this.to(locator);
    await this.go(address, "Enter");
  }

  /** Text of what has the focus. */
  focused() {
    return this.page.evaluate(() => document.activeElement?.textContent.trim() ?? "");
  }
}
