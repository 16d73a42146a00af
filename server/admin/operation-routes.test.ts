import assert from "node:assert/strict";
import { test } from "node:test";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { RefusalReason, Reply } from "../machine/effect.ts";
import type { InvocationStatus } from "../machine/invocation.ts";
import { at, idOf } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";

const ID = idOf(1);
const ID_TEXT = invocationIdToString(ID);
const NEW_ID = idOf(2);
const DEPLOYMENT = "dp_10000000000000000000001";

const done = (status?: InvocationStatus): Reply =>
  status === undefined ? { kind: "done" } : { kind: "done", status };
const conflict = (status: InvocationStatus): Reply => ({ kind: "conflict", status });
const refused = (reason: RefusalReason): Reply => ({ kind: "refused", reason, message: reason });
const unknown: Reply = { kind: "not-found" };

/** The answers of the machine by what the invocation is doing, and what they read as. */
const TABLE: readonly (readonly [operation: string, reply: Reply, status: number])[] = [
  ["cancel", done("scheduled"), 200],
  ["cancel", done("queued"), 200],
  ["cancel", done("running"), 202],
  ["cancel", done("backing-off"), 202],
  ["cancel", done("suspended"), 202],
  ["cancel", done("paused"), 202],
  ["cancel", conflict("completed"), 409],
  ["cancel", unknown, 404],
  ["kill", done("scheduled"), 200],
  ["kill", done("running"), 200],
  ["kill", done("paused"), 200],
  ["kill", conflict("completed"), 409],
  ["kill", unknown, 404],
  ["pause", conflict("scheduled"), 409],
  ["pause", conflict("queued"), 409],
  ["pause", { kind: "pending" }, 202],
  ["pause", done("backing-off"), 202],
  ["pause", done("suspended"), 202],
  ["pause", done("paused"), 200],
  ["pause", conflict("completed"), 409],
  ["pause", unknown, 404],
  ["resume", conflict("scheduled"), 425],
  ["resume", conflict("queued"), 425],
  ["resume", done("running"), 200],
  ["resume", done("backing-off"), 200],
  ["resume", done("suspended"), 200],
  ["resume", done("paused"), 200],
  ["resume", conflict("completed"), 409],
  ["resume", conflict("running"), 409],
  ["resume", refused("incompatible-deployment"), 400],
  ["resume", refused("unknown-deployment"), 400],
  ["resume", refused("unknown-target"), 400],
  ["resume", refused("not-pinned"), 409],
  ["resume", unknown, 404],
  ["purge", conflict("running"), 409],
  ["purge", conflict("scheduled"), 409],
  ["purge", done("completed"), 200],
  ["purge", unknown, 404],
  ["purge-journal", conflict("suspended"), 409],
  ["purge-journal", done("completed"), 200],
  ["purge-journal", unknown, 404],
  ["restart-as-new", conflict("scheduled"), 425],
  ["restart-as-new", conflict("queued"), 425],
  ["restart-as-new", conflict("running"), 409],
  ["restart-as-new", { kind: "restarted", id: NEW_ID }, 200],
  ["restart-as-new", refused("workflow"), 422],
  ["restart-as-new", refused("journal-purged"), 410],
  ["restart-as-new", refused("incomplete-prefix"), 400],
  ["restart-as-new", refused("unknown-deployment"), 400],
  ["restart-as-new", unknown, 404],
];

test("each operation answers by what the invocation is doing", async () => {
  const { world, request } = await start();
  for (const [operation, reply, status] of TABLE) {
    world.reply = () => reply;
    const answer = await request("PATCH", `/v4/invocations/${ID_TEXT}/${operation}`);
    const row = `${operation} ${JSON.stringify(reply)}`;
    assert.equal(answer.status, status, row);
    if (status >= 400) assert.equal(typeof at(answer.json, "message"), "string", row);
    else if (reply.kind !== "restarted") assert.equal(answer.text, "", row);
    else {
      assert.deepEqual(answer.json, { new_invocation_id: invocationIdToString(NEW_ID) });
    }
  }
});

test("each operation reaches the machine as what it is", async () => {
  const { world, request } = await start();
  const patch = (rest: string) => request("PATCH", `/invocations/${ID_TEXT}/${rest}`);
  for (const rest of [
    "cancel",
    "kill",
    "pause",
    "purge",
    "purge-journal",
    "resume",
    "resume?deployment=Keep",
    "resume?deployment=latest",
    `resume?deployment=${DEPLOYMENT}`,
  ]) {
    assert.ok((await patch(rest)).status < 300, rest);
  }
  world.reply = () => ({ kind: "restarted", id: NEW_ID });
  await patch("restart-as-new");
  await patch(`restart-as-new?from=7&deployment=${DEPLOYMENT}`);
  const shown = world.inputs.map((input) => {
    const { replyTo: _replyTo, newId: _newId, ...rest } = { newId: null, replyTo: 0, ...input };
    return rest;
  });
  const id = ID;
  assert.deepEqual(shown, [
    { type: "cancel", id },
    { type: "kill", id },
    { type: "pause", id },
    { type: "purge", id, journalOnly: false },
    { type: "purge", id, journalOnly: true },
    { type: "resume", id, deployment: "keep" },
    { type: "resume", id, deployment: "keep" },
    { type: "resume", id, deployment: "latest" },
    { type: "resume", id, deployment: { id: DEPLOYMENT } },
    { type: "restart-as-new", id, upToIndex: 0, deployment: "latest" },
    { type: "restart-as-new", id, upToIndex: 7, deployment: { id: DEPLOYMENT } },
  ]);
  const [first, second] = world.inputsOf("restart-as-new").map(({ newId }) => newId);
  assert.equal(first?.length, 24);
  assert.notDeepEqual(first, second);
});

