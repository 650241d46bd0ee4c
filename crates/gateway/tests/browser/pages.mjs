// Every page of the portal, and how to get there. A page of the router that is not in this list fails the run.

import { readFile } from "node:fs/promises";

import { options } from "./browser.mjs";

// Files, not pages.
const FILES = ["/look-ups/export.json", "/look-ups/{id}/receipt.json", "/demo/portraits/{file}", "/reviews/{id}/pictures/{place}"];
// Where the router has a second address for a page.
const SAME = ["/strengthen/portrait/upload"];

// Presses the main button of a page, and waits for what comes.
const press = (selector) => async (page) => {
  await Promise.all([page.waitForNavigation(), page.locator(selector).first().click()]);
};
const typed = (values, then) => async (page) => {
  for (const [selector, value] of Object.entries(values)) {
    const field = page.locator(`[id="${selector}"]`);
    if ((await field.evaluate((e) => e.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  await then(page);
};
const send = press("main form.stack button.button");
const each = async (page) => {
  for (const step of ["main a.button[href$='step=form']"]) {
    if (await page.locator(step).count()) await press(step)(page);
  }
};
const lookUp = async (page) => {
  await each(page);
  await send(page);
};
// Where several sources have the record, region and freshness are chosen.
const choices = async (page) => {
  await each(page);
  for (const name of ["region", "freshness"]) await page.locator(`select[name=${name}]`).first().waitFor();
};
const toReview = press("main a[href^='/reviews/new']");
const ownKey = { "key.plate": "晋N35T08", "key.plate_class": "02" };
const otherKey = { "key.plate": "晋N10325", "key.plate_class": "02" };
const withKey = (key) => async (page) => {
  await each(page);
  await typed(key, send)(page);
};

// Brings an answer about by a switch of the played authorities, which is taken back at once.
const switched = (change, act) => async (page) => {
  const demo = await (await fetch(new URL("/demo", page.url()))).text();
  const authorities = /id="authorities">([^<]+)</u.exec(demo)[1];
  const body = JSON.stringify({ persona: "chen-weidong", ...change });
  await fetch(`${authorities}/_switch`, { method: "POST", body });
  await act(page).finally(() => fetch(`${authorities}/_switch`, { method: "DELETE" }));
};
// Looks up where no record may come: a page that shows one is not the page that it is named after.
const inVain = (act) => async (page) => {
  await act(page);
  if (await page.locator("main .result-found").count()) throw new Error(`${page.url()} shows a record`);
};
// What can come of a question besides a record: a page for each.
const fault = (name, change) => ({
  name: `fault-${name}`,
  route: "/look-up/{kind}",
  as: "L2",
  path: "/look-up/driving-licence",
  act: switched({ path: "traffic/licence/query", ...change }, inVain(lookUp)),
});
// Sends a form of the portal in somebody's name, without a page.
const sent = async (context, base, path, values) => {
  const help = await (await context.request.get(`${base}/help`)).text();
  const form = { form_token: /name="form_token" value="([^"]+)"/u.exec(help)[1], once: crypto.randomUUID(), ...values };
  return context.request.post(base + path, { form, maxRedirects: 0 });
};
// Somebody holds the only place in work, another one waits, and so do we.
const waitInLine = async (page, contexts, base, tries = 4) => {
  const { authorities } = options();
  const asked = async () => (await (await fetch(`${authorities}/_journal`)).json()).length;
  const before = await asked();
  await fetch(`${authorities}/_switch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ path: "traffic/licence/query", delay_ms: 2700, times: 1 }),
  });
  const held = sent(contexts.L3, base, "/look-up/driving-licence");
  while ((await asked()) === before) await page.waitForTimeout(20);
  await sent(contexts.L1, base, "/prove", { name: "王五", id_number: "11010519491231002X" });
  await sent(contexts.L2, base, "/look-up/driving-licence");
  // While it is looked at, it does not load itself again.
  await page.route("**/turn", async (route) => {
    const response = await route.fetch();
    const headers = response.headers();
    delete headers.refresh;
    await route.fulfill({ response, headers });
  });
  await page.goto(`${base}/turn`);
  await held;
  if (await page.locator("main form[action='/turn']").count()) return;
  if (tries === 1) throw new Error("nobody had to wait");
  await waitInLine(page, contexts, base, tries - 1);
};

// `as` is who looks: `guest`, or the level of who is signed in.
export const PAGES = [
  { name: "home", route: "/", as: "guest", path: "/" },
  { name: "home-unproven", route: "/", as: "L1", path: "/" },
  { name: "home-mine", route: "/", as: "L3", path: "/" },
  { name: "sign-in", route: "/sign-in", as: "guest", path: "/sign-in" },
  { name: "sign-in-wrong", route: "/sign-in", as: "guest", path: "/sign-in", act: typed({ phone: "12345" }, send) },
  {
    name: "sign-in-code",
    route: "/sign-in/code",
    as: "guest",
    path: "/sign-in",
    act: typed({ phone: "17900100001" }, send),
  },
  {
    name: "sign-in-code-wrong",
    route: "/sign-in/code",
    as: "guest",
    path: "/sign-in/code",
    act: typed({ code: "0000 0000" }, send),
  },
  { name: "prove", route: "/prove", as: "L1", path: "/prove" },
  {
    name: "prove-wrong",
    route: "/prove",
    as: "L1",
    path: "/prove",
    act: typed({ name: "王五", id_number: "110105194912310021" }, send),
  },
  { name: "step-up", route: "/mine", as: "L1", path: "/mine" },
  { name: "step-up-strong", route: "/look-up/{kind}", as: "L2", path: "/look-up/marriage" },
  { name: "strengthen", route: "/strengthen", as: "L2", path: "/strengthen" },
  { name: "portrait-consent", route: "/strengthen/portrait", as: "L2", path: "/strengthen/portrait" },
  {
    name: "portrait",
    route: "/strengthen/portrait",
    as: "L2",
    path: "/strengthen/portrait",
    act: async (page) => {
      await page.check("input[name=consent]");
      await send(page);
    },
  },
  { name: "reviews-none", route: "/reviews", as: "L1", path: "/reviews" },
  {
    name: "review-new",
    route: "/reviews/new",
    as: "L2",
    path: "/look-up/driving-licence",
    act: async (page) => {
      await lookUp(page);
      await toReview(page);
    },
  },
  {
    name: "review",
    route: "/reviews/{id}",
    as: "L2",
    path: "/look-up/driving-licence",
    // Answered after a day: a mended record would answer the questions of the looks that follow.
    act: switched({ answer_after_s: 86400 }, async (page) => {
      await lookUp(page);
      await toReview(page);
      await typed({ text: "准驾车型不对。" }, send)(page);
    }),
  },
  { name: "reviews", route: "/reviews", as: "L2", path: "/reviews" },
  { name: "mine", route: "/mine", as: "L2", path: "/mine" },
  { name: "mine-list", route: "/mine", as: "L2", path: "/mine", act: press("main form button.button") },
  { name: "look-up", route: "/look-up/{kind}", as: "L2", path: "/look-up/vehicle" },
  {
    name: "look-up-form",
    route: "/look-up/{kind}",
    as: "L2",
    path: "/look-up/vehicle",
    act: async (page) => {
      await each(page);
      for (const more of await page.locator("details").all()) await more.locator("summary").first().click();
    },
  },
  {
    name: "look-up-wrong",
    route: "/look-up/{kind}",
    as: "L2",
    path: "/look-up/vehicle",
    act: withKey({ "key.plate": "晋N3OT08", "key.plate_class": "02" }),
  },
  { name: "look-up-nothing", route: "/look-up/{kind}", as: "L2", path: "/look-up/vehicle", act: withKey(otherKey) },
  { name: "record-vehicle", route: "/look-up/{kind}", as: "L2", path: "/look-up/vehicle", act: withKey(ownKey) },
  {
    name: "record-differs",
    route: "/look-up/{kind}",
    as: "L2-other",
    path: "/look-up/vehicle-insurance",
    act: withKey({ "key.plate": "冀K88Z01", "key.plate_class": "02" }),
  },
  fault("not-filed", { outcome: "not_filed_yet" }),
  fault("expired", { outcome: "document_expired" }),
  fault("ambiguous", { outcome: "ambiguous" }),
  fault("maintenance", { outcome: "maintenance" }),
  fault("overloaded", { outcome: "overloaded" }),
  fault("broken", { fault: "close" }),
  fault("timed-out", { delay_ms: 9000 }),
  fault("cannot-compare", { outcome: "cannot_compare" }),
  fault("bad-answer", { fault: "not_json" }),
  {
    name: "fault-not-covered",
    route: "/look-up/{kind}",
    as: "L2",
    path: "/look-up/vehicle",
    act: switched({ path: "traffic/vehicle/query", outcome: "not_covered" }, inVain(withKey(ownKey))),
  },
  {
    name: "fault-mismatch",
    route: "/look-up/{kind}",
    as: "L2",
    path: "/look-up/identity",
    act: switched({ path: "population/identity/match", outcome: "mismatch" }, lookUp),
  },
  {
    name: "prove-child",
    route: "/prove",
    as: "L1",
    path: "/prove",
    act: typed({ name: "陈晓雨", id_number: "142221201408300282" }, send),
  },
  {
    name: "form-expired",
    route: "/vin",
    as: "guest",
    path: "/vin",
    act: async (page) => {
      await page.locator("main input[name=form_token]").evaluate((e) => (e.value = "00"));
      await page.fill("#vin", "LSVAA49J132047371");
      await press("main form.stack button")(page);
    },
  },
  {
    name: "fault-face",
    route: "/strengthen/portrait",
    as: "L2",
    path: "/strengthen/portrait",
    act: async (page) => {
      const drawn = await fetch(new URL("/demo/portraits/chen-weidong-blurred.png", page.url()));
      const buffer = Buffer.from(await drawn.arrayBuffer());
      await page.check("input[name=consent]");
      await send(page);
      await page.setInputFiles("input[type=file]", { name: "portrait.png", mimeType: "image/png", buffer });
      await send(page);
    },
  },
  { name: "record-licence", route: "/look-up/{kind}", as: "L2", path: "/look-up/driving-licence", act: lookUp },
  { name: "record-violations", route: "/look-up/{kind}", as: "L2", path: "/look-up/traffic-violations", act: lookUp },
  { name: "record-identity", route: "/look-up/{kind}", as: "L2", path: "/look-up/identity", act: lookUp },
  { name: "record-marriage", route: "/look-up/{kind}", as: "L3", path: "/look-up/marriage", act: lookUp },
  { name: "look-up-choices", route: "/look-up/{kind}", as: "L3", path: "/look-up/marriage", act: choices },
  {
    name: "record-staler",
    route: "/look-up/{kind}",
    as: "L3",
    path: "/look-up/marriage",
    act: switched({ persona: "zhao-xiaomin", path: "civil-affairs/marriage/query", outcome: "maintenance" }, async (page) => {
      await choices(page);
      await typed({ region: "320000" }, send)(page);
      if (!(await page.locator("main dl.strip + .statement").count())) throw new Error("nothing says that it is staler");
    }),
  },
  { name: "report-form", route: "/report/{kind}", as: "L2", path: "/report/vehicle" },
  { name: "report", route: "/report/{kind}", as: "L2", path: "/report/vehicle", act: withKey(ownKey) },
  { name: "turn-none", route: "/turn", as: "L3", path: "/turn" },
  { name: "turn", route: "/turn", as: "L2", path: "/help", act: waitInLine },
  { name: "look-ups", route: "/look-ups", as: "L2", path: "/look-ups" },
  { name: "look-ups-search", route: "/look-ups", as: "L2", path: "/look-ups?outcome=refused" },
  { name: "look-up-detail", route: "/look-ups/{id}", as: "L2", path: "/look-ups", act: press("main .line h2 a") },
  {
    name: "receipt",
    route: "/look-ups/{id}/receipt",
    as: "L2",
    path: "/look-ups",
    act: async (page) => {
      await press("main .line h2 a")(page);
      await press("main a[href$='/receipt']")(page);
    },
  },
  { name: "access-log", route: "/access-log", as: "L2", path: "/access-log" },
  {
    name: "access-log-open",
    route: "/access-log",
    as: "L2",
    path: "/access-log",
    act: async (page) => {
      for (const more of (await page.locator("main .line summary").all()).slice(0, 3)) await more.click();
    },
  },
  { name: "access-log-account", route: "/access-log", as: "L2", path: "/access-log?of=account" },
  { name: "verify", route: "/verify", as: "guest", path: "/verify" },
  {
    name: "verify-true",
    route: "/verify",
    as: "L2",
    path: "/look-ups",
    act: async (page) => {
      await press("main .line h2 a")(page);
      await page.click("main a[href^='/verify#']");
      await page.waitForSelector("#verdict:not([hidden])");
    },
  },
  {
    name: "verify-false",
    route: "/verify",
    as: "guest",
    path: "/verify",
    act: async (page) => {
      await page.fill("#receipt-text", "{}");
      await page.click("#verifier button");
      await page.waitForSelector("#verdict:not([hidden])");
    },
  },
  { name: "vin", route: "/vin", as: "guest", path: "/vin" },
  {
    name: "vin-found",
    route: "/vin",
    as: "guest",
    path: "/vin",
    act: async (page) => {
      await page.fill("#vin", "LSVAA49J132047371");
      await page.click("main form button");
      await page.waitForSelector("#found");
    },
  },
  {
    name: "vin-compared",
    route: "/vin",
    as: "L2",
    path: "/look-up/vehicle",
    act: async (page) => {
      await withKey(ownKey)(page);
      await press("main form[action='/vin'] button")(page);
      await page.fill("#vin", "LSVAA49J132047371");
      await press("main form.stack button")(page);
    },
  },
  { name: "coverage", route: "/coverage", as: "guest", path: "/coverage" },
  { name: "genuine", route: "/genuine", as: "guest", path: "/genuine" },
  { name: "help", route: "/help", as: "guest", path: "/help" },
  { name: "privacy", route: "/privacy", as: "guest", path: "/privacy" },
  { name: "account", route: "/account", as: "L2", path: "/account" },
  { name: "erase", route: "/account/erase", as: "L2", path: "/account/erase" },
  { name: "erased", route: "/account/erased", as: "guest", path: "/account/erased" },
  { name: "not-found", route: "/", as: "guest", path: "/no-such-page" },
  { name: "demo", route: "/demo", as: "guest", path: "/demo" },
  { name: "outbox", route: "/demo/outbox", as: "guest", path: "/demo/outbox" },
];

// What elder mode builds otherwise: one step a page, fewer links and words, answers without what is seldom needed.
const BUILT_OTHERWISE = [
  "home",
  "home-unproven",
  "home-mine",
  "sign-in",
  "prove",
  "look-up",
  "look-up-form",
  "look-up-wrong",
  "record-vehicle",
  "record-licence",
  "record-marriage",
  "report-form",
  "report",
  "turn",
  "look-ups",
  "look-up-detail",
];

// The pages that are visited in that look.
export function pagesIn({ onlyBuiltOtherwise }) {
  if (!onlyBuiltOtherwise) return PAGES;
  const gone = BUILT_OTHERWISE.filter((name) => !PAGES.some((page) => page.name === name));
  if (gone.length > 0) throw new Error(`no such pages: ${gone.join(", ")}`);
  return PAGES.filter((page) => BUILT_OTHERWISE.includes(page.name));
}

// The pages of the router that this list does not have.
export async function missing() {
  const router = await readFile(new URL("../../src/router.rs", import.meta.url), "utf8");
  const portal = router.slice(router.indexOf("fn portal_routes"), router.indexOf("\n}", router.indexOf("fn portal_routes")));
  const routes = [...portal.matchAll(/\.route\(\s*"([^"]+)",\s*get\(/gu)].map(([, route]) => route);
  if (routes.length < 20) throw new Error("the pages of router.rs were not found");
  const known = new Set([...PAGES.map((page) => page.route), ...FILES, ...SAME]);
  return routes.filter((route) => !known.has(route));
}

// Dates and file inputs as a Chinese browser shows them.
const CHINESE = { locale: "zh-CN" };

// Contexts of a guest and of people at each level, made once.
export async function visitors(browser, base, tools) {
  const made = { guest: await browser.newContext(CHINESE) };
  const people = {
    L1: "liu-zhiqiang",
    L2: "chen-weidong",
    "L2-other": "mao-new-plate",
    L3: "zhao-xiaomin",
  };
  for (const [level, id] of Object.entries(people)) {
    const context = await browser.newContext(CHINESE);
    const page = await context.newPage();
    const who = await tools.person(page, base, id);
    await tools.signIn(page, base, who);
    if (level !== "L1") await tools.prove(page, base, who);
    if (level === "L3") await tools.strengthen(page, base);
    await page.close();
    made[level] = context;
  }
  return made;
}

// Opens a page in the context of who looks at it.
export async function open(contexts, base, entry, width) {
  const page = await contexts[entry.as].newPage();
  await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
  await page.goto(base + entry.path);
  if (entry.act) await entry.act(page, contexts, base);
  return page;
}
