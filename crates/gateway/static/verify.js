// Verifies a receipt in the browser, as `mingcha verify` does on the command line: convenience, not proof.
//
// A receipt is the shared opening with its salt, the commitment to the chain opening, and a tlog-proof. The steps:
// read the one form a receipt has; hash the leaf; follow the inclusion proof to the root; check the checkpoint's
// Ed25519 signature by the log's public key. Nothing is sent anywhere.

const MAX_RECEIPT = 300_000;
const HEADER = "c2sp.org/tlog-proof@v1";
const utf8 = new TextEncoder();

// A reason why there is no good verdict; its code names the sentence.
export class Doubt extends Error {}
const doubt = (code) => {
  throw new Doubt(code);
};

// Verifies; throws a Doubt. `key` is a verifier key: name+id+base64(type, public key).
export async function verify(text, key) {
  if (text.trim() === "") doubt("empty");
  if (text.length > MAX_RECEIPT) doubt("too-long");
  const receipt = readReceipt(text);
  const proof = readProof(receipt.proof);
  const vkey = await readKey(key);
  const note = readNote(proof.checkpoint);
  const [origin, size, root] = readCheckpoint(note.text);
  await checkSignature(note, origin, vkey);
  const leaf = await leafHash(origin, receipt);
  const reached = await rootFrom(leaf, proof.index, size, proof.hashes);
  if (reached === null || !same(reached, root)) doubt("not-in-log");
  let content;
  try {
    content = readCbor(receipt.shared);
  } catch {
    doubt("opening");
  }
  return { origin, size, index: proof.index, leaf, content, hasSm2: note.lines.length > 1 };
}

