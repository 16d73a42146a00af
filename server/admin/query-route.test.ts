import assert from "node:assert/strict";
import { test } from "node:test";
import { at } from "./fake-world.suite.ts";
import { send, start } from "./fixture.suite.ts";

const SQL = "SELECT 1";

test("rows come as JSON for who names it, else as Arrow", async () => {
  const fixture = await start();
  const accepts: readonly (readonly [Record<string, string>, string])[] = [
    [{ accept: "application/json" }, "json"],
    [{ accept: "*/*" }, "arrow"],
    [{ accept: "application/json; q=1" }, "json"],
    [{ accept: "text/plain, application/json" }, "json"],
    [{ accept: "application/json5" }, "arrow"],
  ];
  for (const [headers, format] of accepts) {
    fixture.queries.length = 0;
    const answer = await send(`${fixture.url}/v4/query`, "POST", { query: SQL }, headers);
    assert.equal(answer.status, 200);
    assert.deepEqual(fixture.queries, [[SQL, format]]);
  }
});

test("the bytes of the engine are passed on as they are", async () => {
  const fixture = await start();
  const bytes = Uint8Array.of(0, 255, 1, 254);
  fixture.rows = { ok: true, contentType: "application/vnd.apache.arrow.stream", body: bytes };
  const response = await fetch(`${fixture.url}/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: SQL }),
  });
  assert.equal(response.headers.get("content-type"), "application/vnd.apache.arrow.stream");
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
});

test("a statement that fails is told with the engine's status and words", async () => {
  const fixture = await start();
  for (const status of [400, 429, 500, 503] as const) {
    fixture.rows = { ok: false, status, message: `no: ${status}` };
    const answer = await fixture.request("POST", "/query", { query: SQL });
    assert.equal(answer.status, status);
    assert.equal(at(answer.json, "message"), `no: ${status}`);
    assert.equal(answer.headers.get("retry-after"), status === 429 ? "1" : null);
  }
});

test("a request without a statement is refused as text and reaches no engine", async () => {
  const fixture = await start();
  const url = `${fixture.url}/query`;
  const rows: readonly (readonly [unknown, Record<string, string>, number])[] = [
    [{ query: SQL }, { "content-type": "text/plain" }, 415],
    ["{", {}, 400],
    [{}, {}, 422],
    [{ query: 1 }, {}, 422],
    [[], {}, 422],
  ];
  for (const [body, headers, status] of rows) {
    const answer = await send(url, "POST", body, headers);
    assert.equal(answer.status, status);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
  }
  assert.equal((await fixture.request("GET", "/query")).status, 405);
  assert.deepEqual(fixture.queries, []);
});
