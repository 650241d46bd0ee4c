// The journey of one person through the portal, and the same promises on every page: no violation of axe-core, no
// breach of the content security policy, targets that a finger finds, a focus that is seen, nothing that needs JavaScript
// but verifying.
//
//   node portal.spec.mjs --base http://127.0.0.1:8700

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { webcrypto } from "node:crypto";

import { LOOKS, WIDTHS, launch, look, options, person, prove, signIn, strengthen } from "./browser.mjs";
import { PAGES, missing, open, pagesIn, visitors } from "./pages.mjs";

// The page's own verifier, as text: older runtimes take a file of this name for another kind of module.
const VERIFIER = await readFile(new URL("../../static/verify.js", import.meta.url), "utf8");
const { slowEd25519, verify } = await import(`data:text/javascript,${encodeURIComponent(VERIFIER)}`);
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { base, only } = options();
const browser = await launch();
const failures = [];
let checked = 0;
// Changed bits of the second signature line that the page's verifier, given one key, does not notice.
let unnoticed = 0;

async function step(name, check) {
  if (only && !name.startsWith(only)) return;
  try {
    await check();
    checked += 1;
  } catch (error) {
    failures.push(`${name}: ${error.message}`);
    console.error(`FAILED ${name}\n  ${error.message.replaceAll("\n", "\n  ")}`);
  }
}

// What every page promises.

async function axe(page, elder) {
  // The policy forbids scripts from elsewhere: axe is put in by the debugger, which stands above it.
  const rules = elder ? { "color-contrast-enhanced": { enabled: true } } : {};
  const result = await page.evaluate(`${AXE}; axe.run(document, ${JSON.stringify({
    rules,
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", ...(elder ? ["wcag2aaa"] : [])],
  })})`);
  const told = result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  assert.ok(told.length === 0, told.join("\n"));
}

async function targets(page, least) {
  const small = await page.evaluate((wanted) => {
    const all = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary");
    const seen = [...all].filter((e) => e.checkVisibility?.() ?? e.offsetParent);
    // A box or a dot is as large as the label around it.
    const area = (e) => (e.matches("[type=checkbox], [type=radio]") ? e.closest("label") : e).getBoundingClientRect();
    const isSmall = (e) => !e.matches(".skip") && Math.min(area(e).height, area(e).width) < wanted - 0.5;
    const size = (e) => `${Math.round(area(e).width)}×${Math.round(area(e).height)}px`;
    return seen.filter(isSmall).map((e) => `${size(e)} ${e.outerHTML.slice(0, 120)}`);
  }, least);
  assert.ok(small.length === 0, small.join("\n"));
}

async function fits(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
}

// A VIN, and what is shorter, stands on one line: people compare it character by character.
async function numbersAreWhole(page) {
  const broken = await page.locator("span.value.number").evaluateAll((all) =>
    all.filter((e) => e.textContent.trim().length <= 17 && e.getClientRects().length > 1).map((e) => e.textContent),
  );
  assert.ok(broken.length === 0, `broken over two lines: ${broken.join(", ")}`);
}

await step("every page of the router is known", async () => assert.deepEqual(await missing(), []));

const contexts = await visitors(browser, base, { person, prove, signIn, strengthen });
for (const style of LOOKS) {
  for (const context of Object.values(contexts)) await look(context, base, style);
  for (const entry of pagesIn(style)) {
    await step(`${entry.name} ${style.name}`, async () => {
      const context = contexts[entry.as];
      const complaints = [];
      const listen = (page) => page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
      context.on("page", listen);
      const page = await open(contexts, base, entry, WIDTHS[0]);
      context.off("page", listen);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        await fits(page);
        await numbersAreWhole(page);
        await targets(page, style.elder === "1" ? 60 : 44);
        await axe(page, style.elder === "1");
      }
      await page.close();
      const real = complaints.filter((text) => !/status of 40[034]/u.test(text));
      assert.ok(real.length === 0, real.join("\n"));
    });
  }
}

// Without a mouse.

