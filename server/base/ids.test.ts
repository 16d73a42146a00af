import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  childInvocationId,
  idempotentInvocationId,
  INVOCATION_ID_BYTES,
  mintDeploymentId,
  mintInvocationId,
  pooledRandom,
  invocationIdOfKey,
  workflowInvocationId,
} from "./ids.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const uuid = (id: Uint8Array): string => hex(id.subarray(8));
const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);
const NOW_MS = 1_795_418_772_060;
const NOW_HEX = "01a2074c525c";

test("the uuid of an idempotent call is the one of the protocol", () => {
  const plain = { service: "Greeter", key: null, handler: "callee", idempotencyKey: "k1" };
  assert.equal(uuid(idempotentInvocationId(plain)), "47db903eb821e3b6135ab24f0ad7dd0b");
  const keyed = { service: "Counter", key: "k1", handler: "add", idempotencyKey: "kk" };
  assert.equal(uuid(idempotentInvocationId(keyed)), "9de770f8ad87cc27974b3ab94f8782a1");
});

test("identities that read the same when joined with commas still get different ids", () => {
  const ids = [
    { service: "S", key: "a", handler: "b", idempotencyKey: "c,d" },
    { service: "S", key: "a,b", handler: "c", idempotencyKey: "d" },
    { service: "S", key: null, handler: "a", idempotencyKey: "b,c,d" },
  ].map(idempotentInvocationId);
  assert.equal(new Set(ids.map(uuid)).size, 1);
  assert.equal(new Set(ids.map(hex)).size, 3);
});

test("the same identity always has the same id, another one another", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9]{0,8}$/);
  const identity = fc.record({
    service: name,
    key: fc.option(text),
    handler: name,
    idempotencyKey: text,
  });
  fc.assert(
    fc.property(identity, identity, (a, b) => {
      const [first, second] = [idempotentInvocationId(a), idempotentInvocationId(b)];
      assert.equal(first.length, INVOCATION_ID_BYTES);
      assert.equal(hex(first), hex(idempotentInvocationId({ ...a })));
      assert.equal(hex(first) === hex(second), same(a, b));
    }),
  );
});

test("keyed calls of one key share a partition, whatever the service", () => {
  const [first, second] = ["A", "B"].map((service) =>
    idempotentInvocationId({ service, key: "k", handler: "h", idempotencyKey: service }),
  );
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(hex(first.subarray(0, 8)), hex(second.subarray(0, 8)));
  assert.notEqual(uuid(first), uuid(second));
});

test("minted uuids begin with the time, so that they sort by it", () => {
  const random = pooledRandom();
  const id = mintInvocationId(NOW_MS, random, null);
  assert.equal(id.length, INVOCATION_ID_BYTES);
  assert.ok(uuid(id).startsWith(NOW_HEX));
  assert.ok(uuid(mintInvocationId(NOW_MS + 1, random, null)) > uuid(id));
  assert.ok(hex(mintDeploymentId(NOW_MS, random)).startsWith(NOW_HEX));
  assert.equal(mintDeploymentId(NOW_MS, random).length, 16);
});

test("minted ids differ although the time does not", () => {
  const random = pooledRandom(100);
  const ids = Array.from({ length: 500 }, () => hex(mintInvocationId(NOW_MS, random, null)));
  assert.equal(new Set(ids).size, 500);
  assert.equal(new Set(ids.map((id) => id.slice(0, 16))).size, 500);
});

test("ids of one key lie in one partition, whatever they are derived from", () => {
  const partition = (id: Uint8Array) => hex(id.subarray(0, 8));
  const minted = mintInvocationId(NOW_MS, pooledRandom(), "k");
  const wanted = partition(minted);
  assert.equal(partition(mintInvocationId(NOW_MS, pooledRandom(), "k")), wanted);
  assert.notEqual(partition(mintInvocationId(NOW_MS, pooledRandom(), "other")), wanted);
  assert.equal(partition(childInvocationId(minted, 1, NOW_MS, "k")), wanted);
  assert.equal(partition(workflowInvocationId("Order", "k")), wanted);
  assert.equal(
    partition(invocationIdOfKey(mintInvocationId(0, pooledRandom(), null), "k")),
    wanted,
  );
  const identity = { service: "S", key: "k", handler: "h", idempotencyKey: "i" };
  assert.equal(partition(idempotentInvocationId(identity)), wanted);
});

test("the run of a workflow has one id", () => {
  const id = workflowInvocationId("Wf", "w1");
  assert.equal(hex(id.subarray(8)), "fc1b0e11991cc94920918243914fad60");
});

test("bytes of the random pool do not change after they were given", () => {
  const random = pooledRandom(64);
  const first = random(40);
  const before = hex(first);
  for (let each = 0; each < 50; each += 1) random(40);
  assert.equal(hex(first), before);
  assert.equal(random(1000).length, 1000);
});

test("a child's id follows from its parent, the command and the time alone", () => {
  const parent = mintInvocationId(NOW_MS, pooledRandom(), null);
  const child = childInvocationId(parent, 3, NOW_MS + 5, null);
  assert.equal(hex(child), hex(childInvocationId(Uint8Array.from(parent), 3, NOW_MS + 5, null)));
  assert.notEqual(hex(child), hex(childInvocationId(parent, 4, NOW_MS + 5, null)));
  assert.notEqual(hex(child), hex(childInvocationId(child, 3, NOW_MS + 5, null)));
  assert.ok(uuid(child).startsWith("01a2074c5261"));
  assert.notEqual(hex(child.subarray(0, 8)), hex(parent.subarray(0, 8)));
});
