/** Cancel, kill and pause: through the tree of calls, while a handler waits, and before it has begun. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, OFFICIAL, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab, OURS, pause } from "./lab.suite.ts";
import { type Branch, objectOf, serviceOf, World } from "./program.suite.ts";

const CANCELLED = { name: "CancelledError", code: 409, message: "Cancelled" };
const UNKNOWN_ID = `inv_1${"0".repeat(33)}`;

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

/** The entries of these types, as text. */
async function journal(id: string, ...types: readonly string[]): Promise<string[]> {
  const list = types.map((type) => `'${type}'`).join(", ");
  const rows = await lab.sql(
    `SELECT entry_json FROM sys_journal WHERE id = '${id}' AND entry_type IN (${list}) ORDER BY index`,
  );
  return rows.map((row) => String(at(row, "entry_json")));
}

/** Invocation ids in the order in which they stand in texts. */
const idsIn = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.match(/inv_1[0-9a-zA-Z]{33}/g) ?? []);

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`cancellation (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const options = { retryPolicy: { initialInterval: 20, maxInterval: 100 } };
      const services = [
        serviceOf(sdk, world, service, options),
        objectOf(sdk, world, object, options),
      ];
      await lab.register(await serve(sdk, services, transport));
    });
    /** Waits for ever, and undoes something when it is cancelled. */
    const child = (name: string): Branch => [
      "call",
      [service, null, "run"],
      [
        ["step", `${name}-begun`],
        ["try", [["signal", "never"]], [["step", `${name}-undone`]]],
      ],
    ];
    const begun = (...names: readonly string[]) =>
      eventually(() => {
        for (const name of names) assert.equal(world.times(`${name}-begun`), 1, name);
      });

    it("cancels the children that are awaited, in the order of the calls, then the handler", async () => {
      const [a, b] = [`${tag}a`, `${tag}b`];
      const id = await lab.send(path, [
        "try",
        [["all", [child(a), child(b)]]],
        [["step", `${tag}parent-undone`, "undone"]],
      ]);
      await begun(a, b);
      assert.equal(await lab.patch(id, "cancel"), 202);
      const [result] = (await lab.attach(id)).json as unknown[];
      assert.equal(at(result, "code"), 409);
      assert.deepEqual(at(result, "compensated"), ["undone"]);
      await eventually(() => {
        for (const name of [a, b]) assert.equal(world.times(`${name}-undone`), 1, name);
      });
      const children = idsIn(await journal(id, "Notification: CallInvocationId"));
      assert.equal(children.length, 2);
      assert.deepEqual(idsIn(await journal(id, "Command: SendSignal")), children);
      for (const one of children) {
        assert.equal(at((await lab.attach(one)).json, 1, "code"), 409);
      }
    });

    it("reaches grandchildren", async () => {
      const name = `${tag}grandchild`;
      const id = await lab.send(path, [
        "try",
        [["call", [service, null, "run"], [["try", [child(name)], [["step", `${name}-middle`]]]]]],
      ]);
      await begun(name);
      assert.equal(await lab.patch(id, "cancel"), 202);
      assert.equal(at((await lab.attach(id)).json, 0, "code"), 409);
      await eventually(() => {
        assert.equal(world.times(`${name}-undone`), 1);
        assert.equal(world.times(`${name}-middle`), 1);
      });
    });

    it("ends a handler that does not catch it with 409", async () => {
      const id = await lab.send(path, ["sleep", 60_000]);
      await lab.untilBegun(id);
      assert.equal(await lab.patch(id, "cancel"), 202);
      const answer = await lab.attach(id);
      assert.equal(answer.status, 409);
      assert.equal(at(answer.json, "message"), "Cancelled");
      assert.equal(answer.headers.get("x-restate-error-source"), "invocation");
    });

    it("does not reach one-way sends", async () => {
      const name = `${tag}sent`;
      const id = await lab.send(
        path,
        [
          "send",
          [service, null, "run"],
          [
            ["step", `${name}-begun`],
            ["signal", "go"],
          ],
        ],
        ["sleep", 60_000],
      );
      await begun(name);
      const [sent] = idsIn(await journal(id, "Notification: CallInvocationId"));
      assert(sent !== undefined);
      assert.equal(await lab.patch(id, "cancel"), 202);
      assert.equal((await lab.attach(id)).status, 409);
      await lab.run(path, ["sendSignal", sent, "go", "alive"]);
      assert.deepEqual((await lab.attach(sent)).json, [null, "alive"]);
    });

    it("reaches a handler at each of its awaits: sleep, awakeable, step, attach", async () => {
      const gate = `${tag}step`;
      const other = await lab.send(path, ["try", [["signal", "never"]]]);
      const waits: readonly Branch[] = [
        ["sleep", 60_000],
        ["awakeable", gate],
        ["attach", other],
        [
          "race",
          [
            ["signal", "x"],
            ["sleep", 60_000],
          ],
        ],
      ];
      const ids = await Promise.all(
        waits.map((wait) => lab.send(path, ["try", [wait]], ["step", gate])),
      );
      for (const id of ids) await lab.untilBegun(id);
      await pause(50);
      for (const id of ids) assert.equal(await lab.patch(id, "cancel"), 202);
      for (const id of ids) assert.deepEqual((await lab.attach(id)).json, [CANCELLED, null]);
      assert.equal(await lab.patch(other, "cancel"), 202);
      assert.deepEqual((await lab.attach(other)).json, [CANCELLED]);
    });

    it("lets a handler go on that caught it, and may reach it again", async () => {
      const id = await lab.send(
        path,
        ["try", [["sleep", 60_000]]],
        ["step", `${tag}survivor`],
        ["signal", "go"],
        ["try", [["sleep", 60_000]]],
      );
      await lab.untilBegun(id);
      assert.equal(await lab.patch(id, "cancel"), 202);
      await eventually(() => assert.equal(world.times(`${tag}survivor`), 1));
      await lab.run(path, ["sendSignal", id, "go", 1]);
      await pause(100);
      assert.equal(await lab.patch(id, "cancel"), 202);
      assert.deepEqual((await lab.attach(id)).json, [CANCELLED, null, 1, CANCELLED]);
    });

    it("does not spin when a handler survived it and waits on", OURS, async () => {
      const id = await lab.send(path, ["try", [["sleep", 60_000]]], ["signal", "go"]);
      await lab.untilBegun(id);
      await pause(30);
      assert.equal(await lab.patch(id, "cancel"), 202);
      await pause(600);
      const attempts = world.attempts.get(id) ?? 0;
      assert(attempts <= 4, `${attempts} attempts`);
      await lab.run(path, ["sendSignal", id, "go", "went"]);
      assert.equal(at((await lab.attach(id)).json, 1), "went");
    });

    it("comes from a handler as well", async () => {
      const id = await lab.send(path, ["try", [["sleep", 60_000]]]);
      await lab.untilBegun(id);
      await lab.run(path, ["cancel", id]);
      assert.deepEqual((await lab.attach(id)).json, [CANCELLED]);
    });

    it("ends what is scheduled or queued at once, without a handler", async () => {
      const gate = `${tag}queue`;
      const busy = await lab.send(`/${object}/queue/run`, ["gate", gate]);
      const queued = await lab.send(`/${object}/queue/run`, ["step", `${gate}-ran`]);
      const scheduled = await lab.send(`${path}?delay=60s`, ["step", `${gate}-ran`]);
      const waiting = lab.attach(queued);
      for (const id of [queued, scheduled]) assert.equal(await lab.patch(id, "cancel"), 200);
      assert.equal((await waiting).status, 409);
      world.open(gate);
      await lab.attach(busy);
      assert.equal(world.times(`${gate}-ran`), 0);
    });

    it("keeps a record of what it ended before it began", OURS, async () => {
      const one = await lab.send(`${path}?delay=60s`, ["id"]);
      const two = await lab.send(`${path}?delay=60s`, ["id"]);
      assert.equal(await lab.patch(one, "cancel"), 200);
      assert.equal(await lab.patch(two, "kill"), 200);
      for (const id of [one, two]) {
        assert.equal(await lab.status(id), "completed");
        const output = await lab.output(id);
        assert.equal(output.status, 409);
        assert.equal(await lab.patch(id, "cancel"), 409);
      }
    });

    it("fails a call whose child is cancelled", async () => {
      const name = `${tag}only-child`;
      const id = await lab.send(
        path,
        ["try", [child(name), ["step", "x"]]],
        ["try", [["call", [service, null, "run"], [["sleep", 60_000]]]]],
      );
      await begun(name);
      const [first] = idsIn(await journal(id, "Notification: CallInvocationId"));
      assert(first !== undefined);
      await lab.patch(first, "cancel");
      const second = await eventually(async () => {
        const found = idsIn(await journal(id, "Notification: CallInvocationId"))[1];
        assert(found !== undefined);
        return found;
      });
      await lab.patch(second, "cancel");
      const results = (await lab.attach(id)).json;
      assert.equal(at(results, 0, 0, 1, "code"), 409);
      assert.equal(at(results, 1, "code"), 409);
    });

    it("kills a tree: calls and sends end with 409, and no handler is asked", async () => {
      const name = `${tag}kill`;
      const id = await lab.send(
        path,
        ["send", [service, null, "run"], [["signal", "never"]]],
        child(name),
      );
      await begun(name);
      const children = idsIn(await journal(id, "Notification: CallInvocationId"));
      assert.equal(children.length, 2);
      assert.equal(await lab.patch(id, "kill"), 200);
      for (const each of [id, ...children]) {
        const answer = await lab.attach(each);
        assert.equal(answer.status, 409, each);
        assert.equal(at(answer.json, "message"), "killed");
      }
      assert.equal(world.times(`${name}-undone`), 0);
    });

    it("releases the key of a killed exclusive handler", async () => {
      const gate = `${tag}killed`;
      const id = await lab.send(`/${object}/killed/run`, ["set", "a", 1], ["gate", gate]);
      await eventually(async () => {
        assert.equal(world.times(gate), 1);
        assert.deepEqual(await lab.run(`/${object}/killed/look`, ["get", "a"]), [1]);
      });
      assert.equal(await lab.patch(id, "kill"), 200);
      assert.deepEqual(await lab.run(`/${object}/killed/run`, ["get", "a"]), [1]);
      world.open(gate);
    });

    it("pauses what runs, resumes it, and reaches what is paused", async () => {
      const gate = `${tag}pause`;
      const [one, two] = await Promise.all([
        lab.send(path, ["gate", `${gate}-1`], ["step", gate, "on"]),
        lab.send(path, ["gate", `${gate}-2`], ["try", [["signal", "never"]]]),
      ]);
      await eventually(() => assert.equal(world.times(`${gate}-1`) + world.times(`${gate}-2`), 2));
      for (const id of [one, two]) assert.equal(await lab.patch(id, "pause"), 202);
      for (const name of ["1", "2"]) world.open(`${gate}-${name}`);
      for (const id of [one, two]) await lab.until(id, "paused");
      assert.equal((await lab.output(one)).status, 470);
      assert.equal(await lab.patch(one, "resume"), 200);
      assert.deepEqual((await lab.attach(one)).json, [null, "on"]);
      assert.equal(await lab.patch(two, "cancel"), 202);
      const cancelled = await lab.attach(two);
      assert(cancelled.status === 409 || at(cancelled.json, 1, "code") === 409, cancelled.text);
    });

    it(
      "pauses what is suspended, and a signal for it waits until it is resumed",
      OURS,
      async () => {
        const id = await lab.send(path, ["signal", "go"]);
        await lab.untilBegun(id);
        await lab.patch(id, "pause");
        await lab.until(id, "paused");
        await lab.run(path, ["sendSignal", id, "go", "kept"]);
        await pause(60);
        assert.equal(await lab.status(id), "paused");
        assert.equal(await lab.patch(id, "resume"), 200);
        assert.deepEqual((await lab.attach(id)).json, ["kept"]);
      },
    );
  });
}

for (const { sdk: sdkName, transport, tag, title } of OFFICIAL) {
  it(`explicit cancellation is a promise of the handler's own (${title})`, async () => {
    const sdk = await loadSdk(sdkName);
    const service = `${tag}Explicit`;
    const options = { explicitCancellation: true };
    await lab.register(
      await serve(sdk, [serviceOf(sdk, new World(), service, options)], transport),
    );
    const id = await lab.send(
      `/${service}/run`,
      [
        "race",
        [
          ["map", ["signal", "never"], "signal"],
          ["map", ["cancellation"], "cancelled"],
        ],
      ],
      ["sleep", 1],
    );
    await lab.untilBegun(id);
    assert.equal(await lab.patch(id, "cancel"), 202);
    assert.deepEqual((await lab.attach(id)).json, ["cancelled:undefined", null]);
  });
}

