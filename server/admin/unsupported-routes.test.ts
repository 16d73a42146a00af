import assert from "node:assert/strict";
import { test } from "node:test";
import { at } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";

test("lists of what there cannot be are empty", async () => {
  const { request } = await start();
  const clusters = await request("GET", "/v4/kafka-clusters");
  assert.deepEqual([clusters.status, clusters.json], [200, { clusters: [] }]);
  const subscriptions = await request("GET", "/subscriptions?sink=service://A/b");
  assert.deepEqual([subscriptions.status, subscriptions.json], [200, { subscriptions: [] }]);
});

test("what is not supported says so", async () => {
  const { request } = await start();
  const rows = [
    ["POST", "/kafka-clusters", /Kafka/],
    ["GET", "/kafka-clusters/a", /Kafka/],
    ["PATCH", "/kafka-clusters/a", /Kafka/],
    ["DELETE", "/kafka-clusters/a", /Kafka/],
    ["POST", "/subscriptions", /Kafka/],
    ["GET", "/subscriptions/sub_1x", /Kafka/],
    ["DELETE", "/subscriptions/sub_1x", /Kafka/],
    ["PUT", "/limits/rules", /limit rules/],
    ["POST", "/limits/rules/bulk-delete", /limit rules/],
    ["POST", "/vqueues/vq_1x/pause", /queues/],
    ["POST", "/vqueues/vq_1x/resume", /queues/],
    ["POST", "/internal/services/Greeter/serdes/decode/run/input", /payloads/],
    ["POST", "/internal/services/Greeter/serdes/encode/run/output", /payloads/],
  ] as const;
  for (const [method, path, why] of rows) {
    const answer = await request(method, path, method === "GET" ? undefined : []);
    assert.equal(answer.status, 501, path);
    assert.match(String(at(answer.json, "message")), why);
  }
  assert.equal((await request("GET", "/limits/rules")).status, 405);
});