// Where the Tab key is now: what is there, whether it is seen by an outline of its own or of the card that it covers, and
// whether it lies on the screen. None once the key has left the page.
function stop(nth) {
  const at = document.activeElement;
  if (!at || at === document.body || (nth > 0 && at.matches(".skip"))) return null;
  // A browser's own ring is 1 px wide; two are the least that is easily seen (WCAG 2.4.13).
  const outlined = (element) => {
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    const isClear = /^rgba\(.*, 0\)$/u.test(outlineColor);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !isClear;
  };
  const box = at.getBoundingClientRect();
  const fits = box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
  return {
    what: at.outerHTML.slice(0, 120),
    isSkip: at.matches(".skip"),
    seen: outlined(at) || (at.matches(".cover") && outlined(at.closest(".card"))),
    onScreen: fits,
  };
}

for (const context of Object.values(contexts)) await look(context, base, LOOKS[0]);
for (const name of ["home", "home-mine", "sign-in", "record-vehicle"]) {
  await step(`whoever goes through ${name} by the Tab key sees where they are`, async () => {
    const page = await open(contexts, base, PAGES.find((entry) => entry.name === name), WIDTHS[1]);
    const stops = [];
    // More than any page has: who never leaves is caught.
    while (stops.length < 200) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(`(${stop})(${stops.length})`);
      if (!found) break;
      stops.push(found);
    }
    const [first] = stops;
    assert.ok(first?.isSkip && first.onScreen, `the way to the content comes first, and is shown: ${JSON.stringify(first)}`);
    assert.ok(stops.length >= 10 && stops.length < 200, `${stops.length} stops`);
    const unseen = stops.filter((one) => !one.seen).map((one) => one.what);
    assert.ok(unseen.length === 0, `without an outline: ${unseen.join("\n")}`);
    await page.close();
  });
}
await step("the first stop leads past the navigation to the content", async () => {
  const page = await open(contexts, base, PAGES.find((entry) => entry.name === "home"), WIDTHS[1]);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.closest("main") !== null));
  await page.close();
});
for (const context of Object.values(contexts)) await context.close();

// One person's journey, without JavaScript as far as it goes.

const who = { id: "chen-siyuan" };
const plain = await browser.newContext({ javaScriptEnabled: false, locale: "zh-CN" });
const page = await plain.newPage();
let receipt;
let key;

await step("journey without JavaScript: sign in, prove, look up, keep the receipt", async () => {
  // Reading the page of people needs scripts of ours only, not of the page.
  await page.goto(`${base}/demo`);
  const row = page.locator(`tr#${who.id} td`);
  const cell = async (n) => (await row.nth(n).innerText()).split("\n").at(-1).trim();
  Object.assign(who, { name: await cell(0), phone: await cell(1), idNumber: await cell(2) });
  await signIn(page, base, who);
  await page.goto(`${base}/mine`);
  assert.match(await page.innerText("h1"), /还差一步/u, "a phone alone opens no records");
  await page.click("main a.button");
  await page.fill("#name", who.name);
  await page.fill("#id_number", who.idNumber);
  await page.click("main form[action='/prove'] button");
  await page.waitForURL(`${base}/mine`);
  await page.click("main form button.button");
  await page.click("main .thing form button");
  const parts = await page.locator("article.part").count();
  assert.ok(parts >= 2, `a report has parts, this one ${parts}`);
  assert.equal(await page.locator("article.part dl.strip").count(), parts, "each part has its own source");
  const href = await page.locator("a[href$='/receipt.json']").first().getAttribute("href");
  const response = await plain.request.get(base + href);
  receipt = await response.text();
  await page.goto(`${base}/verify`);
  assert.match(await page.innerText("main"), /JavaScript/u);
  key = (await page.locator("#log-key").textContent()).trim();
});

await step("what was looked up stands in both lists", async () => {
  await page.goto(`${base}/look-ups`);
  assert.ok((await page.locator(".line").count()) >= 5);
  await page.goto(`${base}/access-log`);
  assert.ok((await page.locator(".line .who", { hasText: "本人" }).count()) >= 5);
  await page.goto(`${base}/access-log?of=account`);
  assert.match(await page.innerText("main"), /登录/u);
});