it("operations on what is completed, unknown or malformed say so", async () => {
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, new World(), "States")], "h2"));
  const done = await lab.send("/States/run", ["id"]);
  const scheduled = await lab.send("/States/run?delay=60s", ["id"]);
  const running = await lab.send("/States/run", ["signal", "never"]);
  await lab.attach(done);
  await lab.untilBegun(running);
  const table: readonly (readonly [
    verb: string,
    scheduled: number,
    running: number,
    done: number,
  ])[] = [
    ["pause", 409, 0, 409],
    ["resume", 425, 200, 409],
    ["purge", 409, 409, 0],
    ["purge-journal", 409, 409, 200],
    ["restart-as-new", 425, 409, 410],
    ["cancel", 0, 0, 409],
    ["kill", 200, 200, 409],
  ];
  for (const [verb, ...expected] of table) {
    for (const [index, id] of [scheduled, running, done].entries()) {
      const status = expected[index];
      if (status !== 0) assert.equal(await lab.patch(id, verb), status, `${verb} ${index}`);
    }
    assert.equal(await lab.patch(UNKNOWN_ID, verb), 404, verb);
    assert.equal(await lab.patch("inv_1nonsense", verb), 400, verb);
  }
  assert.equal(await lab.patch(done, "purge"), 200);
  assert.equal(await lab.status(done), "gone");
  assert.equal((await lab.attach(done)).status, 404);
});
