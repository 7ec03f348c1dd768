// === The server ===

async function ask(method, path, { body, bearer } = {}) {
  const headers = { "X-Device-Id": device };
  if (body) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${session?.access}`;
  let answer;
  try {
    const request = { method, headers, body: body && JSON.stringify(body) };
    answer = await fetch(path, { ...request, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch {
    return { ok: false, status: 0, wait: 0, data: {} };
  }
  show(method, path.startsWith("/v1/sessions/") ? "/v1/sessions/…" : path, answer);
  const data = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After") ?? data.retry_after ?? 0);
  if (["rate-limited", "blocked"].includes(data.slug) && wait > 0) hold(data.slug, wait);
  return { ok: answer.ok, status: answer.status, wait, data };
}

function show(method, path, answer) {
  at("asked").textContent = `${method} ${path}`;
  at("answered").textContent = answer.status;
  at("answered").className = answer.ok ? "good" : "bad";
  for (const name of ["ratelimit", "ratelimit-policy", "retry-after"]) {
    at(name).textContent = answer.headers.get(name) ?? "–";
  }
  const policies = parameters(answer.headers.get("RateLimit-Policy"));
  for (const [name, { r, t }] of parameters(answer.headers.get("RateLimit"))) {
    const { q } = policies.get(name) ?? {};
    if (q) meter(name, r, q, t);
  }
}

// A list of `"name";r=19;t=1`, a structured field (RFC 9651).
function parameters(field) {
  const items = (field ?? "").matchAll(/"([^"]*)"((?:;[a-z]+=\d+)*)/g);
  const pairs = (text) => [...text.matchAll(/;([a-z]+)=(\d+)/g)].map(([, name, value]) => [name, Number(value)]);
  return new Map([...items].map(([, name, text]) => [name, Object.fromEntries(pairs(text))]));
}

function words({ status, wait, data }) {
  const left = data.attempts_remaining;
  switch (data.slug) {
    case "phone-invalid": return "Nobody can have this number. Is the country code right?";
    case "otp-invalid":
      if (left === 0) return "No attempts are left for this code. Begin again with your number.";
      if (left > 0) return `This is not the code. ${left === 1 ? "One attempt is" : `${left} attempts are`} left.`;
      return "The code is not valid any more. Begin again with your number.";
    case "otp-exhausted": return "This code cannot be sent again. Begin again with your number.";
    case "device-mismatch": return "The code was asked for by another browser. Begin again with your number.";
    case "cooldown": return `A code was sent a moment ago. The next one can be had in ${span(wait)}.`;
    case "rate-limited": return `That is too much. There is room again in ${span(wait)}.`;
    case "blocked": return `Blocked for ${span(wait)}. The terminal in which portcullis runs says why.`;
    case "token-missing":
    case "token-invalid": return "The server does not take this token any more. Refresh it, or log out and in again.";
    default: return status ? `${data.title ?? "The server refused"} (${status}).` : "The server does not answer. Is it still running?";
  }
}

// === Waiting ===

const waiting = countdown((left) => {
  const over = left === 0 && at("wait-title").textContent === "Blocked" && !at("wait").hidden;
  if (over) say(session ? "route-status" : "login-status", "The block is over.", "good");
  at("wait").hidden = left === 0;
  at("wait-left").textContent = `for ${left} s.`;
});

// A block is longer than the refusal of a limit, and is shown in its place.
function hold(slug, wait) {
  const blocked = slug === "blocked";
  if (waiting.left() > wait && !blocked) return;
  at("wait-title").textContent = blocked ? "Blocked" : "Over the limit";
  at("wait-why").textContent = blocked ? "The cause is in the terminal in which portcullis runs." : "";
  waiting.until(wait);
}

// Calls `tick` with the whole seconds that are left, last with 0.
function countdown(tick) {
  let end = 0;
  let timer = 0;
  const left = () => Math.max(0, Math.ceil((end - performance.now()) / 1000));
  const stop = () => clearInterval(timer);
  const step = () => {
    tick(left());
    if (left() === 0) stop();
  };
  const until = (seconds) => {
    stop();
    end = performance.now() + seconds * 1000;
    timer = setInterval(step, 250);
    step();
  };
  return { until, left, stop };
}

// === Small things ===

function submitted(id, act) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = event.target.querySelector("input");
    input.removeAttribute("aria-invalid");
    alone(event.target, act);
  });
}

function clicked(id, act) {
  at(id).addEventListener("click", () => alone(at(id), act));
}

const busy = new Set();

// One at a time: a second press while the first is under way does nothing.
async function alone(element, act) {
  if (busy.has(element)) return;
  busy.add(element);
  try {
    await act();
  } finally {
    busy.delete(element);
  }
}

function fault(input, told) {
  at(input).setAttribute("aria-invalid", "true");
  at(input).focus();
  at(input).select();
  say("login-status", told, "bad");
}

function say(id, told, kind = "") {
  at(id).textContent = told;
  at(id).className = `status ${kind}`;
}

function cell(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

function emptyCells() {
  const cells = Array.from({ length: MANY }, () => cell("li"));
  at("cells").replaceChildren(...cells);
  return cells;
}

const meters = new Map();

// How a limit stands, until the server says so again: after `reset` seconds it is full, or has room at all.
function meter(name, left, most, reset) {
  let one = meters.get(name);
  if (!one) {
    one = { name, shown: newMeter(name) };
    one.clock = countdown((seconds) => draw(one, seconds));
    meters.set(name, one);
  }
  Object.assign(one, { left, most });
  one.clock.until(reset ?? 0);
}

function newMeter(name) {
  const shown = cell("div");
  shown.id = `meter-${name}`;
  shown.setAttribute("role", "meter");
  shown.setAttribute("aria-label", `Left of the limit ${name}`);
  shown.append(cell("p"), cell("div"));
  shown.firstChild.append(cell("span", name), cell("span"));
  shown.lastChild.className = "track";
  shown.lastChild.append(cell("i"));
  at("meters").append(shown);
  return shown;
}

function draw({ shown, left, most }, seconds) {
  const now = seconds === 0 && left > 0 ? most : left;
  const then = left > 0 ? "full" : "room";
  shown.setAttribute("aria-valuemax", most);
  shown.setAttribute("aria-valuenow", now);
  shown.firstChild.lastChild.textContent =
    seconds > 0 ? `${now} of ${most} left, ${then} in ${seconds} s` : now > 0 ? `${now} of ${most} left` : "room again";
  shown.lastChild.firstChild.style.transform = `scaleX(${now / most})`;
}

function span(seconds) {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function time(value) {
  const moment = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(moment.getTime()) ? "–" : moment.toLocaleString();
}

function decode(token) {
  const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
}

// Random, so it says nothing about the machine; kept where the browser lets us, as the server binds codes to it.
function deviceId() {
  const name = "portcullis-device";
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const kept = localStorage.getItem(name);
    if (/^[0-9a-f]{32}$/.test(kept)) return kept;
    localStorage.setItem(name, fresh);
  } catch {
    // Storage is denied: each load of the page is another device.
  }
  return fresh;
}