await step("hidden look-ups leave the list and come back", async () => {
  await page.goto(`${base}/look-ups`);
  const before = await page.locator(".line").count();
  await page.locator(".line h2 a").first().click();
  await page.click("button[name=hidden]");
  await page.goto(`${base}/look-ups`);
  assert.equal(await page.locator(".line").count(), before - 1);
  await page.goto(`${base}/look-ups?hidden=1`);
  assert.equal(await page.locator(".line").count(), before);
});

await step("another person's plate is answered like one that nobody has", async () => {
  const answer = async (plate) => {
    await page.goto(`${base}/look-up/vehicle`);
    await page.fill("[id='key.plate']", plate);
    await page.click("main form.stack button.button");
    return (await page.innerText("article")).replaceAll(/\d{4}年.*\d{2}:\d{2}/gu, "TIME");
  };
  assert.equal(await answer("晋N35T08"), await answer("晋N00001"));
});

await step("sending the same form again gives the same look-up", async () => {
  await page.goto(`${base}/look-up/driving-licence`);
  const form = await page.locator("main form.stack").first().evaluate((f) => Object.fromEntries(new FormData(f)));
  const post = async () => (await plain.request.post(`${base}/look-up/driving-licence`, { form })).text();
  const id = (html) => /look-ups\/([0-9a-f-]{36})/u.exec(html)?.[1];
  const [first, second] = [id(await post()), id(await post())];
  assert.ok(first && first === second);
});

await step("a picture of a record is shown, by who looked it up and nobody else", async () => {
  const context = await browser.newContext({ locale: "zh-CN" });
  const tab = await context.newPage();
  const driver = await person(tab, base, "chen-weidong");
  await signIn(tab, base, driver);
  await prove(tab, base, driver);
  await tab.goto(`${base}/look-up/traffic-violations`);
  await tab.click("main form.stack button.button");
  const form = tab.locator("form[action$='/image']").first();
  const fields = await form.evaluate((f) => Object.fromEntries(new FormData(f)));
  const address = base + (await form.getAttribute("action"));
  const image = await context.request.post(address, { form: fields });
  assert.equal(image.status(), 200);
  assert.match(image.headers()["content-type"], /^image\//u);
  assert.match(image.headers()["content-security-policy"], /sandbox/u);
  await page.goto(`${base}/account`);
  const token = await page.locator("[name=form_token]").first().inputValue();
  const stranger = await plain.request.post(address, { form: { ...fields, form_token: token } });
  assert.equal(stranger.status(), 404);
  await context.close();
});

await step("what is masked is shown on tap at L3, and only what was tapped", async () => {
  const context = await browser.newContext({ locale: "zh-CN" });
  const tab = await context.newPage();
  const wife = await person(tab, base, "xu-jing");
  await signIn(tab, base, wife);
  await prove(tab, base, wife);
  await strengthen(tab, base);
  await tab.goto(`${base}/look-up/marriage`);
  await tab.click("main form.stack button.button");
  assert.match(await tab.innerText("article"), /孙＊＊/u);
  await tab.click("main form.inline button");
  const shown = await tab.innerText("article");
  assert.match(shown, /孙海涛/u);
  assert.match(shown, /352\*+72/u, "the number stays masked");
  assert.match(shown, /非加盖公章证明/u);
  await context.close();
});

await step("a form without its token is refused", async () => {
  const response = await plain.request.post(`${base}/look-up/driving-licence`, { form: { once: "x" } });
  assert.equal(response.status(), 403);
  assert.match(await response.text(), /FORM_EXPIRED/u);
});

await step("nobody is led to another site", async () => {
  await page.goto(`${base}/sign-in?next=https%3A%2F%2Fevil.example%2F`);
  assert.equal(new URL(page.url()).origin, new URL(base).origin);
});

await step("signing out ends it", async () => {
  await page.goto(`${base}/account`);
  await page.click("form[action='/sign-out'] button");
  await page.goto(`${base}/look-ups`);
  assert.match(page.url(), /\/sign-in\?next=%2Flook-ups$/u);
});

// The verifier of the browser.

await step("the receipt verifies, and nothing changed in it does", async () => {
  const found = await verify(receipt, key);
  assert.equal(found.content.get("type"), "RELEASE");
  const bytes = new TextEncoder().encode(receipt);
  const [from, to] = secondLine(bytes);
  for (let i = 0; i < bytes.length; i += 1) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      const changed = Uint8Array.from(bytes);
      changed[i] ^= bit;
      // Bytes that are no UTF-8 come to the page as a character that no receipt has.
      const text = new TextDecoder().decode(changed);
      const good = await verify(text, key).then(() => true, () => false);
      if (good && i >= from && i < to) unnoticed += 1;
      else assert.ok(!good, `byte ${i}, bit ${bit} was not noticed`);
    }
  }
});

