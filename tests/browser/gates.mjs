// What holds on every page: nothing said on the console, no other origin, no axe violation of WCAG 2.2 A and AA, nothing
// wider than the window but code, and no one's data in address or title.
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Boxes that are wider than the window or scroll sideways; blocks of code may. */
function tooWide() {
  const wide = [];
  const name = (element) => `<${element.tagName.toLowerCase()} class="${element.className}">`;
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wide.push(`the page is ${root.scrollWidth} wide`);
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".code, pre, textarea, svg, .skip, .unseen")) continue;
    const scrolls = ["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX);
    if (scrolls && element.scrollWidth > element.clientWidth + 1 && element.tagName !== "INPUT" && element.tagName !== "SELECT") {
      wide.push(`${name(element)} holds ${element.scrollWidth} in ${element.clientWidth}`);
    }
  }
  return wide;
}

/** Words of an address or a title, in lower case. */
const words = (text) => decodeURIComponent(text).toLowerCase().split(/[^\p{L}\p{N}]+/u);

export class Gates {
  /** `identifiers`: what the feeds said about people, one word each. */
  constructor({ page, faults, axe, identifiers, hasScript }) {
    Object.assign(this, { page, faults, axe, hasScript, identifiers: new Set(identifiers.map((word) => word.toLowerCase())) });
    this.findings = [];
    this.visited = 0;
    page.on("framenavigated", (frame) => {
      if (frame === page.mainFrame()) this.address(frame.url());
    });
  }

  address(text) {
    for (const word of words(text)) if (this.identifiers.has(word)) this.findings.push(`somebody's data in an address or title: a word of ${word.length} letters`);
  }

  /** Looks at the page as it is now; `name` is how findings call it. */
  async check(name) {
    this.visited += 1;
    // A page whose style sheet is still on its way has elements, and another width.
    await this.page.waitForLoadState("load");
    const found = (words) => this.findings.push(`${name}: ${words}`);
    this.address(await this.page.title());
    this.take(name);
    for (const wide of await this.page.evaluate(tooWide)) found(wide);
    // Without scripts axe cannot run either; the pages are the same.
    if (!this.hasScript) return;
    await this.page.evaluate(this.axe);
    const violations = await this.page.evaluate(async (tags) => {
      const { violations } = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\s+/g, " ")}`));
    }, TAGS);
    for (const violation of violations) found(`axe ${violation}`);
    this.take(`${name}, during axe`);
  }

  /** Moves what was said and asked for since the last look into the findings. */
  take(name) {
    for (const fault of this.faults.splice(0)) this.findings.push(`${name}: ${fault}`);
  }
}
