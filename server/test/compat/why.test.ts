/** For whatever an invocation waits, `GET /invocations/{id}/why` says what it is, since when, and what that waits for in its turn. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, OFFICIAL, serve } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { objectOf, type Op, serviceOf, workflowOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

/** The causes of these kinds that `why` tells; waits until there is one of each. */
async function causes(id: string, ...kinds: readonly string[]): Promise<unknown[]> {
  return await eventually(async () => {
    const why = await lab.why(id);
    assert.match(String(at(why, "explanation")), /\w+ \w+/);
    const all = at(why, "causes") as unknown[];
    return kinds.map((kind) => {
      const found = all.find((each) => at(each, "kind") === kind);
      assert(found !== undefined, `${kind} in ${JSON.stringify(why)}`);
      return found;
    });
  });
}

const isTime = (text: unknown): boolean => !Number.isNaN(Date.parse(String(text)));

for (const { sdk: sdkName, transport, tag, title } of OFFICIAL) {
  describe(`why (${title})`, { concurrency: true, ...OURS }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const flow = `${tag}Flow`;
    const patient = `${tag}Patient`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const services = [
        serviceOf(sdk, world, service, { retryPolicy: { initialInterval: 5, maxAttempts: 2 } }),
        serviceOf(sdk, world, patient, { retryPolicy: { initialInterval: 60_000 } }),
        objectOf(sdk, world, object),
        workflowOf(sdk, world, flow),
      ];
      await lab.register(await serve(sdk, services, transport));
    });
    const send = (...ops: readonly Op[]) => lab.send(`/${service}/run`, ...ops);

    it("a timer", async () => {
      const id = await send(["sleep", 60_000]);
      const [timer] = await causes(id, "timer");
      const inMs = Date.parse(String(at(timer, "wake_up_at"))) - Date.now();
      assert(inMs > 30_000 && inMs <= 61_000);
      assert(isTime(at(timer, "since")));
    });

    it("an awakeable, by its id, and a signal, by its name", async () => {
      const name = `${tag}why`;
      const id = await send(["awakeable", name]);
      if (transport !== "h2") {
        const [awakeable] = await causes(id, "awakeable");
        assert.equal(at(awakeable, "awakeable_id"), world.awakeables.get(name));
        const [signal] = await causes(await send(["signal", "go"]), "signal");
        assert.equal(at(signal, "name"), "go");
      } else {
        // An open stream of V6 does not tell what its handler awaits.
        await causes(id, "attempt");
      }
    });

    it("a call, with what the callee waits for", async () => {
      const id = await send(["call", [service, null, "run"], [["sleep", 60_000]]]);
      const [call] = await causes(id, "invocation");
      assert.equal(at(call, "by"), "call");
      assert.equal(at(call, "target"), `${service}/run`);
      assert.match(String(at(call, "invocation_id")), /^inv_1/);
      await eventually(async () => {
        const [deep] = await causes(id, "invocation");
        const behind = at(deep, "why", "causes") as unknown[];
        assert(behind.some((each) => at(each, "kind") === "timer"));
      });
    });

    it("an invocation it attached to", async () => {
      const other = await send(["sleep", 60_000]);
      const id = await send(["attach", other]);
      const [attached] = await causes(id, "invocation");
      assert.equal(at(attached, "by"), "attach");
      assert.equal(at(attached, "invocation_id"), other);
    });

    it("a promise of its workflow", async () => {
      const id = await lab.send(`/${flow}/k/run`, ["promise", "approval"]);
      const [promise] = await causes(id, "promise");
      assert.equal(at(promise, "promise"), "approval");
    });

    it("a step", async () => {
      const name = `${tag}step`;
      const id = await send(["gate", name]);
      const [step] = await causes(id, "step");
      assert.equal(at(step, "name"), name);
      world.open(name);
    });

    it("its key: the place in the queue, who holds it, and what the holder waits for", async () => {
      const path = `/${object}/chain/run`;
      const holder = await lab.send(path, ["sleep", 60_000]);
      await lab.untilBegun(holder);
      const first = await lab.send(path, ["id"]);
      const second = await lab.send(path, ["id"]);
      const [key] = await causes(second, "key");
      assert.equal(at(key, "holder"), holder);
      assert.equal(at(key, "key"), "chain");
      assert.equal(at(key, "position"), 2);
      assert.equal(at(key, "why", "id"), holder);
      assert.equal(at((await causes(first, "key"))[0], "position"), 1);
    });

    it("a cycle of calls that can never end", async () => {
      const id = await lab.send(`/${object}/cycle/run`, [
        "call",
        [object, "cycle", "run"],
        [["id"]],
      ]);
      await eventually(async () => {
        const why = await lab.why(id);
        assert.equal((at(why, "cycles") as unknown[] | undefined)?.length, 1, JSON.stringify(why));
        if (transport !== "h2") assert.equal(at(why, "cycles", 0, "is_deadlock"), true);
      });
      assert.equal(await lab.patch(id, "kill"), 200);
    });

    it("its next attempt, with the failure of the last", async () => {
      const id = await lab.send(`/${patient}/run`, ["crash", `${tag}retry`, 9]);
      const [retry] = await causes(id, "retry");
      assert.equal(at(retry, "retry_count"), 1);
      assert(isTime(at(retry, "next_retry_at")));
      assert.equal(at(retry, "last_failure", "error_code"), "RT0007");
      assert.match(String(at(retry, "last_failure", "message")), /crashes/);
    });

    it("an operator, and why it is paused", async () => {
      const exhausted = await send(["crash", `${tag}paused`, 9]);
      const [paused] = await causes(exhausted, "paused");
      assert.equal(at(paused, "reason"), "retries-exhausted");
      assert.match(String(at(paused, "last_failure", "message")), /crashes/);
      const asked = await send(["signal", "never"]);
      await lab.untilBegun(asked);
      await lab.patch(asked, "pause");
      const [operator] = await causes(asked, "paused");
      assert.equal(at(operator, "reason"), "operator");
    });

    it("its start time", async () => {
      const id = await lab.send(`/${service}/run?delay=1h`, ["id"]);
      const [start] = await causes(id, "start-time");
      assert(isTime(at(start, "starts_at")));
    });

    it("a deployment that is gone", async () => {
      const sdk = await loadSdk(sdkName);
      const name = `${tag}Gone`;
      const endpoint = await serve(sdk, [serviceOf(sdk, world, name)], transport);
      const deployment = await lab.register(endpoint);
      const id = await lab.send(`/${name}/run`, ["step", "x"], ["sleep", 100]);
      await eventually(async () =>
        assert.equal(at(await lab.invocation(id), "pinned_deployment_id"), deployment),
      );
      await lab.tell("DELETE", `/deployments/${deployment}?force=true`);
      const [missing] = await causes(id, "deployment-missing");
      assert.equal(at(missing, "deployment_id"), deployment);
    });

    it("nothing, of what has its result", async () => {
      const id = await send(["id"]);
      await lab.attach(id);
      const why = await lab.why(id);
      assert.equal(at(why, "status"), "completed");
      assert.deepEqual(at(why, "causes"), []);
    });
  });
}

it("nothing is said of what is unknown", OURS, async () => {
  const answer = await lab.tell("GET", `/invocations/inv_1${"0".repeat(33)}/why`);
  assert.equal(answer.status, 404);
});
