/** What every bucket has to do: see `bucket.ts`. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { temporaryDirectory } from "../test/harness.ts";
import type { Bucket, ObjectInfo } from "./bucket.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes);

async function listed(bucket: Bucket, prefix: string, after?: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const each of bucket.list(prefix, after)) found.push(each);
  return found;
}

const keysOf = (found: readonly ObjectInfo[]): string[] => found.map(({ key }) => key);

/** `open` gives an empty bucket, or one with a prefix of its own; `fileBytes` is the size of a large file. */
export function testBucket(name: string, open: () => Promise<Bucket>, fileBytes: number): void {
  describe(`${name} as a bucket`, () => {
    it("gives back what was put, and null for what was not", async () => {
      const bucket = await open();
      assert.equal(await bucket.get("a/none"), null);
      assert.equal(await bucket.read("a/none"), null);
      const bytes = new Uint8Array(randomBytes(100_000));
      await bucket.put("a/one", bytes);
      assert.deepEqual(await bucket.get("a/one"), bytes);
      await bucket.put("a/one", text("other"));
      assert.equal(read(await bucket.get("a/one")), "other");
      await bucket.put("a/empty", new Uint8Array());
      assert.equal(read(await bucket.get("a/empty")), "");
      bucket.close();
    });

    it("keeps what it was given, whatever becomes of that afterwards", async () => {
      const bucket = await open();
      const around = new Uint8Array(randomBytes(300));
      const bytes = around.subarray(100, 200);
      const copy = bytes.slice();
      await bucket.put("a/put", bytes);
      assert.equal(await bucket.putNew("a/new", bytes), "created");
      bytes.fill(0);
      for (const key of ["a/put", "a/new"]) {
        const found = await bucket.get(key);
        assert.deepEqual(found, copy);
        found?.fill(1);
        assert.deepEqual(await bucket.get(key), copy);
      }
      bucket.close();
    });

    it("stores a new key once, whoever else tries", async () => {
      const bucket = await open();
      for (let round = 0; round < 5; round += 1) {
        const key = `race/${round}`;
        const writers = Array.from({ length: 8 }, (_, index) => index);
        const results = await Promise.all(
          writers.map((index) => bucket.putNew(key, text(`w${index}`)).catch(() => "failed")),
        );
        const winners = writers.filter((index) => results[index] === "created");
        assert.equal(winners.length, 1, results.join());
        assert.equal(read(await bucket.get(key)), `w${winners[0]}`);
        assert.equal(await bucket.putNew(key, text("late")), "exists");
      }
      bucket.close();
    });

    it("stores a new key again once it was deleted", async () => {
      const bucket = await open();
      assert.equal(await bucket.putNew("a/again", text("1")), "created");
      await bucket.delete(["a/again", "a/never"]);
      assert.equal(await bucket.get("a/again"), null);
      assert.equal(await bucket.putNew("a/again", text("2")), "created");
      bucket.close();
    });

    it("lists by prefix in the order of keys, behind a key, with sizes", async () => {
      const bucket = await open();
      const beganMs = Date.now();
      for (const key of ["l/3", "l/1", "l/20", "l/a", "other/1"]) {
        await bucket.put(key, text(key));
      }
      const found = await listed(bucket, "l/");
      assert.deepEqual(keysOf(found), ["l/1", "l/20", "l/3", "l/a"]);
      assert.deepEqual(keysOf(await listed(bucket, "l/", "l/20")), ["l/3", "l/a"]);
      assert.deepEqual(keysOf(await listed(bucket, "l/", "l/2")), ["l/20", "l/3", "l/a"]);
      assert.deepEqual(await listed(bucket, "none/"), []);
      assert.deepEqual(
        found.map(({ size }) => size),
        [3, 4, 3, 3],
      );
      for (const { modifiedAtMs } of found) assert(Math.abs(modifiedAtMs - beganMs) < 60_000);
      bucket.close();
    });

    it("lists more than a page holds", async () => {
      const bucket = await open();
      const keys = Array.from(
        { length: 1100 },
        (_, index) => `p/${String(index).padStart(5, "0")}`,
      );
      for (let from = 0; from < keys.length; from += 50) {
        await Promise.all(keys.slice(from, from + 50).map((key) => bucket.put(key, text("x"))));
      }
      assert.deepEqual(keysOf(await listed(bucket, "p/")), keys);
      await bucket.delete(keys);
      assert.deepEqual(await listed(bucket, "p/"), []);
      bucket.close();
    });

    it("stores files of any size and gives them back in pieces", async () => {
      const bucket = await open();
      const directory = temporaryDirectory();
      try {
        for (const size of [0, 10, fileBytes]) {
          const bytes = new Uint8Array(randomBytes(size));
          const file = `${directory.path}/file`;
          fs.writeFileSync(file, bytes);
          let told = 0;
          await bucket.putFile("files/one", file, (sent) => (told = sent));
          assert.equal(told, size);
          const chunks: Uint8Array[] = [];
          for await (const chunk of (await bucket.read("files/one")) ?? []) chunks.push(chunk);
          assert(Buffer.concat(chunks).equals(bytes), `${size} bytes come back`);
        }
      } finally {
        directory.remove();
        bucket.close();
      }
    });

    it("does what a map would do", async () => {
      const bucket = await open();
      const prefix = fc.constantFrom("", "m/", "m/1", "m/1-", "n/");
      const key = fc.constantFrom("m/1", "m/1-1", "m/1-2", "m/2/1", "n/1", "n/2");
      const value = fc.uint8Array({ maxLength: 5 });
      const operation = fc.oneof(
        fc.record({ op: fc.constantFrom("put" as const, "putNew" as const), key, value }),
        fc.record({ op: fc.constantFrom("get" as const, "delete" as const), key }),
        fc.record({ op: fc.constant("list" as const), prefix, behind: fc.option(key) }),
      );
      const run = async (operations: readonly Operation[]): Promise<void> => {
        const model = new Map<string, Uint8Array>();
        await bucket.delete(keysOf(await listed(bucket, "")));
        for (const each of operations) await compare(bucket, model, each);
      };
      const lists = fc.array(operation, { minLength: 5, maxLength: 25 });
      await fc.assert(fc.asyncProperty(lists, run), { numRuns: 10 });
      bucket.close();
    });

    it("lets a download be broken off", async () => {
      const bucket = await open();
      await bucket.put("a/long", new Uint8Array(1_000_000));
      for await (const chunk of (await bucket.read("a/long")) ?? []) {
        assert(chunk.length > 0);
        break;
      }
      assert.equal((await bucket.get("a/long"))?.length, 1_000_000);
      bucket.close();
    });
  });
}

