// What the scripts share: arguments, the browser, signing in as one of the demo's people.

import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

// The two widths at which every page is looked at: a phone and a desk.
export const WIDTHS = [390, 1280];
// The ways in which a page can look. In the fourth only those pages are visited that elder mode builds otherwise: one more
// visit to each would take a third longer, and letters, colours and sizes of the rest are those of the look before it.
export const LOOKS = [
  { name: "zh", lang: "zh", elder: "0" },
  { name: "en", lang: "en", elder: "0" },
  { name: "elder", lang: "zh", elder: "1" },
  { name: "elder-en", lang: "en", elder: "1", onlyBuiltOtherwise: true },
];

// `--base URL` of a running demo (with `--in-work 1`), `--authorities URL` of those behind it, `--out DIR` for pictures.
export function options() {
  const { values } = parseArgs({
    options: {
      base: { type: "string" },
      authorities: { type: "string" },
      out: { type: "string" },
      only: { type: "string" },
    },
  });
  if (!values.base) {
    console.error("--base URL is missing: the address of a running `mingcha demo`");
    process.exit(2);
  }
  if (!values.authorities) {
    console.error("--authorities URL is missing: the address of its authorities, as it prints it");
    process.exit(2);
  }
  return { ...values, base: values.base.replace(/\/$/u, "") };
}

// Debian's Chromium, or the one that CHROMIUM names.
export async function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}

// Makes the pages of a context look that way.
export async function look(context, base, { lang, elder }) {
  await context.addCookies([
    { name: "mingcha-lang", value: lang, url: base },
    { name: "mingcha-elder", value: elder, url: base },
  ]);
}

// Somebody of the demo, as its page of people shows them.
export async function person(page, base, id) {
  await page.goto(`${base}/demo`);
  const cells = await page.locator(`tr#${id} td`).evaluateAll((all) =>
    all.map((cell) => cell.lastElementChild.textContent.trim()),
  );
  return { id, name: cells[0], phone: cells[1], idNumber: cells[2] };
}

// Signs in with phone and code: L1.
export async function signIn(page, base, who) {
  await page.goto(`${base}/sign-in`);
  await page.fill("#phone", who.phone);
  await page.click("main form button");
  await page.waitForURL(/sign-in\/code/u);
  const outbox = await page.context().newPage();
  await outbox.goto(`${base}/demo/outbox`);
  const code = await outbox
    .locator("li.line", { hasText: who.phone })
    .first()
    .locator(".code-shown")
    .textContent();
  await outbox.close();
  await page.fill("#code", code);
  await page.click("main form[action='/sign-in/code'] button");
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
}

// Proves the real name: L2.
export async function prove(page, base, who) {
  await page.goto(`${base}/prove`);
  await page.fill("#name", who.name);
  await page.fill("#id_number", who.idNumber);
  await page.click("main form[action='/prove'] button");
  await page.waitForURL((url) => url.pathname === "/");
}

// At the counter of the demo: L3.
export async function strengthen(page, base) {
  await page.goto(`${base}/strengthen`);
  await page.click("main form[action='/strengthen'] button");
  await page.waitForURL((url) => url.pathname === "/");
}