// The one form of a receipt: a fixed JSON text with four gaps.
function readReceipt(text) {
  const form =
    /^\{"format":"mingcha-receipt-v1","shared":"([\w-]*)","shared_salt":"([\w-]{43})","chain_commitment":"([\w-]{43})","proof":"((?:[^"\\\n]|\\n|\\"|\\\\)*)"\}$/u;
  const parts = form.exec(text) ?? doubt("not-canonical");
  const proof = parts[4].replace(/\\(n|"|\\)/gu, (_, c) => (c === "n" ? "\n" : c));
  const [shared, salt, chain] = [1, 2, 3].map((i) => fromBase64(parts[i], true) ?? doubt("not-canonical"));
  return { shared, salt, chain, proof };
}

function readProof(text) {
  const cut = text.indexOf("\n\n");
  if (cut < 0) doubt("proof");
  const [header, index, ...hashes] = text.slice(0, cut).split("\n");
  const number = /^index (0|[1-9]\d{0,18})$/u.exec(index ?? "");
  if (header !== HEADER || !number || hashes.length > 64) doubt("proof");
  return { index: BigInt(number[1]), hashes: hashes.map(readHash), checkpoint: text.slice(cut + 2) };
}

function readHash(text) {
  const bytes = fromBase64(text, false);
  return bytes?.length === 32 ? bytes : doubt("proof");
}

function readNote(note) {
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0 || !note.endsWith("\n")) doubt("proof");
  const lines = note.slice(blank + 2, -1).split("\n").map((line) => {
    const parts = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? doubt("proof");
    const bytes = fromBase64(parts[2], false) ?? doubt("proof");
    return { name: parts[1], id: hex(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
  return { text: note.slice(0, blank + 1), lines };
}

function readCheckpoint(text) {
  const parts = /^(\S+)\n(0|[1-9]\d{0,18})\n(\S{44})\n$/u.exec(text) ?? doubt("proof");
  return [parts[1], BigInt(parts[2]), readHash(parts[3])];
}

async function readKey(text) {
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text.trim()) ?? doubt("key");
  const bytes = fromBase64(parts[3], false) ?? doubt("key");
  if (bytes.length !== 33 || bytes[0] !== 1) doubt("key");
  const id = hex((await sha256(utf8.encode(`${parts[1]}\n`), bytes)).slice(0, 4));
  if (id !== parts[2]) doubt("key");
  return { name: parts[1], id, publicKey: bytes.slice(1) };
}

async function checkSignature(note, origin, key) {
  const lines = note.lines.filter((line) => line.name === key.name && line.id === key.id);
  if (key.name !== origin || lines.length === 0) doubt("key-unknown");
  if (lines.length > 1) doubt("signature");
  const [{ signature }] = lines;
  const good = signature.length === 64 && (await ed25519(key.publicKey, signature, utf8.encode(note.text)));
  if (!good) doubt("signature");
}

async function leafHash(origin, receipt) {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, receipt.shared.length);
  const shared = await sha256([0x02, 0x73], receipt.salt, length, receipt.shared);
  const name = await sha256(utf8.encode(origin));
  const inner = await sha256([0x01], utf8.encode("mingcha-leaf-v1"), name, shared, receipt.chain);
  return sha256([0x00], [0x01], inner);
}

// RFC 9162, section 2.1.3.2.
async function rootFrom(leaf, index, size, hashes) {
  if (index >= size) return null;
  let [node, last, hash] = [index, size - 1n, leaf];
  for (const sibling of hashes) {
    if (last === 0n) return null;
    if (node & 1n || node === last) {
      hash = await sha256([0x01], sibling, hash);
      while (!(node & 1n) && node !== 0n) [node, last] = [node >> 1n, last >> 1n];
    } else {
      hash = await sha256([0x01], hash, sibling);
    }
    [node, last] = [node >> 1n, last >> 1n];
  }
  return last === 0n ? hash : null;
}

// Deterministic CBOR of the few types that openings have; anything else is refused.
export function readCbor(bytes) {
  let at = 0;
  const fail = () => {
    throw new Error("CBOR");
  };
  const take = (n) => (at + n <= bytes.length ? bytes.slice(at, (at += n)) : fail());
  const head = () => {
    const first = take(1)[0];
    const [major, info] = [first >> 5, first & 31];
    if (info < 24) return [major, BigInt(info)];
    if (info > 27) fail();
    const argument = take(1 << (info - 24)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const least = [24n, 0x100n, 0x10000n, 0x100000000n][info - 24];
    return argument < least ? fail() : [major, argument];
  };
  const value = (depth) => {
    if (depth > 16) fail();
    if (bytes[at] >= 0xf4 && bytes[at] <= 0xf6) return [false, true, null][take(1)[0] - 0xf4];
    const [major, argument] = head();
    const count = argument > BigInt(bytes.length) && major > 1 ? fail() : Number(argument);
    switch (major) {
      case 0: return argument;
      case 1: return -1n - argument;
      case 2: return take(count);
      case 3: return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(count));
      case 4: return Array.from({ length: count }, () => value(depth + 1));
      case 5: return new Map(Array.from({ length: count }, () => [value(depth + 1), value(depth + 1)]));
      default: return fail();
    }
  };
  const read = value(0);
  return at === bytes.length && read instanceof Map ? read : fail();
}

async function sha256(...parts) {
  const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
  return new Uint8Array(await subtle().digest("SHA-256", whole));
}

const subtle = () => globalThis.crypto?.subtle ?? doubt("no-crypto");

async function ed25519(publicKey, signature, message) {
  let key;
  try {
    key = await subtle().importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    // Web views without Ed25519 get the plain arithmetic; nothing in it is secret.
    if (error.name !== "NotSupportedError" && error.name !== "SyntaxError") return false;
    return slowEd25519(publicKey, signature, message);
  }
  return subtle().verify({ name: "Ed25519" }, key, signature, message);
}

// RFC 8032, section 5.1.7, in big integers: half a second on an old phone.
export async function slowEd25519(publicKey, signature, message) {
  const P = 2n ** 255n - 19n;
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const mod = (a) => ((a % P) + P) % P;
  const power = (base, exponent) => {
    let result = 1n;
    for (base = mod(base); exponent > 0n; exponent >>= 1n, base = mod(base * base)) {
      if (exponent & 1n) result = mod(result * base);
    }
    return result;
  };
  const D = mod(-121665n * power(121666n, P - 2n));
  const little = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const point = (bytes) => {
    const whole = little(bytes);
    const [y, sign] = [whole & (2n ** 255n - 1n), whole >> 255n];
    if (y >= P) return null;
    const [u, v] = [mod(y * y - 1n), mod(D * y * y + 1n)];
    let x = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n));
    if (mod(v * x * x) === mod(-u)) x = mod(x * power(2n, (P - 1n) / 4n));
    if (mod(v * x * x) !== u || (x === 0n && sign === 1n)) return null;
    if ((x & 1n) !== sign) x = P - x;
    return [x, y, 1n, mod(x * y)];
  };
  const add = ([x1, y1, z1, t1], [x2, y2, z2, t2]) => {
    const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
    const [c, d] = [mod(2n * t1 * t2 * D), mod(2n * z1 * z2)];
    const [e, f, g, h] = [b - a, d - c, d + c, b + a];
    return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
  };
  const times = (p, n) => {
    let result = [0n, 1n, 1n, 0n];
    for (; n > 0n; n >>= 1n, p = add(p, p)) if (n & 1n) result = add(result, p);
    return result;
  };
  const equal = (p, q) => mod(p[0] * q[2]) === mod(q[0] * p[2]) && mod(p[1] * q[2]) === mod(q[1] * p[2]);
  const [a, r, s] = [point(publicKey), point(signature.slice(0, 32)), little(signature.slice(32))];
  const zero = [0n, 1n, 1n, 0n];
  if (!a || !r || s >= L || equal(times(a, 8n), zero) || equal(times(r, 8n), zero)) return false;
  const whole = Uint8Array.from([...signature.slice(0, 32), ...publicKey, ...message]);
  const k = little(new Uint8Array(await subtle().digest("SHA-512", whole))) % L;
  const base = point(Uint8Array.from([0x58, ...Array(31).fill(0x66)]));
  return equal(times(base, s), add(r, times(a, k)));
}

