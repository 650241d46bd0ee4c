// Takes a picture of every page of the router at both widths, in Chinese, English and elder mode, and of those that elder
// mode builds otherwise in its English too.
//
//   node shots.mjs --base http://127.0.0.1:8700 --out ../../../../docs/shots [--only name]

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { LOOKS, WIDTHS, launch, look, options, person, prove, signIn, strengthen } from "./browser.mjs";
import { PAGES, missing, open, pagesIn, visitors } from "./pages.mjs";

const { base, out = "shots", only } = options();
const without = await missing();
if (without.length > 0) {
  console.error(`pages of the router without a shot: ${without.join(", ")}`);
  process.exit(1);
}
// On a busy machine Chromium now and then has no frame to give; it has one a moment later.
async function shoot(page, path, tries = 3) {
  try {
    await page.screenshot({ path, fullPage: true });
  } catch (error) {
    if (tries === 1) throw error;
    await page.waitForTimeout(500);
    await shoot(page, path, tries - 1);
  }
}

await mkdir(out, { recursive: true });
const browser = await launch();
const contexts = await visitors(browser, base, { person, prove, signIn, strengthen });
let taken = 0;
for (const style of LOOKS) {
  for (const context of Object.values(contexts)) await look(context, base, style);
  for (const entry of pagesIn(style).filter((page) => !only || page.name.startsWith(only))) {
    const page = await open(contexts, base, entry, WIDTHS[0]);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
      await shoot(page, join(out, `${entry.name}-${width}-${style.name}.png`));
      taken += 1;
    }
    await page.close();
  }
  console.error(`${style.name}: done`);
}
await browser.close();
console.log(JSON.stringify({ shots: taken, pages: PAGES.length, out }));
