import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString } from "../../sdk/protocol/ids.ts";
import { reasonOf } from "../http/raw-client.suite.ts";
import { failure, ID, ID_TEXT, post, replying, start } from "./ingress.suite.ts";

test("an awakeable of old is accepted, and reaches nobody", async () => {
  const fixture = await start({ requestBytesMax: 10, heldBytesMax: 10 });
  const old = awakeableIdToString(ID, 3).replace("sign_1", "prom_1");
  for (const id of [old, `${old}==`]) {
    // The whole budget is there again after each.
    for (const path of [`/restate/a/${id}/resolve`, `/restate/awakeables/${id}/reject`]) {
      const response = await post(fixture.url + path, "1234567890");
      assert.deepEqual([response.status, await response.text()], [202, ""], path);
    }
  }
  for (const id of ["prom_1", "prom_1nonsense", `${old}x`, old.replace("prom_1", "prom_2")]) {
    const response = await post(`${fixture.url}/restate/a/${id}/resolve`, "");
    assert.equal(response.status, 400, id);
    assert.equal(reasonOf({ body: await response.text() }), "invalid-awakeable-id");
  }
  assert.equal((await fetch(`${fixture.url}/restate/a/${old}/resolve`)).status, 405);
  const large = await post(`${fixture.url}/restate/a/${old}/resolve`, "12345678901");
  assert.equal(large.status, 413);
  assert.deepEqual(fixture.door.inputs, []);
});

test("a named signal carries a value or a reason to any invocation", async () => {
  const fixture = await start();
  replying(fixture, { kind: "done" });
  const requests = [
    ["go/resolve", '{"ok":1}'],
    ["go/resolve", ""],
    [`${encodeURIComponent("a/b é")}/reject`, "no stock"],
    ["/reject", ""],
  ] as const;
  for (const [path, body] of requests) {
    const url = `${fixture.url}/restate/signals/${ID_TEXT}/${path}`;
    const response = await post(url, body, { "content-type": "x/y" });
    assert.deepEqual([response.status, await response.text()], [202, ""], path);
  }
  const signals = fixture.door.of("signal");
  assert.deepEqual(
    signals.map(({ id, signal }) => [id, signal.kind === "signal-name" && signal.name]),
    [
      [ID, "go"],
      [ID, "go"],
      [ID, "a/b é"],
      [ID, ""],
    ],
  );
  assert.deepEqual(
    signals.map(({ result }) =>
      result.kind === "value" ? Buffer.from(result.value).toString() : result,
    ),
    ['{"ok":1}', "", failure(500, "no stock"), failure(500, "")],
  );
});

test("a signal that is none is refused", async () => {
  const fixture = await start();
  const rows: readonly (readonly [method: string, path: string, status: number, reason: string])[] =
    [
      ["POST", "/restate/signals/inv_1nonsense/go/resolve", 400, "invalid-invocation-id"],
      ["GET", `/restate/signals/${ID_TEXT}/go/resolve`, 405, "method-not-allowed"],
      ["POST", `/restate/signals/${ID_TEXT}/go`, 404, "not-found"],
      ["POST", `/restate/signals/${ID_TEXT}/%FF/resolve`, 400, "bad-path"],
    ];
  for (const [method, path, status, reason] of rows) {
    const response = await fetch(fixture.url + path, { method });
    assert.equal(response.status, status, path);
    assert.equal(reasonOf({ body: await response.text() }), reason, path);
  }
  assert.deepEqual(fixture.door.inputs, []);
});
