/** Whatever an invocation was doing, it goes on with it after the server was killed and started again. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, type Variant, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab, OURS, pause } from "./lab.suite.ts";
import { objectOf, serviceOf, workflowOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  if (!OURS.skip) lab = await Lab.start();
});
after(async () => {
  if (!OURS.skip) await lab.close();
});

/** What is started before the crash; each answers for what is to be true after it. */
async function prepare({ sdk: sdkName, transport, tag }: Variant): Promise<() => Promise<void>> {
  const world = new World();
  const [service, object, flow] = [`${tag}Service`, `${tag}Object`, `${tag}Flow`];
  const [patient, pauses] = [`${tag}Patient`, `${tag}Pauses`];
  const sdk = await loadSdk(sdkName);
  const services = [
    serviceOf(sdk, world, service),
    objectOf(sdk, world, object),
    workflowOf(sdk, world, flow),
    serviceOf(sdk, world, patient, { retryPolicy: { initialInterval: 60_000 } }),
    serviceOf(sdk, world, pauses, { retryPolicy: { initialInterval: 5, maxAttempts: 1 } }),
  ];
  await lab.register(await serve(sdk, services, transport));
  const path = `/${service}/run`;
  const done = await lab.send(path, ["step", `${tag}done`, 1]);
  await lab.attach(done);
  await lab.run(`/${object}/k/run`, ["set", "order", []], ["set", "kept", { deep: [1] }]);
  const holder = await lab.send(`/${object}/k/run`, ["step", `${tag}holder`], ["signal", "go"]);
  const queued: string[] = [];
  for (const number of [1, 2, 3]) {
    queued.push(
      await lab.send(`/${object}/k/run`, ["get", "kept"], ["step", `${tag}queue-${number}`]),
    );
  }
  const sleeping = await lab.send(path, ["sleep", 700], ["step", `${tag}slept`, "slept"]);
  const scheduled = await lab.send(`${path}?delay=700ms`, ["step", `${tag}scheduled`, "ran"]);
  const parent = await lab.send(path, [
    "call",
    [service, null, "run"],
    [["signal", "child"], ["id"]],
  ]);
  const running = await lab.send(`/${flow}/w/run`, ["set", "a", 1], ["promise", "p"]);
  await lab.run(`/${flow}/early/look`, ["resolve", "p", "early"]);
  const backing = await lab.send(`/${patient}/run`, ["crash", `${tag}backing`, 1], ["id"]);
  const paused = await lab.send(`/${pauses}/run`, ["crash", `${tag}paused`, 1], ["id"]);
  await lab.until(backing, "backing-off");
  await lab.until(paused, "paused");
  await eventually(() => assert.equal(world.times(`${tag}holder`), 1));
  for (const id of queued) assert.equal(await lab.status(id), "queued");
  await pause(50);

  return async () => {
    assert.deepEqual((await lab.output(done)).json, [1]);
    assert.equal(await lab.status(paused), "paused");
    assert.equal(await lab.status(backing), "backing-off");
    for (const id of queued) assert.equal(await lab.status(id), "queued");
    const child = await eventually(async () => {
      const rows = await lab.sql(`SELECT id FROM sys_invocation WHERE invoked_by_id = '${parent}'`);
      assert.equal(rows.length, 1);
      return String(at(rows, 0, "id"));
    });
    await lab.run(path, ["sendSignal", holder, "go", "went"], ["sendSignal", child, "child", 5]);
    assert.equal(at((await lab.attach(holder)).json, 1), "went");
    assert.deepEqual((await lab.attach(parent)).json, [[5, child]]);
    for (const id of queued) assert.deepEqual(at((await lab.attach(id)).json, 0), { deep: [1] });
    assert.deepEqual(
      world.steps.filter((step) => step.startsWith(`${tag}queue-`)),
      [1, 2, 3].map((number) => `${tag}queue-${number}`),
    );
    assert.deepEqual((await lab.attach(sleeping)).json, [null, "slept"]);
    assert.deepEqual((await lab.attach(scheduled)).json, ["ran"]);
    await lab.run(`/${flow}/w/look`, ["resolve", "p", "late"]);
    assert.deepEqual((await lab.attach(running)).json, [null, "late"]);
    assert.deepEqual(await lab.run(`/${flow}/w/look`, ["get", "a"]), [1]);
    assert.deepEqual(await lab.run(`/${flow}/early/run`, ["promise", "p"]), ["early"]);
    assert.equal((await lab.ask(`/${flow}/w/run`, { body: [] })).status, 409);
    for (const id of [backing, paused]) {
      assert.equal(await lab.patch(id, "resume"), 200);
      assert.equal((await lab.attach(id)).status, 200);
    }
    assert.equal(world.times(`${tag}holder`), 1);
    assert.equal(world.times(`${tag}done`), 1);
  };
}

describe("after a crash", OURS, () => {
  it("everything goes on where it was", async () => {
    const checks = await Promise.all(VARIANTS.map((variant) => prepare(variant)));
    await lab.crash();
    await Promise.all(checks.map((check) => check()));
  });
});