function fromBase64(text, url) {
  const plain = url ? text.replaceAll("-", "+").replaceAll("_", "/") : text;
  let bytes;
  try {
    bytes = Uint8Array.from(atob(plain), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
  // One text for the same bytes: what is written again must be what was read.
  const again = btoa(String.fromCharCode(...bytes));
  return (url ? again.replace(/=+$/u, "") : again) === plain ? bytes : null;
}

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

// The page.

function start(form) {
  const [file, text, key] = ["receipt-file", "receipt-text", "log-key"].map((id) => document.getElementById(id));
  form.hidden = false;
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    // The file as it is: what a text field would smooth away is a change too.
    const bytes = await file.files[0].arrayBuffer();
    let receipt;
    try {
      receipt = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return show("false", "not-canonical");
    }
    text.value = receipt;
    await judge(receipt, key.value);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await judge(text.value.trim(), key.value);
  });
  const asked = /^#look-up=([0-9a-f-]{36})$/u.exec(location.hash);
  if (asked) fetchReceipt(asked[1], text, key);
}

// From the page of a look-up of one's own, the receipt comes along.
async function fetchReceipt(id, text, key) {
  const response = await fetch(`/look-ups/${id}/receipt.json`, { redirect: "error" }).catch(() => null);
  if (!response?.ok) return show("unknown", "fetch");
  const receipt = await response.text();
  text.value = receipt;
  return judge(receipt, key.value);
}

async function judge(text, key) {
  try {
    show("true", null, await verify(text, key));
  } catch (error) {
    const code = error instanceof Doubt ? error.message : "not-canonical";
    show(["empty", "key", "key-unknown", "no-crypto"].includes(code) ? "unknown" : "false", code);
  }
}

function show(verdict, why, found) {
  const box = document.getElementById("verdict");
  const say = (name) => box.getAttribute(`data-${name}`);
  const element = (name, content, className) => {
    const made = document.createElement(name);
    made.textContent = content;
    if (className) made.className = className;
    return made;
  };
  box.hidden = false;
  box.className = `verdict verdict-${verdict}`;
  box.replaceChildren(element("h2", say(verdict)), element("p", why ? say(`why-${why}`) : say("true-about")));
  if (!found) return;
  if (found.hasSm2) box.append(element("p", say("sm2"), "small"));
  const list = element("dl", "", "plain");
  const row = (label, content) => {
    const pair = element("div", "");
    pair.append(element("dt", label), element("dd", content, "number"));
    list.append(pair);
  };
  row(say("log"), found.origin);
  row(say("log-index"), String(found.index));
  row(say("log-size"), String(found.size));
  row(say("leaf"), hex(found.leaf));
  const content = element("dl", "", "plain");
  for (const [name, value] of found.content) {
    const pair = element("div", "");
    pair.append(element("dt", name), element("dd", readable(name, value), "number"));
    content.append(pair);
  }
  const more = document.createElement("details");
  more.append(element("summary", say("content")), content);
  box.append(list, more);
}

function readable(name, value) {
  if (["time", "as_of", "deadline"].includes(name)) return new Date(Number(value / 1000n)).toISOString();
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof Map) return [...value.keys()].join(", ");
  return Array.isArray(value) ? value.join(", ") : String(value);
}

const form = globalThis.document?.getElementById("verifier");
if (form) start(form);
