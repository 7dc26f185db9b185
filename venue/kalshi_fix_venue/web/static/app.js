// The page draws the updates from `/updates` and posts operations to `/do`. External text is only ever inserted as text nodes.

const $ = (id) => document.getElementById(id);
const hash = location.hash.slice(1);
if (hash) {
  sessionStorage.setItem("token", hash);
  history.replaceState(null, "", location.pathname);
}
const headers = { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` };
let market = null, session = null, latest = null, following = new AbortController();

// Elements: h(tag, properties, ...children); `key` identifies an element across updates.

const h = (tag, properties, ...children) => ({ tag, properties: properties ?? {}, children: children.flat().filter((c) => c != null) });

function make(vnode) {
  if (typeof vnode !== "object") return document.createTextNode(vnode);
  return patch(document.createElement(vnode.tag), vnode, true);
}

function patch(node, { properties, children }, isNew = false) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (name.startsWith("aria-")) node.setAttribute(name, value);
    else if (isNew || node[name] !== value) node[name] = value;
  }
  fill(node, children);
  return node;
}

// An element that an update keeps is not removed and inserted again, so a click that begins on it also ends on it.
function fill(parent, children) {
  const keys = new Set(children.map((c) => c.properties?.key));
  let at = parent.firstChild;
  for (const child of children) {
    const key = child.properties?.key;
    while (at?.key !== undefined && at.key !== key && !keys.has(at.key)) at = drop(at);
    const fits = at && at.key === key && (typeof child === "object" ? at.localName === child.tag : at.nodeType === 3);
    if (!fits) parent.insertBefore(make(child), at);
    else {
      if (typeof child === "object") patch(at, child);
      else if (at.data !== String(child)) at.data = child;
      at = at.nextSibling;
    }
  }
  while (at) at = drop(at);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

const none = (text) => [h("p", { className: "none" }, text)];

function table(columns, rows, empty) {
  if (!rows.length) return none(empty);
  const cells = (tag, row) => columns.map(([, kind], i) => h(tag, { className: kind ?? "" }, [row[i]].flat()));
  return [h("table", null, h("thead", null, h("tr", null, cells("th", columns.map(([name]) => name)))),
    h("tbody", null, rows.map((row) => h("tr", { key: row.key }, cells("td", row)))))];
}

const keyed = (key, row) => Object.assign(row, { key });
const number = (text) => Number(text).toLocaleString("en-US", { maximumFractionDigits: 4 });
const cash = (text) => Number(text).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

// Sections

function draw(update) {
  latest = update;
  live(update.stopped ? "the venue has stopped" : "live", !update.stopped);
  if (update.stopped) return;
  fill($("pauses"), [Object.entries(update.pauses).map(([product, state]) => `${product} ${state}`).join(" · ")]);
  fill($("tickers"), update.markets.map((m) => h("option", { value: m.market })));
  fill($("markets"), update.markets.map((m) => h("button", {
    className: "row market", key: m.market, "aria-pressed": m.market === market, onclick: () => choose(m.market, session),
  }, h("b", null, m.market), h("span", null, m.bid ?? "–", h("span", { className: "soft" }, " / "), m.ask ?? "–"),
  h("span", { className: "soft" }, m.product), h("span", { className: `soft n ${m.state === "active" ? "" : "bad"}` }, m.state))));
  book(update.book);
  fill($("orders"), table([["order"], ["open"], ["", "n"]], update.orders.map((o) => keyed(o.id, [
    [h("div", null, o.market), h("div", { className: "soft" }, `${o.owner} · ${o.id}`)], [h("span", { className: o.side }, o.side), ` ${number(o.leaves)} at ${o.price}`],
    h("button", { onclick: () => perform("trade", o.trade), disabled: !o.trade.quantity, title: `Another participant trades ${o.trade.quantity} at ${o.price}` }, "Trade against me")])),
  "No open orders from clients."));
  fill($("positions"), [
    ...table([["owner"], ["market"], ["contracts", "n"]], update.positions.map((p) => [p.owner, p.market, number(p.net)]), "No positions."),
    ...table([["owner"], ["product"], ["balance", "n"], ["available", "n"]], update.accounts.map((a) => [
      a.owner, a.shard ? `${a.product}, shard ${a.shard}` : a.product, cash(a.balance), cash(a.available)]), "No accounts.")]);
  fill($("trades"), table([["time"], ["market"], ["contracts", "n"], ["price", "n"]], update.trades.map((t) => [
    h("span", { className: "soft n" }, t.time.slice(11, 19)), [t.market, h("div", { className: "own" }, t.own.join(", "))],
    number(t.quantity), h("span", { className: t.aggressor ?? "" }, t.price)]), "No trades."));
  fill($("sessions"), update.sessions.length ? update.sessions.map(sessionRow) : none("No client has connected."));
  if (!(matchMedia("(hover: hover)").matches && $("messages").matches(":hover"))) messages(update.messages);
  fill($("armed"), update.faults.map((f) => h("div", { className: "armed" }, f.with === "-" ? f.fault : `${f.fault} ${f.with}`,
    h("button", { onclick: () => perform("release", { fault: f.fault }) }, "Release"))));
}

function book(found) {
  fill($("book-title"), [found ? found.market : "Book"]);
  if (!found) return fill($("book"), none("Choose a market."));
  const largest = Math.max(1, ...found.buy.concat(found.sell).map(([, size]) => Number(size)));
  const level = (side) => ([price, size, own]) => {
    const shown = h("div", { className: `size ${side}`, style: { "--share": `${Number(size) / largest * 100}%` } }, h("span", null, number(size)));
    const mine = h("div", { className: `own ${side}` }, own ? `yours ${number(own)}` : "");
    return h("div", { className: "level" }, ...(side === "buy" ? [shown, h("div", { className: side }, price), mine] : [mine, h("div", { className: side }, price), shown]));
  };
  fill($("book"), found.buy.length + found.sell.length
    ? [...found.sell.map(level("sell")).reverse(), h("div", { className: "spread" }), ...found.buy.map(level("buy"))] : none("The book is empty."));
}

function sessionRow({ id, status, last }) {
  const numbers = status ? `in ${status.next_incoming} · out ${status.next_outgoing}` : "logged out";
  return h("button", { className: "row session", key: id.join(" "), "aria-pressed": String(id) === String(session),
    onclick: () => choose(market, String(id) === String(session) ? null : id) },
  h("span", null, h("b", null, id[1]), ` ${id[0]}`, status?.listener ? " listener" : ""), h("span", { className: status ? "n" : "n soft", title: "Next MsgSeqNum (34) in each direction" }, numbers),
  h("span", { className: "line" }, `${status?.owner ?? ""} ${id[2]}`),
  ...last.map((m) => h("span", { className: "line" }, `${m.sent ? "→" : "←"} ${m.number} ${m.name} ${m.text}`)));
}

function messages(found) {
  fill($("messages-title"), ["Messages", h("small", null, session ? `${session[1]} ${session[0]}` : "all sessions, newest first")]);
  fill($("messages"), found.length ? found.map((m) => h("button", { className: "row passed", key: m.id, onclick: () => explain(m.id) },
    h("span", { className: `arrow ${m.sent ? "sell" : "buy"}`, title: m.sent ? "sent by the venue" : "received by the venue" }, m.sent ? "→" : "←"),
    h("b", null, m.name, m.problems ? h("span", { className: "bad" }, " has problems") : ""), h("span", { className: "soft" }, m.time.slice(0, 12)),
    h("span", { className: "line" }, h("span", { className: "number" }, `${m.session[1]} ${m.number}`), ` ${m.text}`))) : none("No messages."));
}

function live(text, isLive) {
  $("state").className = isLive ? "live" : "";
  fill($("state"), [text]);
}

// A message, as `kalshi-fix decode --full` prints it: lines of segments, each with a style

async function explain(id) {
  const answer = await fetch(`/messages/${id}`, { headers });
  const lines = answer.ok ? await answer.json() : [[["", ""], ["", "This message is no longer kept."]]];
  fill($("message"), [h("h2", null, lines[0].slice(1).map(([, text]) => text).join("") || "Message"), ...lines.slice(1).map((line) => {
    const depth = line[0][1].length - line[0][1].trimStart().length - 2;
    const isField = line[0][0] === "cyan";
    return h("div", { className: `field ${isField ? "" : "whole"} ${line[0][0].includes("red") ? "bad" : ""}`, style: { "--depth": Math.max(0, depth) } },
      isField ? line.map(([, text]) => h("span", null, text.trim())) : line.map(([, text]) => text).join("").trim());
  })]);
  $("message").showModal();
}

// Operations: the same registry as `kalshi-fix venue do`

function operationForm(operation) {
  const field = (p) => h("label", null, p.name,
    p.choices.length ? h("select", { name: p.name }, p.required ? null : h("option", { value: "" }, p.default ?? "–"), p.choices.map((c) => h("option", { value: c }, c)))
      : h("input", { name: p.name, required: p.required, placeholder: p.default ?? p.word, value: p.name === "market" ? market ?? "" : "", autocomplete: "off" }),
    h("small", null, p.doc));
  const needed = operation.parameters.filter((p) => p.required), further = operation.parameters.filter((p) => !p.required);
  const form = $("operation").firstElementChild;
  form.replaceChildren();
  fill(form, [h("h2", null, operation.name), h("p", null, operation.doc), ...needed.map(field),
    further.length ? h("details", { open: further.length < 6 }, h("summary", null, "Options"), ...further.map(field)) : null,
    h("button", { className: "main" }, "Run")].filter(Boolean));
  form.onsubmit = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    perform(operation.name, Object.fromEntries(given));
  };
  for (const input of form.querySelectorAll("input[name=market]")) input.setAttribute("list", "tickers");
  $("operation").showModal();
}

async function perform(name, values) {
  const answer = await fetch("/do", { method: "POST", headers, body: JSON.stringify({ do: name, with: values }) })
    .then(async (r) => r.headers.get("content-type") === "application/json" ? r.json() : { error: await r.text() }, (e) => ({ error: e.message }));
  $("answer").className = answer.ok ? "" : "bad";
  fill($("answer"), [answer.ok ? answer.answer.text ?? "done" : answer.error]);
  clearTimeout(perform.timer);
  perform.timer = setTimeout(() => fill($("answer"), []), 6000);
}

$("trade").onsubmit = (event) => {
  event.preventDefault();
  perform("trade", { market, side: event.submitter.value, quantity: event.target.quantity.value });
};

// Updates: server-sent events, read by fetch because EventSource cannot send a header

function choose(newMarket, newSession) {
  [market, session] = [newMarket, newSession];
  following.abort();
}

async function follow() {
  const query = new URLSearchParams({ ...(market && { market }), ...(session && { session: session.join(" ") }) });
  following = new AbortController();
  const answer = await fetch(`/updates?${query}`, { headers, signal: following.signal });
  if (!answer.ok) throw new Error(await answer.text());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = "", end; ;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the venue has stopped");
    text += value;
    while ((end = text.indexOf("\n\n")) >= 0) {
      if (text.startsWith("data: ")) draw(JSON.parse(text.slice(6, end)));
      text = text.slice(end + 2);
      if (!market && latest?.markets?.length) choose(latest.markets[0].market, session);
    }
  }
}

async function main() {
  const answer = await fetch("/operations", { headers });
  if (answer.status === 401) return live("open the address that `kalshi-fix venue --web` prints", false);
  const all = await answer.json();
  for (const [id, isFault] of [["faults", true], ["others", false]]) {
    fill($(id), all.filter((o) => o.is_fault === isFault).map((o) => h("button", { title: o.doc, onclick: () => operationForm(o) }, o.name)));
  }
  for (;;) {
    try {
      await follow();
    } catch (error) {
      if (following.signal.aborted) continue;
      live(`not connected: ${error.message}`, false);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

main();