type Operation =
  | { readonly op: "put" | "putNew"; readonly key: string; readonly value: Uint8Array }
  | { readonly op: "get" | "delete"; readonly key: string }
  | { readonly op: "list"; readonly prefix: string; readonly behind: string | null };

/** Does the same to both, and sees that both answer the same. */
async function compare(
  bucket: Bucket,
  model: Map<string, Uint8Array>,
  operation: Operation,
): Promise<void> {
  switch (operation.op) {
    case "put":
      await bucket.put(operation.key, operation.value);
      model.set(operation.key, operation.value);
      break;
    case "putNew": {
      const { key, value } = operation;
      assert.equal(await bucket.putNew(key, value), model.has(key) ? "exists" : "created");
      if (!model.has(key)) model.set(key, value);
      break;
    }
    case "get":
      assert.deepEqual(await bucket.get(operation.key), model.get(operation.key) ?? null);
      break;
    case "delete":
      await bucket.delete([operation.key]);
      model.delete(operation.key);
      break;
    case "list": {
      const { prefix, behind } = operation;
      const expected = [...model]
        .filter(([key]) => key.startsWith(prefix) && (behind === null || key > behind))
        .map(([key, { length: size }]) => ({ key, size }))
        .toSorted((one, other) => (one.key < other.key ? -1 : 1));
      const found = await listed(bucket, prefix, behind ?? undefined);
      assert.deepEqual(
        found.map(({ key, size }) => ({ key, size })),
        expected,
      );
    }
  }
}
