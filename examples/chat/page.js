"use strict";
const $ = (id) => document.getElementById(id);
// The server lets go of those who flood it; to come back at once would be more of that.
const FIRST_DELAY = 500, LONGEST_DELAY = 30000, STEADY = 10000, LINES = 1000;
// A browser waits minutes for a server that accepts the connection and does not answer.
const OPENING = 10000;
// Between two messages that had to wait, after one that was refused for now, and until one that is not
// acknowledged is sent again. After the third time without any answer the connection is given up: the
// other end can be gone without a sign, or stand still.
const PACE = 250, RETRY = 2000, UNACKNOWLEDGED = 5000, PATIENCE = 3;

let socket, id, name = sessionStorage.getItem("name"), signedIn = false, users = [];
// Whether the name was sent and is not confirmed, and how often something was sent since anything came.
let joining = false, unanswered = 0;
// The timer is for the end of an attempt to connect, or for the next one.
let attempts = 0, timer;
// This page's name for itself, by which the server knows it after a reconnect, and the id of the last
// message that it has.
const client = random();
let last;
// Messages that are not acknowledged. Only the first is under way, so their order is kept.
let outbox = [], sent = 0, sending;

function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Where the page is, which is its room, also where a proxy has put it under a path of its own.
function address() {
  const url = new URL(location.pathname, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("client", client);
  if (last) url.searchParams.set("after", last);
  return url.href;
}

function connect() {
  clearTimeout(timer);
  $("retry").hidden = true;
  showState("connecting", "connecting");
  let steady;
  socket = new WebSocket(address(), ["chat"]);
  timer = setTimeout(giveUp, OPENING);
  socket.onopen = () => {
    clearTimeout(timer);
    steady = setTimeout(() => { attempts = 0; }, STEADY);
  };
  socket.onmessage = (event) => {
    unanswered = 0;
    receive(JSON.parse(event.data));
  };
  socket.onclose = (event) => {
    clearTimeout(steady);
    disconnected(event);
  };
}

function disconnected({ reason }) {
  signedIn = joining = false;
  unanswered = 0;
  clearTimeout(timer);
  clearTimeout(sending);
  showWaiting();
  const wait = Math.min(FIRST_DELAY * 2 ** attempts, LONGEST_DELAY) * (0.5 + Math.random() / 2);
  attempts += 1;
  showUsers([]);
  if (reason) add("error", `The server ended the connection: ${reason}`);
  const until = Date.now() + wait;
  const tick = () => {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    if (seconds <= 0) return connect();
    showState("closed", `disconnected, next attempt in ${seconds} s`);
    timer = setTimeout(tick, (until - Date.now()) % 1000 || 1000);
  };
  $("retry").hidden = false;
  tick();
}

// It may take minutes until the browser notices by itself.
function giveUp() {
  socket.onmessage = socket.onclose = null;
  socket.close();
  disconnected({});
}

function send(message) {
  socket.send(JSON.stringify({ ...message, id, date: Date.now() }));
}

// Sends the first message of the outbox, and again if nothing is heard of it: the server knows by its
// key whether it has it already.
function pump() {
  clearTimeout(sending);
  if (!outbox.length || !signedIn || socket.readyState !== WebSocket.OPEN) return;
  if (unanswered >= PATIENCE) return giveUp();
  unanswered += 1;
  send({ type: "message", ...outbox[0] });
  pumpIn(UNACKNOWLEDGED);
}

function pumpIn(milliseconds) {
  clearTimeout(sending);
  sending = setTimeout(pump, milliseconds);
}

// What was refused for now: the name, or else the first message.
function goOn() {
  if (joining && socket.readyState === WebSocket.OPEN) signIn();
  pump();
}

// Those who were refused together do not come back together.
function retryIn(milliseconds) {
  clearTimeout(sending);
  sending = setTimeout(goOn, milliseconds * (0.75 + Math.random() / 2));
}

function acknowledged() {
  outbox.shift();
  if (!$("waiting").hidden) showWaiting();
  pumpIn(PACE);
}

function receive(message) {
  switch (message.type) {
    case "room":
      $("room").textContent = `: ${message.room}`;
      if (!message.replay) last = message.last;
      break;
    case "gap":
      add("gap", message.text, message.date);
      break;
    case "status":
      add(message.available ? "notice" : "error", message.text, message.date);
      if (message.available) goOn();
      break;
    case "ack":
      if (outbox[0]?.key === message.key) acknowledged();
      break;
    case "id":
      id = message.id;
      showState("open", "connected");
      if (name) signIn();
      break;
    case "rejectusername":
      rename(message.name);
      add("notice", ["That name is taken: you are ", isolated(name)], message.date);
      break;
    case "username":
      if (message.name === name) joined();
      add("notice", [isolated(message.name), " signed in"], message.date);
      break;
    case "message":
      last = message.id;
      add(message.name === name ? "mine" : "theirs", message.text, message.date, message.name);
      break;
    case "userlist":
      if (signedIn) {
        for (const gone of users.filter((user) => !message.users.includes(user))) {
          add("notice", [isolated(gone), " left"], message.date);
        }
      }
      showUsers(message.users);
      break;
    case "error":
      if (message.retry) {
        showWaiting(message.text);
        retryIn(RETRY);
        break;
      }
      if (message.key && outbox[0]?.key === message.key) acknowledged();
      if (!message.key) joining = false;
      add("error", message.text, message.date);
      break;
  }
}

function rename(given) {
  name = given;
  $("name").value = name;
  sessionStorage.setItem("name", name);
}

function signIn() {
  joining = true;
  send({ type: "username", name });
}

function joined() {
  signedIn = true;
  joining = false;
  if (!$("waiting").hidden) showWaiting();
  showState("open", `connected as ${name}`);
  $("text").focus();
  pump();
}

// Says what is not acknowledged, and why if that is known.
function showWaiting(reason = "") {
  const count = outbox.length, isNamed = !joining || !reason;
  $("waiting").hidden = count === 0 && isNamed;
  const messages = count === 1 ? "message is" : "messages are";
  const words = isNamed ? `${count} ${messages} not sent yet.` : `You are not yet ${name}.`;
  $("waiting").textContent = $("waiting").hidden ? "" : `${words} ${reason}`;
}

function showState(state, words) {
  $("connection").dataset.state = state;
  if ($("state").textContent !== words) $("state").textContent = words;
  $("join").disabled = state !== "open";
  $("join").textContent = signedIn ? "Change" : "Join";
  $("text").disabled = $("send").disabled = !signedIn;
  $("text").placeholder = signedIn ? "Message" : "Join to write";
}

// Whatever others typed becomes text, never markup.
function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// A name that is written from right to left does not turn what stands beside it.
function isolated(name) {
  return element("bdi", "", name);
}

function add(kind, text, date = Date.now(), from) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 50;
  const line = element("li", kind, "");
  const time = new Date(date).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  line.append(element("time", "time", time), " ");
  if (from !== undefined) {
    line.append(element("span", "name", from), kind === "mine" ? " (you): " : ": ");
  }
  const words = element("span", "text", kind === "error" ? "\u26A0 " : "");
  words.append(...[].concat(text));
  line.append(words);
  log.append(line);
  while (log.childElementCount > LINES) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showUsers(list) {
  users = list;
  $("count").textContent = list.length;
  $("users").replaceChildren(
    ...list.map((user) => {
      const line = element("li", "user", "");
      line.append(isolated(user), user === name && signedIn ? " (you)" : "");
      return line;
    }));
}

$("sign-in").onsubmit = (event) => {
  event.preventDefault();
  const wish = $("name").value.trim();
  if (!wish || socket.readyState !== WebSocket.OPEN) return;
  rename(wish);
  signIn();
};
$("say").onsubmit = (event) => {
  event.preventDefault();
  if (!signedIn || socket.readyState !== WebSocket.OPEN || !$("text").value.trim()) return;
  sent += 1;
  outbox.push({ text: $("text").value, key: `${sent}` });
  $("text").value = "";
  if (outbox.length === 1) pump();
};
$("retry").onclick = connect;
addEventListener("online", () => { if (!$("retry").hidden) connect(); });

if (name) $("name").value = name;
connect();
