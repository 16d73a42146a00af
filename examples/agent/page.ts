/** The front end: one static page that talks to the ingress. `?ingress=URL` says where that is, `#inv_1…` which invocation to watch. */
export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Support agent</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
  button { font: inherit; margin: .5rem .5rem 0 0; padding: .3rem 1rem; }
  #request { border: 2px solid #c60; padding: .5rem 1rem 1rem; }
  #phase { color: #666; }
</style>
<h1>Support agent</h1>
<form id="task">
  <label>What is to be done? <input id="goal" value="Please refund order 1042, the lamp arrived broken."></label>
  <button>Start</button>
</form>
<p id="phase" role="status"></p>
<ol id="steps"></ol>
<section id="request" hidden>
  <h2>May I?</h2>
  <p id="wish"></p>
  <label>Comment <input id="comment"></label>
  <button id="approve" type="button">Approve</button><button id="deny" type="button">Deny</button>
</section>
<p><strong id="answer"></strong></p>
<script>
const ingress = new URLSearchParams(location.search).get("ingress") ?? "http://127.0.0.1:8080";
const element = (id) => document.getElementById(id);
const json = { "content-type": "application/json" };
let watched, request;

const invocation = (path) => ingress + "/restate/invocation/" + watched + path;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function show(status) {
  request = status.request;
  element("phase").textContent = status.phase;
  element("steps").replaceChildren(...status.steps.map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  }));
  element("request").hidden = request === undefined;
  element("wish").textContent = request === undefined ? "" : request.tool + " " + JSON.stringify(request.input);
  element("answer").textContent = status.answer ?? "";
}

/** Each request waits for a status that we do not have yet. The server may be away meanwhile. */
async function watch(id) {
  watched = id;
  let version;
  for (;;) {
    if (watched !== id) return;
    try {
      const headers = version === undefined ? {} : { "if-none-match": version };
      const response = await fetch(invocation("/events/status?wait=30s"), { headers });
      if (response.status === 200) {
        version = response.headers.get("etag");
        const status = await response.json();
        if (watched !== id) return;
        show(status);
        if (status.phase === "done" || status.phase === "failed") return;
        continue;
      }
      if (response.status === 304) continue;
      element("phase").textContent = "the server answered " + response.status;
    } catch {
      element("phase").textContent = "the server is away";
    }
    await pause(1000);
  }
}

async function send(url, body, key) {
  for (;;) {
    try {
      const headers = { ...json, "idempotency-key": key };
      return await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    } catch {
      // Not answered. The same key, so that it counts once.
      await pause(1000);
    }
  }
}

async function answer(approved) {
  const body = { request: request.id, approved, comment: element("comment").value || undefined };
  element("request").hidden = true;
  await send(invocation("/messages/approvals"), body, request.id);
}

element("approve").addEventListener("click", () => answer(true));
element("deny").addEventListener("click", () => answer(false));
element("task").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = String(Date.now()) + Math.random();
  const response = await send(ingress + "/Agent/run/send", { goal: element("goal").value }, key);
  if (response.status !== 202) {
    element("phase").textContent = "not started: " + await response.text();
    return;
  }
  const { invocationId } = await response.json();
  location.hash = invocationId;
  await watch(invocationId);
});
if (location.hash !== "") void watch(location.hash.slice(1));
</script>
</html>
`;