// Where the second signature line is, by SM2. Its key is not given here, and a line of a key that was not given is
// nobody's promise: the program, given both keys, refuses every change of it. What is not noticed is counted apart.
function secondLine(bytes) {
  const text = new TextDecoder().decode(bytes);
  const at = text.indexOf("—", text.indexOf("—") + 1);
  if (at < 0) return [bytes.length, bytes.length];
  const until = (end) => new TextEncoder().encode(text.slice(0, end)).length;
  return [until(at), until(text.indexOf("\\n", at))];
}

await step("the plain arithmetic agrees with the library", async () => {
  const pair = await webcrypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const publicKey = new Uint8Array(await webcrypto.subtle.exportKey("raw", pair.publicKey));
  const message = new TextEncoder().encode("checkpoint");
  const signature = new Uint8Array(await webcrypto.subtle.sign("Ed25519", pair.privateKey, message));
  assert.equal(await slowEd25519(publicKey, signature, message), true);
  for (let i = 0; i < 64; i += 5) {
    const changed = Uint8Array.from(signature);
    changed[i] ^= 1;
    assert.equal(await slowEd25519(publicKey, changed, message), false, `byte ${i}`);
  }
  assert.equal(await slowEd25519(publicKey, signature, new TextEncoder().encode("checkpoint2")), false);
});

// What the page says of this text.
async function verdict(tab, text) {
  await tab.goto(`${base}/verify`);
  await tab.fill("#receipt-text", text);
  await tab.click("#verifier button");
  await tab.waitForSelector("#verdict:not([hidden])");
  return tab.locator("#verdict").getAttribute("class");
}

await step("the page tells true from false", async () => {
  const context = await browser.newContext();
  const tab = await context.newPage();
  assert.match(await verdict(tab, receipt), /verdict-true/u);
  assert.match(await verdict(tab, receipt.replace("index ", "index 1")), /verdict-false/u);
  assert.match(await verdict(tab, `${receipt.slice(0, 100)}`), /verdict-false/u);
  await context.close();
});

// The receipt with another signature of the same length: whatever else it says is as it was.
function otherSignature() {
  const [line, before, signature] = /(— \S+ )([\w+/=]+)/u.exec(receipt);
  const middle = signature.length >> 1;
  const other = signature[middle] === "A" ? "B" : "A";
  return receipt.replace(line, before + signature.slice(0, middle) + other + signature.slice(middle + 1));
}

// By either of the errors with which browsers refuse what they do not know.
for (const refusal of ["NotSupportedError", "SyntaxError"]) {
  await step(`a browser without Ed25519 (${refusal}) tells true from false too`, async () => {
    const context = await browser.newContext();
    await context.addInitScript((name) => {
      // The empty page before the first one has no cryptography at all.
      if (!globalThis.SubtleCrypto) return;
      const { importKey } = SubtleCrypto.prototype;
      globalThis.refused = 0;
      SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...more) {
        if ((algorithm.name ?? algorithm) !== "Ed25519") return importKey.call(this, format, key, algorithm, ...more);
        globalThis.refused += 1;
        return Promise.reject(new DOMException("no Ed25519 here", name));
      };
    }, refusal);
    const tab = await context.newPage();
    assert.match(await verdict(tab, receipt), /verdict-true/u);
    assert.equal(await tab.evaluate(() => globalThis.refused), 1, "the page asked for Ed25519, and did not get it");
    assert.match(await verdict(tab, otherSignature()), /verdict-false/u);
    assert.match(await verdict(tab, receipt.replace("index ", "index 1")), /verdict-false/u);
    await context.close();
  });
}

await browser.close();
console.log(
  JSON.stringify({ spec: "portal", checked, failed: failures.length, second_line_unnoticed: unnoticed }),
);
process.exit(failures.length === 0 ? 0 : 1);
