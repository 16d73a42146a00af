/** What operators do to many invocations at once. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { loadSdk, serve } from "../endpoint.ts";
import { at, Lab } from "./lab.suite.ts";
import { type Op, serviceOf, World } from "./program.suite.ts";

const UNKNOWN_ID = `inv_1${"0".repeat(33)}`;

let lab: Lab;
const world = new World();
before(async () => {
  lab = await Lab.start();
  const sdk = await loadSdk("restate");
  const options = { retryPolicy: { initialInterval: 5, maxAttempts: 1 } };
  await lab.register(await serve(sdk, [serviceOf(sdk, world, "Many", options)], "h2"));
});
after(async () => await lab.close());

const batch = async (operation: string, ids: readonly string[], more: object = {}) =>
  await lab.tell("POST", `/internal/invocations_batch_operations/${operation}`, {
    invocation_ids: ids,
    ...more,
  });

async function sendMany(count: number, ...ops: readonly Op[]): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, () => lab.send("/Many/run", ...ops)));
}

async function idle(ids: readonly string[]): Promise<void> {
  for (const id of ids) await lab.untilBegun(id);
}

async function allAre(ids: readonly string[], status: string): Promise<void> {
  for (const id of ids) await lab.until(id, status);
}

/** All that could be done was, and what is unknown is told. */
async function check(operation: string, ids: readonly string[]): Promise<void> {
  const answer = await batch(operation, [...ids, UNKNOWN_ID]);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([...(at(answer.json, "succeeded") as string[])].toSorted(), ids.toSorted());
  const failed = at(answer.json, "failed") as unknown[];
  assert.equal(failed.length, 1);
  assert.equal(at(failed, 0, "invocation_id"), UNKNOWN_ID);
  assert.match(String(at(failed, 0, "error")), /./);
}

it("cancels", async () => {
  const ids = await sendMany(20, ["try", [["signal", "never"]]]);
  await idle(ids);
  await check("cancel", ids);
  await allAre(ids, "completed");
});

it("kills", async () => {
  const ids = await sendMany(20, ["signal", "never"]);
  await idle(ids);
  await check("kill", ids);
  await allAre(ids, "completed");
});

it("pauses and resumes", async () => {
  const ids = await sendMany(5, ["gate", "pause"], ["step", "resumed", 1]);
  await allAre(ids, "running");
  await check("pause", ids);
  world.open("pause");
  await allAre(ids, "paused");
  await check("resume", ids);
  for (const id of ids) assert.deepEqual((await lab.attach(id)).json, [null, 1]);
});

it("purges journals, and all", async () => {
  const ids = await sendMany(5, ["id"]);
  for (const id of ids) await lab.attach(id);
  await check("purge-journal", ids);
  for (const id of ids) assert.deepEqual((await lab.output(id)).json, [id]);
  await check("purge", ids);
  await allAre(ids, "gone");
});

it("restarts as new, and tells the new ids", async () => {
  const ids = await sendMany(5, ["step", "again", 1]);
  for (const id of ids) await lab.attach(id);
  const answer = await batch("restart-as-new", [...ids, UNKNOWN_ID]);
  assert.equal(answer.status, 200);
  const succeeded = at(answer.json, "succeeded") as unknown[];
  assert.deepEqual(
    succeeded.map((each) => String(at(each, "old_invocation_id"))).toSorted(),
    ids.toSorted(),
  );
  for (const each of succeeded) {
    assert.deepEqual((await lab.attach(String(at(each, "new_invocation_id")))).json, [1]);
  }
  assert.equal((at(answer.json, "failed") as unknown[]).length, 1);
  assert.equal(world.times("again"), 10);
});

it("tells what cannot be done in the state an invocation is in", async () => {
  const [id = ""] = await sendMany(1, ["id"]);
  await lab.attach(id);
  for (const operation of ["cancel", "kill", "pause", "resume"]) {
    const answer = await batch(operation, [id]);
    assert.equal(answer.status, 200);
    assert.deepEqual(at(answer.json, "succeeded"), [], operation);
    assert.equal(at(answer.json, "failed", 0, "invocation_id"), id);
  }
});

it("takes a thousand at once, not more", async () => {
  const ids = Array.from({ length: 1001 }, () => UNKNOWN_ID);
  assert.equal((await batch("kill", ids)).status, 400);
  assert.equal((await batch("kill", ids.slice(1))).status, 200);
});
