/** Signals and awakeables: from handlers and from callers, twice, and before anybody waits for them. */
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

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`signals (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const services = [serviceOf(sdk, world, service), objectOf(sdk, world, object)];
      await lab.register(await serve(sdk, services, transport));
    });

    /** A handler that waits for an awakeable: its invocation id, and the awakeable's. */
    const waiter = async (name: string): Promise<{ id: string; awakeable: string }> => {
      const id = await lab.send(path, ["try", [["awakeable", name]]]);
      const awakeable = await eventually(() => {
        const found = world.awakeables.get(name);
        assert(found !== undefined);
        return found;
      });
      assert.match(awakeable, /^sign_1[\w-]{38}$/);
      return { id, awakeable };
    };
    const complete = (awakeable: string, how: "resolve" | "reject", body: unknown) =>
      lab.ask(`/restate/awakeables/${awakeable}/${how}`, { body });

    it("resolve an awakeable from outside, under both paths", async () => {
      const one = await waiter("outside");
      const answer = await complete(one.awakeable, "resolve", { x: [1] });
      assert.deepEqual([answer.status, answer.text], [202, ""]);
      assert.deepEqual((await lab.attach(one.id)).json, [[{ x: [1] }]]);
      const two = await waiter("outside-short");
      await lab.ask(`/restate/a/${two.awakeable}/resolve`, { body: '"y"' });
      assert.deepEqual((await lab.attach(two.id)).json, [["y"]]);
    });

    it("reject an awakeable from outside with a reason in plain text", async () => {
      const { id, awakeable } = await waiter("rejected");
      const headers = { "content-type": "text/plain" };
      await lab.ask(`/restate/awakeables/${awakeable}/reject`, { headers, body: "not today" });
      assert.deepEqual((await lab.attach(id)).json, [
        { name: "TerminalError", code: 500, message: "not today" },
      ]);
    });

    it("complete an awakeable from a handler", async () => {
      const resolved = await waiter("inside");
      await lab.run(path, ["resolveAwakeable", resolved.awakeable, { y: 2 }]);
      assert.deepEqual((await lab.attach(resolved.id)).json, [[{ y: 2 }]]);
      const rejected = await waiter("inside-rejected");
      await lab.run(path, ["rejectAwakeable", rejected.awakeable, "no"]);
      assert.deepEqual((await lab.attach(rejected.id)).json, [
        { name: "TerminalError", code: 500, message: "no" },
      ]);
    });

    it(
      "take the first completion of an awakeable, and accept the others without harm",
      OURS,
      async () => {
        const gate = `${tag}first`;
        const id = await lab.send(path, [
          "all",
          [
            ["awakeable", gate],
            ["gate", gate],
          ],
        ]);
        const awakeable = await eventually(() => {
          assert.equal(world.times(gate), 1);
          return String(world.awakeables.get(gate));
        });
        assert.equal((await complete(awakeable, "resolve", 1)).status, 202);
        assert.equal((await complete(awakeable, "resolve", 2)).status, 202);
        assert.equal((await complete(awakeable, "reject", "no")).status, 202);
        world.open(gate);
        assert.deepEqual((await lab.attach(id)).json, [[1, null]]);
        assert.equal((await complete(awakeable, "resolve", 3)).status, 202);
      },
    );

    it("refuse what is no awakeable, and accept one that nobody knows", async () => {
      for (const bad of ["nonsense", "sign_1nonsense", "inv_1abc"]) {
        assert.equal((await complete(bad, "resolve", 1)).status, 400, bad);
      }
      const unknown = `sign_1${Buffer.alloc(28, 7).toString("base64url")}`;
      assert.equal((await complete(unknown, "resolve", 1)).status, 202);
    });

    it("send named signals from handler to handler: values, nothing, and failures", async () => {
      const id = await lab.send(
        path,
        ["signal", "value"],
        ["signal", "nothing"],
        ["try", [["signal", "failure"]]],
      );
      await lab.run(
        path,
        ["rejectSignal", id, "failure", "sorry"],
        ["sendSignal", id, "nothing", undefined],
        ["sendSignal", id, "value", { z: 3 }],
      );
      assert.deepEqual((await lab.attach(id)).json, [
        { z: 3 },
        null,
        { name: "TerminalError", code: 500, message: "sorry" },
      ]);
    });

    it("keep signals of different names and invocations apart", async () => {
      const [a, b] = await Promise.all([
        lab.send(path, ["signal", "x"], ["signal", "é 中"]),
        lab.send(path, ["signal", "x"]),
      ]);
      await lab.run(path, ["sendSignal", a, "é 中", "unicode"], ["sendSignal", b, "x", "b"]);
      assert.deepEqual((await lab.attach(b)).json, ["b"]);
      await lab.run(path, ["sendSignal", a, "x", "a"]);
      assert.deepEqual((await lab.attach(a)).json, ["a", "unicode"]);
    });

    it("keep a signal that comes before its invocation starts", OURS, async () => {
      const later = await lab.send(`${path}?delay=3s`, ["signal", "early"]);
      assert.equal(await lab.status(later), "scheduled");
      const gate = `${tag}queued`;
      const busy = await lab.send(`/${object}/queue/run`, ["gate", gate]);
      const queued = await lab.send(`/${object}/queue/run`, ["signal", "early"], ["id"]);
      assert.equal(await lab.status(queued), "queued");
      await lab.run(
        path,
        ["sendSignal", later, "early", "to scheduled"],
        ["sendSignal", queued, "early", "to queued"],
      );
      world.open(gate);
      await lab.attach(busy);
      assert.deepEqual((await lab.attach(later)).json, ["to scheduled"]);
      assert.equal(at((await lab.attach(queued)).json, 0), "to queued");
    });

    it("are taken from outside, with a value or a reason", OURS, async () => {
      const send = (id: string, name: string, how: string, body: unknown) =>
        lab.ask(`/restate/signals/${id}/${encodeURIComponent(name)}/${how}`, { body });
      const id = await lab.send(path, ["signal", "go on"], ["try", [["signal", "b"]]]);
      assert.equal((await send(id, "go on", "resolve", { n: 1 })).status, 202);
      assert.equal((await send(id, "b", "reject", "because")).status, 202);
      const [value, failure] = (await lab.attach(id)).json as unknown[];
      assert.deepEqual(value, { n: 1 });
      assert.equal(at(failure, "code"), 500);
      assert.match(String(at(failure, "message")), /because/);
      assert.equal((await send("inv_nonsense", "a", "resolve", 1)).status, 400);
    });

    it("fail the attempt of a handler that completes what is no awakeable", async () => {
      const id = await lab.send(path, ["resolveAwakeable", "nonsense", 1], ["sleep", 1]);
      await lab.until(id, "backing-off");
      const [row] = await lab.sql(`SELECT last_failure FROM sys_invocation WHERE id = '${id}'`);
      assert.match(String(at(row, "last_failure")), /awakeable|nonsense|identifier|id/i);
      assert.equal(await lab.patch(id, "kill"), 200);
    });
  });
}
