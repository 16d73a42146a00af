/** Bounds that an operator sets: on state, messages, attempts in flight, and how long a stream may be quiet. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab } from "./lab.suite.ts";
import { type Op, objectOf, serviceOf, World } from "./program.suite.ts";

let lab: Lab;
/** Where few attempts may be in flight. */
let crowded: Lab;
before(async () => {
  lab = await Lab.start(["--eager-state-limit", "2kb"]);
  crowded = await Lab.start(["--max-attempts", "4"]);
});
after(async () => {
  await crowded.close();
  await lab.close();
});

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`limits (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const quiet = `${tag}Quiet`;
    const aborted = `${tag}Aborted`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const services = [
        serviceOf(sdk, world, service),
        objectOf(sdk, world, object),
        serviceOf(sdk, world, quiet, { inactivityTimeout: 60 }),
        serviceOf(sdk, world, aborted, {
          inactivityTimeout: 50,
          abortTimeout: 500,
          retryPolicy: { initialInterval: 5, maxAttempts: 2 },
        }),
      ];
      const endpoint = await serve(sdk, services, transport);
      await lab.register(endpoint);
      await crowded.register(endpoint);
    });

    it("state beyond what is sent with an attempt is there all the same", async () => {
      const to = `/${object}/large/run`;
      const names = Array.from({ length: 8 }, (_, index) => `k${index}`);
      const value = (name: string) => name.repeat(300);
      await lab.run(to, ...names.map((name): Op => ["set", name, value(name)]));
      assert.deepEqual(
        await lab.run(
          to,
          ...names.map((name): Op => ["get", name]),
          ["get", "missing"],
          ["keys"],
          ["clear", "k3"],
          ["sleep", 5],
          ["get", "k3"],
          ["get", "k4"],
        ),
        [...names.map(value), null, names, null, null, null, value("k4")],
      );
    });

    it("values of a megabyte go through calls, steps, state and answers", async () => {
      const large = "é".repeat(500_000);
      assert.deepEqual(
        await lab.run(
          `/${object}/megabyte/run`,
          ["step", "large", large],
          ["set", "large", large],
          ["call", [service, null, "run"], [["step", "large", large]]],
        ),
        [large, null, [large]],
      );
      assert.deepEqual(await lab.run(`/${object}/megabyte/look`, ["get", "large"]), [large]);
    });

    it("more calls within calls than attempts are allowed do not block each other", async () => {
      const nested = (depth: number): Op =>
        depth === 0
          ? ["step", "leaf", depth]
          : ["call", [service, null, "run"], [nested(depth - 1)]];
      const deep = (depth: number): unknown => (depth === 0 ? 0 : [deep(depth - 1)]);
      const results = await Promise.all([1, 2].map(() => crowded.run(path, nested(5))));
      assert.deepEqual(results, [[deep(5)], [deep(5)]]);
    });

    it("a quiet stream is asked to suspend, and goes on when something happens", async () => {
      const id = await lab.send(`/${quiet}/run`, ["step", "a", 1], ["signal", "go"]);
      await lab.until(id, "suspended");
      await lab.run(path, ["sendSignal", id, "go", "went"]);
      assert.deepEqual((await lab.attach(id)).json, [1, "went"]);
      assert((world.attempts.get(id) ?? 0) >= 2);
    });

    it("a step that outlasts both timeouts is cut, which is told, and executed again", async () => {
      const gate = `${tag}long`;
      const id = await lab.send(`/${aborted}/run`, ["gate", gate], ["step", "b", 2]);
      await lab.until(id, "paused");
      assert.equal(world.times(gate), 2);
      world.open(gate);
      assert.equal(await lab.patch(id, "resume"), 200);
      assert.deepEqual((await lab.attach(id)).json, [null, 2]);
      const events = await lab.sql(
        `SELECT event_json FROM sys_journal_events WHERE id = '${id}' AND event_type = 'TransientError'`,
      );
      await eventually(() => assert.match(String(at(events, 0, "event_json")), /RT0001/));
    });
  });
}
