// The tokens are in this scope and nowhere else: not in storage, not in cookies, not on `window`.
let session = null;
let challenge = null;

const MANY = 30;
const device = deviceId();
const at = (id) => document.getElementById(id);

// === What the visitor does ===

submitted("phone-form", async () => {
  const phone = at("phone").value.replace(/[\s().-]/g, "").replace(/^00/, "+");
  if (!/^\+[1-9]\d{4,14}$/.test(phone)) {
    return fault("phone", "A phone number begins with + and the country code, then digits only.");
  }
  const answer = await ask("POST", "/v1/otp/request", { body: { phone } });
  if (!answer.ok) return fault("phone", words(answer));
  at("code").value = "";
  step("code-form");
  expectCode(answer, "Your code is in the terminal.");
});

submitted("code-form", async () => {
  const code = at("code").value.trim();
  const length = challenge.length;
  if (!/^\d+$/.test(code) || code.length !== length) {
    return fault("code", `The code is ${length} digits.`);
  }
  const answer = await ask("POST", "/v1/otp/verify", { body: { challenge_id: challenge.id, code } });
  if (!answer.ok) return fault("code", words(answer));
  challenge = null;
  enter(answer.data);
  at("route-title").focus();
  say("session-status", answer.data.is_new ? "A new account was made for this number." : "Welcome back.", "good");
});

clicked("resend", async () => {
  const answer = await ask("POST", "/v1/otp/resend", { body: { challenge_id: challenge.id } });
  at("code").focus();
  if (answer.ok) return expectCode(answer, "A new code is in the terminal; the old one no longer works.");
  if (answer.data.slug === "cooldown") challenge.resend.until(answer.wait);
  say("login-status", words(answer), "bad");
});

clicked("restart", () => leave(""));

clicked("hello", async () => {
  const answer = await ask("GET", "/api/hello", { bearer: true });
  const { message, subject } = answer.data;
  if (answer.ok) say("route-status", `The server says “${message}” to ${subject}.`, "good");
  else say("route-status", words(answer), "bad");
});

clicked("burst", async () => {
  const cells = emptyCells();
  const counts = new Map();
  const answers = await Promise.all(cells.map(async (cell) => {
    const answer = await ask("GET", "/api/hello", { bearer: true });
    cell.textContent = answer.status || "–";
    cell.className = answer.ok ? "good" : "bad";
    counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
    return answer;
  }));
  const sums = [...counts].sort().map(([status, count]) => `${count} × ${status || "no answer"}`);
  const refused = answers.filter((answer) => !answer.ok);
  const worst = refused.find((answer) => answer.data.slug === "blocked") ?? refused[0];
  say("route-status", `${sums.join(", ")}. ${worst ? words(worst) : "All of them passed."}`, worst ? "bad" : "good");
});

clicked("refresh", async () => {
  const answer = await refresh();
  if (answer.ok) {
    return say("session-status", "The server gave a new pair of tokens; the old refresh token is spent.", "good");
  }
  if (answer.status === 401) return leave("The session is over. Log in again.");
  say("session-status", words(answer), "bad");
});

clicked("list", list);

clicked("logout", async () => {
  // The refresh token ends the session also when the access token has expired.
  const answer = await ask("POST", "/v1/logout", { body: { refresh_token: session.refresh } });
  if (answer.ok) return leave("You are logged out.");
  say("session-status", words(answer), "bad");
});

clicked("logout-all", async () => {
  const everywhere = () => ask("POST", "/v1/logout/all", { bearer: true });
  let answer = await everywhere();
  if (answer.status === 401 && (await refresh()).ok) answer = await everywhere();
  if (answer.ok) return leave("You are logged out on all devices.");
  if (answer.status === 401) return leave("This session is over. Log in again to end the others.");
  say("session-status", words(answer), "bad");
});

emptyCells();

// === Sessions ===

async function list() {
  const answer = await ask("GET", "/v1/sessions", { bearer: true });
  if (!answer.ok) return say("session-status", words(answer), "bad");
  const rows = answer.data.sessions.map((one) => {
    const id = cell("td", one.session_id);
    if (one.current) id.append(cell("small", "this one"));
    const button = cell("button", "End");
    button.type = "button";
    button.className = "quiet";
    button.setAttribute("aria-label", `End session ${one.session_id}`);
    button.addEventListener("click", () => alone(button, () => end(one)));
    const last = cell("td");
    last.append(button);
    return row(id, cell("td", time(one.last_used_at)), last);
  });
  at("sessions").tBodies[0].replaceChildren(...rows);
  at("sessions").hidden = false;
  say("session-status", rows.length === 1 ? "There is one session, this one." : `There are ${rows.length} sessions.`);
}

async function end(one) {
  const answer = await ask("DELETE", `/v1/sessions/${encodeURIComponent(one.session_id)}`, { bearer: true });
  if (!answer.ok) return say("session-status", words(answer), "bad");
  if (one.current) return leave("You have ended this session.");
  at("list").focus();
  await list();
}

async function refresh() {
  const answer = await ask("POST", "/v1/token/refresh", { body: { refresh_token: session.refresh } });
  if (answer.ok) enter(answer.data);
  return answer;
}

// === Steps ===

function step(shown) {
  for (const form of ["phone-form", "code-form"]) at(form).hidden = form !== shown;
  at("login").hidden = shown === null;
  at("account").hidden = shown !== null;
}

function expectCode({ data }, told) {
  challenge?.resend.stop();
  const button = at("resend");
  const resend = countdown((left) => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `New code in ${left} s` : "Send a new code";
  });
  challenge = { id: data.challenge_id, length: data.code_length, resend };
  resend.until(data.resend_after);
  at("masked").textContent = data.phone_masked;
  at("code").maxLength = data.code_length;
  at("code").focus();
  say("login-status", `${told} It is good for ${span(data.expires_in)}.`);
}

function enter(tokens) {
  session = { access: tokens.access_token, refresh: tokens.refresh_token };
  const claims = Object.entries(decode(session.access)).map(([name, value]) => {
    const shown = cell("td", typeof value === "string" ? value : JSON.stringify(value));
    if (["exp", "iat", "nbf", "auth_time"].includes(name)) shown.append(cell("small", time(value)));
    const head = cell("th", name);
    head.scope = "row";
    return row(head, shown);
  });
  at("claims").tBodies[0].replaceChildren(...claims);
  step(null);
}

function leave(told) {
  session = null;
  challenge?.resend.stop();
  challenge = null;
  at("claims").tBodies[0].replaceChildren();
  at("sessions").tBodies[0].replaceChildren();
  at("sessions").hidden = true;
  at("code").value = "";
  emptyCells();
  for (const status of ["route-status", "session-status"]) say(status, "");
  step("phone-form");
  at("phone").focus();
  at("phone").select();
  say("login-status", told);
}
