/** How long results and journals are kept, and what can be done with them: replay, attach, purge, run once more. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { objectOf, serviceOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

async function journalLength(id: string): Promise<number> {
  const rows = await lab.sql(`SELECT index FROM sys_journal WHERE id = '${id}'`);
  return rows.length;
}

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`retention (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const brief = `${tag}Brief`;
    const none = `${tag}None`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const services = [
        serviceOf(sdk, world, service),
        objectOf(sdk, world, object),
        serviceOf(sdk, world, brief, { idempotencyRetention: 300, journalRetention: 300 }),
        serviceOf(sdk, world, none, { journalRetention: 0 }),
      ];
      await lab.register(await serve(sdk, services, transport));
    });
    const keyed = (to: string, key: string, ...ops: readonly unknown[]) =>
      lab.ask(to, { headers: { "idempotency-key": key }, body: ops });

    it("calls with one idempotency key run once: while it runs and afterwards", async () => {
      const name = `${tag}idem`;
      const ops = [
        ["step", name, { n: 1 }],
        ["sleep", 30],
      ];
      const answers = await Promise.all([1, 2, 3].map(() => keyed(path, "same", ...ops)));
      for (const answer of answers) assert.deepEqual(answer.json, [{ n: 1 }, null]);
      const ids = new Set(answers.map((answer) => answer.headers.get("x-restate-id")));
      assert.equal(ids.size, 1);
      const late = await keyed(path, "same", ["step", name, "other"]);
      assert.deepEqual(late.json, [{ n: 1 }, null]);
      assert(!Number.isNaN(Date.parse(late.headers.get("idempotency-expires") ?? "")));
      const sent = await keyed(`${path}/send`, "same", ["id"]);
      assert.equal(at(sent.json, "status"), "PreviouslyAccepted");
      assert.equal(world.times(name), 1);
    });

    it("a failure is replayed as it was", async () => {
      const first = await keyed(path, "fails", ["throw", "no", 418, { a: "b" }]);
      const again = await keyed(path, "fails", ["id"]);
      assert.equal(again.status, 418);
      assert.deepEqual(again.json, first.json);
    });

    it("one key is another identity for another handler, service or object key", async () => {
      const ids = await Promise.all(
        [path, `/${brief}/run`, `/${object}/a/run`, `/${object}/b/run`, `/${object}/a/look`].map(
          async (to) => (await keyed(to, "shared", ["id"])).headers.get("x-restate-id"),
        ),
      );
      assert.equal(new Set(ids).size, 5);
    });

    it("results are had by id, by idempotency key, and by a target in the body", async () => {
      const key = "a-b_c";
      const answer = await keyed(`/${object}/o k/run`, key, ["step", "x", "r"]);
      const id = answer.headers.get("x-restate-id") ?? "";
      const base = `/restate/invocation/${object}/o%20k/run/${key}`;
      const target = {
        target: "idempotentInvocation",
        service: object,
        key: "o k",
        handler: "run",
        idempotencyKey: key,
      };
      const invocation = { target: "invocation", invocationId: id };
      const answers = await Promise.all([
        lab.attach(id),
        lab.output(id),
        ...["attach", "output"].flatMap((how) => [
          lab.ask(`${base}/${how}`, { method: "GET" }),
          lab.ask(`/restate/${how}/${id}`, { method: "GET" }),
          lab.ask(`/restate/${how}`, { body: target }),
          lab.ask(`/restate/${how}`, { body: invocation }),
        ]),
      ]);
      for (const [index, each] of answers.entries()) {
        assert.equal(each.status, 200, `${index}: ${each.text}`);
        assert.deepEqual(each.json, ["r"]);
        assert.equal(each.headers.get("x-restate-id"), id);
        assert.equal(each.headers.get("content-type"), "application/json");
      }
      const found = await lab.ask("/restate/lookup", { body: target });
      assert.deepEqual(found.json, { invocationId: id });
    });

    it("results of children are had as well", async () => {
      const [id] = (await lab.run(path, ["send", [service, null, "run"], [["step", "c", 7]]])) as [
        string,
      ];
      assert.deepEqual((await lab.attach(id)).json, [7]);
      assert.deepEqual((await lab.output(id)).json, [7]);
    });

    it("after its retention a key runs anew", async () => {
      const name = `${tag}brief`;
      const to = `/${brief}/run`;
      const first = await keyed(to, "k", ["step", name]);
      assert.equal(first.status, 200);
      const id = first.headers.get("x-restate-id") ?? "";
      await eventually(async () => assert.equal((await lab.output(id)).status, 404));
      assert.equal((await keyed(to, "k", ["step", name])).status, 200);
      assert.equal(world.times(name), 2);
    });

    it("with no journal retention the answer is given and everything forgotten", async () => {
      const answer = await lab.ask(`/${none}/run`, { body: [["step", "x", 1]] });
      assert.deepEqual(answer.json, [1]);
      const sent = await lab.send(`/${none}/run`, ["step", "y", 1]);
      await eventually(async () => {
        assert.equal(await journalLength(sent), 0);
        assert.equal(await journalLength(answer.headers.get("x-restate-id") ?? ""), 0);
      });
    });

    it("purging a journal leaves the result, purging all leaves nothing", async () => {
      const id = await lab.send(path, ["step", "x", 1], ["step", "y", 2]);
      await lab.attach(id);
      assert((await journalLength(id)) >= 6);
      assert.equal(await lab.patch(id, "purge-journal"), 200);
      await eventually(async () => assert((await journalLength(id)) <= 1));
      assert.deepEqual((await lab.output(id)).json, [1, 2]);
      assert.equal(await lab.patch(id, "restart-as-new"), 410);
      assert.equal(await lab.patch(id, "purge"), 200);
      await eventually(async () => assert.equal((await lab.output(id)).status, 404));
      assert.equal(await lab.status(id), "gone");
    });

    it("a purged idempotency key runs anew", async () => {
      const name = `${tag}purged`;
      const first = await keyed(path, "purged", ["step", name]);
      await lab.patch(first.headers.get("x-restate-id") ?? "", "purge");
      await eventually(async () => {
        await keyed(path, "purged", ["step", name]);
        assert.equal(world.times(name), 2);
      });
    });

    it("what is completed runs once more as new, with the input it had", async () => {
      const name = `${tag}restart`;
      const headers = { "idempotency-key": "restarted", "x-mine": "kept" };
      const first = await lab.ask(path, { headers, body: [["step", name, 1], ["headers"]] });
      const id = first.headers.get("x-restate-id") ?? "";
      const restarted = await lab.tell("PATCH", `/invocations/${id}/restart-as-new`);
      assert.equal(restarted.status, 200);
      const fresh = String(at(restarted.json, "new_invocation_id"));
      assert.notEqual(fresh, id);
      const again = await lab.attach(fresh);
      assert.deepEqual(again.json, first.json);
      assert(JSON.stringify(again.json).includes('["x-mine","kept"]'));
      assert.equal(world.times(name), 2);
      const rows = await lab.sql(
        `SELECT restarted_from, invoked_by, idempotency_key FROM sys_invocation WHERE id = '${fresh}'`,
      );
      assert.equal(at(rows, 0, "restarted_from"), id);
      assert.equal(at(rows, 0, "invoked_by"), "restart_as_new");
      assert.notEqual(at(rows, 0, "idempotency_key"), "restarted");
    });

    it("or from a place in its journal, without the steps before it", async () => {
      const name = `${tag}prefix`;
      const id = await lab.send(path, ["step", `${name}-a`, 1], ["step", `${name}-b`, 2]);
      await lab.attach(id);
      const rows = await lab.sql(
        `SELECT index, entry_type FROM sys_journal WHERE id = '${id}' ORDER BY index`,
      );
      assert.deepEqual(
        rows.map((row) => at(row, "entry_type")),
        [
          "Command: Input",
          "Command: Run",
          "Notification: Run",
          "Command: Run",
          "Notification: Run",
          "Command: Output",
        ],
      );
      const restart = (from: number | string) =>
        lab.tell("PATCH", `/invocations/${id}/restart-as-new?from=${from}`);
      const restarted = await restart(2);
      assert.equal(restarted.status, 200, restarted.text);
      const fresh = String(at(restarted.json, "new_invocation_id"));
      assert.deepEqual((await lab.attach(fresh)).json, [1, 2]);
      assert.deepEqual([world.times(`${name}-a`), world.times(`${name}-b`)], [1, 2]);
      for (const bad of [99, "x", -1]) assert.equal((await restart(bad)).status, 400, `${bad}`);
    });

    it("but not from between a command and its result", OURS, async () => {
      const id = await lab.send(path, ["step", "a", 1]);
      await lab.attach(id);
      const answer = await lab.tell("PATCH", `/invocations/${id}/restart-as-new?from=1`);
      assert.equal(answer.status, 400, answer.text);
    });

    it("a restarted exclusive handler waits for its key", async () => {
      const gate = `${tag}restart-key`;
      const to = `/${object}/restart/run`;
      const id = await lab.send(to, ["get", "n"]);
      await lab.attach(id);
      const busy = await lab.send(to, ["gate", gate], ["set", "n", 5]);
      await eventually(() => assert.equal(world.times(gate), 1));
      const restarted = await lab.tell("PATCH", `/invocations/${id}/restart-as-new`);
      const fresh = String(at(restarted.json, "new_invocation_id"));
      await lab.until(fresh, "queued");
      world.open(gate);
      await lab.attach(busy);
      assert.deepEqual((await lab.attach(fresh)).json, [5]);
    });
  });
}

describe("retention that operators set", { concurrency: true }, () => {
  const world = new World();
  before(async () => {
    const sdk = await loadSdk("restate");
    const services = [serviceOf(sdk, world, "Patched"), serviceOf(sdk, world, "Kept")];
    await lab.register(await serve(sdk, services, "h2"));
  });

  it("applies to invocations that come after it", async () => {
    const keyed = () =>
      lab.ask("/Patched/run", { headers: { "idempotency-key": "k" }, body: [["step", "patched"]] });
    const patch = { idempotency_retention: "200ms", journal_retention: "100ms" };
    const patched = await lab.tell("PATCH", "/services/Patched", patch);
    assert.equal(patched.status, 200);
    assert.equal(at(patched.json, "idempotency_retention"), "200ms");
    await keyed();
    await eventually(async () => {
      await keyed();
      assert(world.times("patched") >= 2);
    });
  });

  it("hides a service from callers, and shows it again", async () => {
    assert.equal((await lab.tell("PATCH", "/services/Kept", { public: false })).status, 200);
    assert.equal((await lab.ask("/Kept/run", { body: [] })).status, 400);
    const inner = await lab.run("/Patched/run", [
      "call",
      ["Kept", null, "run"],
      [["step", "k", 1]],
    ]);
    assert.deepEqual(inner, [[1]]);
    assert.equal((await lab.tell("PATCH", "/services/Kept", { public: true })).status, 200);
    assert.deepEqual(await lab.run("/Kept/run", ["step", "k", 2]), [2]);
  });

  it("survives a new registration of the service", OURS, async () => {
    const sdk = await loadSdk("restate");
    const name = "Overridden";
    await lab.register(await serve(sdk, [serviceOf(sdk, world, name)], "h2"));
    await lab.tell("PATCH", `/services/${name}`, { public: false, journal_retention: "5m" });
    await lab.register(await serve(sdk, [serviceOf(sdk, world, name)], "h2"));
    const view = (await lab.tell("GET", `/services/${name}`)).json;
    assert.equal(at(view, "revision"), 2);
    assert.equal(at(view, "public"), false);
    assert.equal(at(view, "journal_retention"), "5m");
    assert.equal((await lab.ask(`/${name}/run`, { body: [] })).status, 400);
  });
});
