/** Workflows: they run once for a key, remember, and are talked to while they run and afterwards. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab } from "./lab.suite.ts";
import { serviceOf, workflowOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`workflows (${title})`, { concurrency: true }, () => {
    const world = new World();
    const flow = `${tag}Flow`;
    const brief = `${tag}Brief`;
    const service = `${tag}Service`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const options = { retryPolicy: { initialInterval: 20, maxInterval: 100 } };
      const services = [
        workflowOf(sdk, world, flow, options),
        workflowOf(sdk, world, brief, { ...options, workflowRetention: 1000 }),
        serviceOf(sdk, world, service, options),
      ];
      await lab.register(await serve(sdk, services, transport));
    });
    const result = (name: string, key: string, how: "attach" | "output") =>
      lab.ask(`/restate/workflow/${name}/${key}/${how}`, { method: "GET" });

    it("run once for a key: a second call is refused, a second send finds the first", async () => {
      const path = `/${flow}/once/run`;
      const step = `${tag}once`;
      assert.deepEqual(await lab.run(path, ["step", step, 1]), [1]);
      const again = await lab.ask(path, { body: [["step", step, 2]] });
      assert.equal(again.status, 409);
      assert.equal(again.headers.get("x-restate-error-source"), "invocation");
      const sent = await lab.ask(`${path}/send`, { body: [["step", step, 3]] });
      assert.equal(sent.status, 202);
      assert.equal(at(sent.json, "status"), "PreviouslyAccepted");
      const id = String(at(sent.json, "invocationId"));
      assert.deepEqual((await lab.attach(id)).json, [1]);
      assert.equal(world.times(step), 1);
      const child = await lab.run(`/${service}/run`, [
        "try",
        [["call", [flow, "once", "run"], []]],
      ]);
      assert.equal(at(child, 0, "code"), 409);
    });

    it("refuse a second run while the first one runs", async () => {
      const path = `/${flow}/busy/run`;
      const id = await lab.send(path, ["promise", "go"]);
      await lab.untilBegun(id);
      assert.equal((await lab.ask(path, { body: [] })).status, 409);
      await lab.run(`/${flow}/busy/look`, ["resolve", "go", "gone"]);
      assert.deepEqual((await lab.attach(id)).json, ["gone"]);
    });

    it("refuse an idempotency key on run, and take one on shared handlers", async () => {
      const headers = { "idempotency-key": "k" };
      const refused = await lab.ask(`/${flow}/idem/run`, { headers, body: [] });
      assert.equal(refused.status, 400);
      const step = `${tag}idem`;
      const look = { headers, body: [["step", step]] };
      for (let each = 0; each < 2; each += 1) {
        assert.equal((await lab.ask(`/${flow}/idem/look`, look)).status, 200);
      }
      assert.equal(world.times(step), 1);
    });

    it("hand out their result: not yet, when it is there, and for ever", async () => {
      const key = "result";
      assert.equal((await result(flow, key, "output")).status, 404);
      assert.equal((await result(flow, key, "attach")).status, 404);
      await lab.send(`/${flow}/${key}/run`, ["promise", "go"], ["step", "x", { y: 1 }]);
      assert.equal((await result(flow, key, "output")).status, 470);
      const attached = result(flow, key, "attach");
      await lab.run(`/${flow}/${key}/look`, ["resolve", "go", null]);
      assert.deepEqual((await attached).json, [null, { y: 1 }]);
      assert.deepEqual((await result(flow, key, "output")).json, [null, { y: 1 }]);
    });

    it("hand out a failure as their result", async () => {
      const path = `/${flow}/fails/run`;
      const body = [["throw", "no luck", 418, { why: "bad" }]];
      const first = await lab.ask(path, { body });
      assert.equal(first.status, 418);
      assert.deepEqual(at(first.json, "metadata"), { why: "bad" });
      const later = await result(flow, "fails", "attach");
      assert.equal(later.status, 418);
      assert.equal(at(later.json, "message"), "no luck");
    });

    it("await promises that their shared handlers resolve", async () => {
      const id = await lab.send(
        `/${flow}/promise/run`,
        ["peek", "p"],
        ["promise", "p"],
        ["peek", "p"],
      );
      await lab.untilBegun(id);
      const look = `/${flow}/promise/look`;
      assert.deepEqual(await lab.run(look, ["peek", "p"]), [null]);
      const listening = lab.run(look, ["promise", "p"]);
      assert.deepEqual(await lab.run(look, ["resolve", "p", "value"]), [null]);
      assert.deepEqual((await lab.attach(id)).json, [null, "value", "value"]);
      assert.deepEqual(await listening, ["value"]);
      assert.deepEqual(await lab.run(look, ["promise", "p"], ["peek", "p"]), ["value", "value"]);
    });

    it("complete a promise once: the second time fails with 409", async () => {
      const look = `/${flow}/twice/look`;
      await lab.run(look, ["resolve", "p", 1]);
      for (const op of [
        ["resolve", "p", 2],
        ["reject", "p", "no"],
      ] as const) {
        const answer = await lab.ask(look, { body: [op] });
        assert.equal(answer.status, 409, answer.text);
      }
      assert.deepEqual(await lab.run(look, ["peek", "p"]), [1]);
    });

    it("see a promise that was completed or rejected before they ran", async () => {
      const look = `/${flow}/before/look`;
      await lab.run(look, ["resolve", "p", "early"], ["reject", "q", "refused"]);
      assert.deepEqual(
        await lab.run(`/${flow}/before/run`, ["promise", "p"], ["try", [["promise", "q"]]]),
        ["early", { name: "TerminalError", code: 500, message: "refused" }],
      );
    });

    it("have state that shared handlers read, before, during and after the run", async () => {
      const look = `/${flow}/state/look`;
      assert.deepEqual(await lab.run(look, ["get", "stage"]), [null]);
      const id = await lab.send(
        `/${flow}/state/run`,
        ["set", "stage", 1],
        ["promise", "go"],
        ["set", "stage", 2],
      );
      await eventually(async () => assert.deepEqual(await lab.run(look, ["get", "stage"]), [1]));
      await lab.run(look, ["resolve", "go", null]);
      await lab.attach(id);
      assert.deepEqual(await lab.run(look, ["get", "stage"], ["keys"]), [2, ["stage"]]);
    });

    it("are called, sent to and attached to by handlers", async () => {
      const results = await lab.run(
        `/${service}/run`,
        ["send", [flow, "child", "run"], [["promise", "go"]]],
        ["call", [flow, "child", "look"], [["resolve", "go", "done"]]],
      );
      const id = String(at(results, 0));
      assert.deepEqual(await lab.run(`/${service}/run`, ["attach", id]), [["done"]]);
    });

    it("start later when sent with a delay", async () => {
      const id = await lab.send(`/${flow}/later/run?delay=3s`, ["step", `${tag}later`]);
      assert.equal(await lab.status(id), "scheduled");
      assert.equal((await result(flow, "later", "output")).status, 470);
      assert.equal((await result(flow, "later", "attach")).status, 200);
    });

    it("are forgotten after their retention, with state and promises, and may run again", async () => {
      const key = "again";
      const path = `/${brief}/${key}`;
      await lab.run(`${path}/look`, ["resolve", "p", 1]);
      await lab.run(`${path}/run`, ["set", "a", 1]);
      assert.deepEqual(await lab.run(`${path}/look`, ["get", "a"], ["peek", "p"]), [1, 1]);
      await eventually(async () => {
        assert.equal((await result(brief, key, "output")).status, 404);
        assert.deepEqual(await lab.run(`${path}/look`, ["get", "a"], ["peek", "p"]), [null, null]);
      });
      assert.deepEqual(await lab.run(`${path}/run`, ["get", "a"]), [null]);
    });

    it("are forgotten when purged, and may run again under the same id", async () => {
      const path = `/${flow}/purged`;
      const id = await lab.send(`${path}/run`, ["set", "a", 1]);
      await lab.attach(id);
      assert.equal(await lab.patch(id, "restart-as-new"), 422);
      assert.equal(await lab.patch(id, "purge"), 200);
      await eventually(async () => assert.deepEqual(await lab.run(`${path}/look`, ["keys"]), [[]]));
      assert.equal(await lab.send(`${path}/run`, ["get", "a"]), id);
      assert.deepEqual((await lab.attach(id)).json, [null]);
    });
  });
}
