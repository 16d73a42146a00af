import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import { at, idOf, NOW_MS, NOW_TEXT, service } from "./fake-world.suite.ts";
import { type Fixture, start } from "./fixture.suite.ts";

const ID_TEXT = invocationIdToString(idOf(1));
const FILE = `/invocations/${ID_TEXT}/journal/file`;

const JOURNAL: readonly Message[] = [
  {
    type: MessageType.InputCommand,
    headers: [
      { key: "authorization", value: "secret" },
      { key: "x-tenant", value: "t1" },
    ],
    value: Buffer.from('"o-1"'),
    name: "",
  },
  { type: MessageType.RunCommand, resultCompletionId: 1, name: "charge" },
  {
    type: MessageType.RunCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "value", value: Buffer.from('"paid"') },
  },
];

async function prepared(change: object = {}): Promise<Fixture> {
  const fixture = await start();
  fixture.world.add(1, change, JOURNAL);
  return fixture;
}

function bodyOf(json: unknown, index: number): Uint8Array {
  return Buffer.from(String(at(json, "journal", "entries", index, "body")), "base64");
}

test("a journal is told with its payloads, as it was stored", async () => {
  const { request } = await prepared();
  const { json } = await request("GET", FILE);
  const [, run, completion] = JOURNAL;
  assert.ok(run !== undefined && completion !== undefined);
  assert.deepEqual(bodyOf(json, 1), Buffer.from(encodeBody(run)));
  assert.deepEqual(bodyOf(json, 2), Buffer.from(encodeBody(completion)));
  const entry = at(json, "journal", "entries", 1);
  assert.equal(at(entry, "type"), MessageType.RunCommand);
  assert.equal(at(entry, "message"), "RunCommand");
  assert.equal(at(entry, "at"), NOW_TEXT.replace("000000Z", "Z"));
  assert.deepEqual(
    ["format", "invocation", "service", "handler", "key"].map((name) => at(json, "journal", name)),
    [1, ID_TEXT, "Greeter", "run", null],
  );
  assert.equal(at(json, "next"), null);
});

test("secrets among the headers of its request are left out, and nothing else", async () => {
  const { request } = await prepared();
  const { json } = await request("GET", FILE);
  const input = decodeMessage(MessageType.InputCommand, bodyOf(json, 0));
  assert.deepEqual(at(input, "headers"), [
    { key: "authorization", value: "removed" },
    { key: "x-tenant", value: "t1" },
  ]);
  assert.equal(Buffer.from(String(at(input, "value"))).toString(), '"o-1"');
});

test("it says which code wrote it, once that is settled", async () => {
  const unpinned = await prepared();
  const before = await unpinned.request("GET", FILE);
  assert.equal(at(before.json, "journal", "protocolVersion"), null);
  assert.equal(at(before.json, "journal", "sdk"), null);
  const deploymentId = "dp_10000000000000000000001";
  const fixture = await prepared({ pin: { deploymentId, protocolVersion: 6 } });
  fixture.world.register(service("Greeter", [{ name: "run" }]));
  const { json } = await fixture.request("GET", FILE);
  assert.equal(at(json, "journal", "protocolVersion"), 6);
  assert.equal(at(json, "journal", "sdk"), "test/1.0.0");
});

test("a long journal comes page by page", async () => {
  const { request, world } = await prepared();
  const first = await request("GET", `${FILE}?limit=2`);
  assert.equal(at(first.json, "next"), 2);
  assert.equal(at(first.json, "journal", "entries", 2), undefined);
  const second = await request("GET", `${FILE}?from=2`);
  assert.equal(at(second.json, "journal", "entries", 0, "message"), "RunCompletion");
  const body = new Uint8Array(17 * 1024 * 1024);
  world.journals.get(1)?.splice(1, 1, { index: 1, type: 0x7fff, body, atMs: NOW_MS });
  const large = await request("GET", FILE);
  assert.equal(at(large.json, "next"), 2);
});

test("a journal that is gone is not told", async () => {
  const { request } = await prepared({ isJournalPurged: true });
  const gone = await request("GET", FILE);
  assert.equal(gone.status, 410);
  assert.match(gone.text, /was purged/);
  const unknown = invocationIdToString(idOf(9));
  assert.equal((await request("GET", `/invocations/${unknown}/journal/file`)).status, 404);
  assert.equal((await request("GET", `${FILE}?limit=0`)).status, 400);
});
