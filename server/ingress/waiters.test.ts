import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { ResultWaiters } from "./waiters.ts";

const outcome: Outcome = { kind: "value", value: new Uint8Array([1]) };

test("all who wait for an invocation are told once, nobody else", () => {
  const waiters = new ResultWaiters();
  const told: string[] = [];
  const waiter = (name: string) => (): void => void told.push(name);
  for (const name of ["a", "b", "c"]) waiters.add(1, waiter(name));
  waiters.add(2, waiter("other"));
  assert.equal(waiters.size, 4);
  waiters.finished({ type: "finished", seq: 1, outcome });
  waiters.finished({ type: "finished", seq: 1, outcome });
  waiters.finished({ type: "finished", seq: 3, outcome });
  assert.deepEqual(told, ["a", "b", "c"]);
  assert.equal(waiters.size, 1);
});

test("who left is not told, and leaves nothing behind", () => {
  const waiters = new ResultWaiters();
  const told: string[] = [];
  const [first, second, third] = ["1", "2", "3"].map((name) => (): void => void told.push(name));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  waiters.add(7, first);
  waiters.remove(7, first);
  waiters.remove(7, first);
  assert.equal(waiters.size, 0);
  for (const each of [first, second, third]) waiters.add(7, each);
  waiters.remove(7, second);
  waiters.remove(8, first);
  waiters.finished({ type: "finished", seq: 7, outcome });
  assert.deepEqual(told, ["1", "3"]);
  for (const each of [first, second]) waiters.add(9, each);
  for (const each of [first, second]) waiters.remove(9, each);
  assert.equal(waiters.size, 0);
});
