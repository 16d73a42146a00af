import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { after, describe, it } from "node:test";
import { temporaryDirectory } from "../test/harness.ts";
import { BucketError, type BucketFailure } from "./bucket-error.ts";
import { FileBucket } from "./file-bucket.ts";
// oxlint-disable-next-line import/default -- the bundler makes the text
import writer from "./file-bucket-writer.suite.ts?bundle";

const HOUR_MS = 60 * 60 * 1000;
const directory = temporaryDirectory();
after(() => directory.remove());

function open() {
  const folder = fs.mkdtempSync(`${directory.path}/bucket-`);
  return { folder, bucket: new FileBucket(folder) };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const isKind = (kind: BucketFailure) => (error: unknown) =>
  error instanceof BucketError && error.kind === kind;

async function listed(bucket: FileBucket, prefix: string, behind?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket.list(prefix, behind)) keys.push(key);
  return keys;
}

/** Runs `file-bucket-writer.suite.ts` as a process. */
function write(mode: "race" | "overwrite", folder: string, name: string): ChildProcess {
  const program = path.join(directory.path, "writer.cjs");
  if (!fs.existsSync(program)) fs.writeFileSync(program, writer);
  return spawn(process.execPath, [program, mode, folder, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

describe("a directory as a bucket", () => {
  it("refuses keys that lead elsewhere", async () => {
    const { bucket } = open();
    for (const key of ["../x", "/x", "a/../x", "A", ".tmp/x", "a//x", "a/", "a\n", ""]) {
      await assert.rejects(bucket.put(key, new Uint8Array()), isKind("refused"), key);
      await assert.rejects(bucket.get(key), isKind("refused"), key);
      await assert.rejects(bucket.delete([key]), isKind("refused"), key);
    }
    for (const prefix of ["../", "/", "a/../", ".tmp/", "a//"]) {
      await assert.rejects(listed(bucket, prefix), isKind("refused"), prefix);
    }
  });

  it("lists in the order of the keys' bytes, at any depth, and nothing else that lies there", async () => {
    const { folder, bucket } = open();
    const keys = ["a", "b-c/x", "b/x", "b/y/1", "b/y-1", "b0", "c/1", "c/10", "c/2"];
    for (const key of keys) await bucket.put(key, text(key));
    fs.writeFileSync(`${folder}/README.md`, "not ours");
    fs.mkdirSync(`${folder}/.git`);
    const sorted = keys.toSorted((one, other) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    );
    assert.deepEqual(await listed(bucket, ""), sorted);
    for (const prefix of ["b", "b/", "b/y", "c/1", "d"]) {
      const expected = sorted.filter((key) => key.startsWith(prefix));
      assert.deepEqual(await listed(bucket, prefix), expected, prefix);
    }
    for (const [index, key] of sorted.entries()) {
      assert.deepEqual(await listed(bucket, "", key), sorted.slice(index + 1), key);
    }
  });

  it("goes on listing while somebody deletes", async () => {
    const { bucket } = open();
    for (const key of ["l/1", "l/2", "l/3"]) await bucket.put(key, text(key));
    const found: string[] = [];
    for await (const { key } of bucket.list("l/")) {
      found.push(key);
      await bucket.delete(["l/2"]);
    }
    assert.deepEqual(found, ["l/1", "l/3"]);
  });

  it("is missing where there is no directory, until something is stored", async () => {
    const bucket = new FileBucket(`${directory.path}/not/there`);
    await assert.rejects(bucket.get("segments/1"), isKind("missing"));
    await assert.rejects(bucket.read("segments/1"), isKind("missing"));
    await assert.rejects(listed(bucket, "segments/"), isKind("missing"));
    await bucket.put("segments/1", text("x"));
    assert.deepEqual(await listed(bucket, "segments/"), ["segments/1"]);
    const file = new FileBucket(`${directory.path}/not/there/segments/1`);
    await assert.rejects(file.get("segments/1"), isKind("missing"));
  });

  it("has no object by the name of a folder", async () => {
    const { bucket } = open();
    await bucket.put("a/b/c", text("x"));
    assert.equal(await bucket.get("a/b"), null);
    assert.equal(await bucket.read("a/b"), null);
    assert.equal(await bucket.get("a/b/c/d"), null);
  });

  it("removes what a dead process was writing, and not what a living one is", async () => {
    const { folder, bucket } = open();
    fs.mkdirSync(`${folder}/.tmp`);
    const nowMs = Date.now();
    const ages = { dead: 2 * HOUR_MS, slow: HOUR_MS / 2 };
    for (const [name, ageMs] of Object.entries(ages)) {
      fs.writeFileSync(`${folder}/.tmp/${name}`, "half");
      const at = new Date(nowMs - ageMs);
      fs.utimesSync(`${folder}/.tmp/${name}`, at, at);
    }
    await bucket.put("segments/1", text("x"));
    assert.deepEqual(fs.readdirSync(`${folder}/.tmp`), ["slow"]);
    assert.deepEqual(await listed(bucket, ""), ["segments/1"]);
  });

  it("gives each new key to one of several processes", async () => {
    const { folder, bucket } = open();
    const names = ["one", "two", "three"];
    const results = await Promise.all(
      names.map(async (name) => {
        const child = write("race", folder, name);
        let out = "";
        child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
        await once(child, "close");
        return JSON.parse(out) as string[];
      }),
    );
    const keys = await listed(bucket, "race/");
    assert.equal(keys.length, 100);
    assert.deepEqual(results.flat().toSorted(), keys.toSorted());
    for (const [index, won] of results.entries()) {
      for (const key of won) {
        assert.equal(new TextDecoder().decode((await bucket.get(key)) ?? undefined), names[index]);
      }
    }
  });

  it("shows whole objects only, whenever a writer is killed", async () => {
    const { folder, bucket } = open();
    for (let round = 0; round < 5; round += 1) {
      const child = write("overwrite", folder, "");
      for (let each = 0; each <= round; each += 1) await once(child.stdout ?? child, "data");
      child.kill("SIGKILL");
      await once(child, "close");
      const bytes = await bucket.get("snapshots/1");
      assert.equal(bytes?.length, 4 * 1024 * 1024);
      assert.ok(bytes.every((byte) => byte === bytes[0]));
      assert.deepEqual(await listed(bucket, ""), ["snapshots/1"]);
    }
  });
});