test("what names no invocation, deployment or entry is refused", async () => {
  const { world, request } = await start();
  for (const rest of [
    "nonsense/cancel",
    `${ID_TEXT}/resume?deployment=newest`,
    `${ID_TEXT}/resume?deployment=dp_1short`,
    `${ID_TEXT}/restart-as-new?from=-1`,
    `${ID_TEXT}/restart-as-new?from=x`,
    `${ID_TEXT}/restart-as-new?from=4294967296`,
  ]) {
    assert.equal((await request("PATCH", `/invocations/${rest}`)).status, 400, rest);
  }
  assert.deepEqual(world.inputs, []);
});

test("the deprecated way answers 202 whatever comes of it", async () => {
  const { world, request } = await start();
  const remove = (query: string) => request("DELETE", `/invocations/${ID_TEXT}${query}`);
  for (const reply of [done("running"), conflict("completed"), unknown]) {
    world.reply = () => reply;
    for (const query of ["", "?mode=cancel", "?mode=Kill", "?mode=purge"]) {
      assert.equal((await remove(query)).status, 202);
    }
  }
  assert.deepEqual(
    world.inputs.slice(0, 4).map(({ type }) => type),
    ["cancel", "cancel", "kill", "purge"],
  );
  assert.equal((await remove("?mode=pause")).status, 400);
  assert.equal((await request("DELETE", "/invocations/nonsense")).status, 400);
});

test("many at once are told apart by what became of each", async () => {
  const { world, request } = await start();
  const ids = [1, 2, 3].map((seq) => invocationIdToString(idOf(seq)));
  world.reply = (input) =>
    "id" in input && typeof input.id !== "string" && input.id[23] === 2 ? unknown : done("running");
  const answer = await request("POST", "/v4/internal/invocations_batch_operations/kill", {
    invocation_ids: [...ids, "nonsense", ids[0]],
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(at(answer.json, "succeeded"), [ids[0], ids[2]]);
  assert.equal(at(answer.json, "failed", 0, "invocation_id"), ids[1]);
  assert.match(String(at(answer.json, "failed", 0, "error")), /not known/);
  assert.equal(at(answer.json, "failed", 1, "invocation_id"), "nonsense");
  assert.equal(world.inputsOf("kill").length, 3);
});

test("many are restarted, or resumed on another deployment, at once", async () => {
  const { world, request } = await start();
  world.reply = () => ({ kind: "restarted", id: NEW_ID });
  const path = "/internal/invocations_batch_operations";
  const restarted = await request("POST", `${path}/restart-as-new`, { invocation_ids: [ID_TEXT] });
  const pair = {
    old_invocation_id: ID_TEXT,
    new_invocation_id: invocationIdToString(NEW_ID),
  };
  assert.deepEqual(restarted.json, { succeeded: [pair], failed: [] });
  world.reply = () => done("paused");
  await request("POST", `${path}/resume`, { invocation_ids: [ID_TEXT], deployment: DEPLOYMENT });
  assert.deepEqual(world.inputsOf("resume")[0]?.deployment, { id: DEPLOYMENT });
  for (const operation of ["cancel", "pause", "purge", "purge-journal"]) {
    const answer = await request("POST", `${path}/${operation}`, { invocation_ids: [ID_TEXT] });
    assert.deepEqual(answer.json, { succeeded: [ID_TEXT], failed: [] });
  }
});

test("a batch that is too large or of the wrong shape does nothing", async () => {
  const { world, request } = await start();
  const post = (body: unknown, operation = "kill") =>
    request("POST", `/internal/invocations_batch_operations/${operation}`, body);
  assert.equal((await post({ invocation_ids: Array(1001).fill(ID_TEXT) })).status, 400);
  assert.equal((await post({ invocation_ids: ID_TEXT })).status, 422);
  assert.equal((await post({})).status, 422);
  assert.equal((await post({ invocation_ids: [], mode: "x" })).status, 422);
  assert.equal((await post({ invocation_ids: [ID_TEXT], deployment: "no" }, "resume")).status, 400);
  assert.equal((await post({ invocation_ids: [] }, "explode")).status, 404);
  assert.deepEqual(world.inputs, []);
});
