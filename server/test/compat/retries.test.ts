/** What fails is tried again as its policy says, and what fails for good is told to callers as it is. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { serviceOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`retries (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const kills = `${tag}Kills`;
    const pauses = `${tag}Pauses`;
    const patient = `${tag}Patient`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const quick = { initialInterval: 10, maxInterval: 50 };
      const services = [
        serviceOf(sdk, world, service, { retryPolicy: quick }),
        serviceOf(sdk, world, kills, {
          retryPolicy: { ...quick, maxAttempts: 3, onMaxAttempts: "kill" },
        }),
        serviceOf(sdk, world, pauses, {
          retryPolicy: { ...quick, maxAttempts: 3, onMaxAttempts: "pause" },
        }),
        serviceOf(sdk, world, patient, { retryPolicy: { initialInterval: 60_000 } }),
      ];
      await lab.register(await serve(sdk, services, transport));
    });

    it("repeat a handler that throws until it works, without repeating its steps", async () => {
      const name = `${tag}until`;
      const results = await lab.run(path, ["step", name, 1], ["sleep", 1], ["crash", name, 4]);
      assert.deepEqual(results, [1, null, null]);
      assert.equal(world.times(name), 1);
      assert.equal(world.crashed(name), 5);
    });

    it(
      "end with the last error where the policy says kill, and no stack trace leaks to the caller",
      OURS,
      async () => {
        const name = `${tag}kill`;
        const answer = await lab.ask(`/${kills}/run`, { body: [["crash", name, 100]] });
        assert.equal(answer.status, 500);
        assert.equal(answer.headers.get("x-restate-error-source"), "invocation");
        assert.match(String(at(answer.json, "message")), /crashes/);
        assert.equal(at(answer.json, "stacktrace"), undefined);
        assert.equal(world.crashed(name), 3);
      },
    );

    it("pause where the policy says so, and begin anew when resumed", async () => {
      const name = `${tag}pause`;
      const id = await lab.send(`/${pauses}/run`, ["crash", name, 5], ["step", name, "done"]);
      await lab.until(id, "paused");
      assert.equal(world.crashed(name), 3);
      assert.equal(await lab.patch(id, "resume"), 200);
      assert.deepEqual((await lab.attach(id)).json, [null, "done"]);
      assert(world.crashed(name) >= 6);
    });

    it("keep the last failure of what is paused", OURS, async () => {
      const name = `${tag}failure`;
      const id = await lab.send(`/${pauses}/run`, ["crash", name, 99]);
      await lab.until(id, "paused");
      const [row] = await lab.sql(`SELECT last_failure FROM sys_invocation WHERE id = '${id}'`);
      assert.match(String(at(row, "last_failure")), /crashes/);
      assert.match(JSON.stringify(await lab.invocation(id)), /crashes/);
    });

    it("wait for the next try, and try at once when resumed", async () => {
      const name = `${tag}patient`;
      const id = await lab.send(`/${patient}/run`, ["crash", name, 1], ["id"]);
      await lab.until(id, "backing-off");
      const [row] = await lab.sql(
        `SELECT status, next_retry_at, retry_count FROM sys_invocation WHERE id = '${id}'`,
      );
      const inMs = Date.parse(String(at(row, "next_retry_at"))) - Date.now();
      assert(inMs > 50_000 && inMs < 90_000, String(at(row, "next_retry_at")));
      assert.equal(await lab.patch(id, "resume"), 200);
      assert.equal((await lab.attach(id)).status, 200);
    });

    it("end at once when killed while they wait", async () => {
      const id = await lab.send(`/${patient}/run`, ["crash", `${tag}killed`, 9]);
      await lab.until(id, "backing-off");
      assert.equal(await lab.patch(id, "kill"), 200);
      assert.equal((await lab.attach(id)).status, 409);
    });

    it("repeat a step by its own policy", async () => {
      const policy = { initialRetryInterval: 5, retryIntervalFactor: 1 };
      const name = `${tag}own`;
      assert.deepEqual(await lab.run(path, ["flakyStep", name, 3, policy]), ["works"]);
      assert.equal(world.crashed(name), 4);
    });

    it("give up on a step when its own policy says so, with a terminal error", async () => {
      const name = `${tag}gives-up`;
      const policy = { initialRetryInterval: 5, maxRetryAttempts: 3 };
      assert.deepEqual(await lab.run(path, ["try", [["flakyStep", name, 99, policy]]]), [
        { name: "TerminalError", code: 500, message: `${name} fails` },
      ]);
      assert.equal(world.crashed(name), 3);
    });

    it("do not use up the attempts of the handler for a step with its own policy", async () => {
      const name = `${tag}budget`;
      const policy = { initialRetryInterval: 1, maxRetryInterval: 5 };
      assert.deepEqual(await lab.run(`/${kills}/run`, ["flakyStep", name, 8, policy]), ["works"]);
    });

    it("repeat a step without a policy by that of the handler", async () => {
      const name = `${tag}plain`;
      assert.deepEqual(await lab.run(path, ["flakyStep", name, 3]), ["works"]);
    });

    it("do not happen after a terminal error, which reaches callers with code and metadata", async () => {
      const name = `${tag}terminal`;
      const body = [
        ["step", name],
        ["throw", "gone", 410, { reason: "moved", where: "é" }],
      ];
      const answer = await lab.ask(path, { body });
      assert.equal(answer.status, 410);
      assert.deepEqual(answer.json, {
        ...(answer.json as object),
        code: 410,
        message: "gone",
        source: "invocation",
        metadata: { reason: "moved", where: "é" },
      });
      assert.match(answer.headers.get("x-restate-id") ?? "", /^inv_1/);
      assert.equal(world.times(name), 1);
      const parent = await lab.run(path, [
        "try",
        [["call", [service, null, "run"], [["throw", "child", 422, { a: "b" }]]]],
      ]);
      assert.deepEqual(parent, [
        { name: "TerminalError", code: 422, message: "child", metadata: { a: "b" } },
      ]);
    });

    it("are told in `sys_journal_events`, with the step that failed", async () => {
      const name = `${tag}events`;
      const id = await lab.send(path, ["step", `${name}-ok`, 1], ["flakyStep", name, 2]);
      await lab.attach(id);
      const events = await lab.sql(
        `SELECT event_type, event_json FROM sys_journal_events WHERE id = '${id}' AND event_type = 'TransientError'`,
      );
      assert(events.length > 0);
      const event = JSON.parse(String(at(events[0], "event_json"))) as unknown;
      assert.match(String(at(event, "error_message")), /fails/);
      assert.equal(at(event, "related_command_name"), name);
      assert.equal(at(event, "related_command_type"), "Run");
    });
  });
}

it("the code of a terminal error is the status of the answer", async () => {
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, new World(), "Codes")], "h2"));
  for (const code of [400, 404, 409, 418, 451, 500, 503, 599]) {
    const answer = await lab.ask("/Codes/run", { body: [["throw", "m", code]] });
    assert.equal(answer.status, code);
    assert.equal(at(answer.json, "code"), code);
    assert.equal(at(answer.json, "source"), "invocation");
  }
  const odd = await lab.ask("/Codes/run", { body: [["throw", "m", 1234]] });
  assert.deepEqual([odd.status, at(odd.json, "code")], [500, 1234]);
  const none = await lab.ask("/Codes/run", { body: [["throw", "m"]] });
  assert.deepEqual([none.status, at(none.json, "code")], [500, 500]);
});

it("a failure never looks like a success, whatever its code", OURS, async () => {
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, new World(), "OddCodes")], "h2"));
  for (const code of [100, 150, 200, 204, 301]) {
    const answer = await lab.ask("/OddCodes/run", { body: [["throw", "m", code]] });
    assert.equal(answer.status, 500, `${code}`);
    assert.equal(at(answer.json, "message"), "m");
    assert.equal(at(answer.json, "code"), code);
  }
});

it("an invocation whose child cannot be found says which", async () => {
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, new World(), "Lost")], "h2"));
  const id = await lab.send("/Lost/run", ["call", ["Nowhere", null, "run"], []]);
  await eventually(async () => {
    const [row] = await lab.sql(
      `SELECT last_failure, last_failure_error_code FROM sys_invocation WHERE id = '${id}'`,
    );
    assert.match(String(at(row, "last_failure")), /Nowhere/);
    assert.equal(at(row, "last_failure_error_code"), "RT0018");
  });
  assert.equal(await lab.patch(id, "kill"), 200);
});
