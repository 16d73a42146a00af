import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { Deferred } from "../base/deferred.ts";
import { StorageError } from "../base/storage-error.ts";
import type { BlobDisk } from "./blob-disk.ts";
import type { CountedBlobRow } from "./blob-rows.ts";
import { newInvocation, NOW_MS, PAUSED, text } from "./fixtures.suite.ts";
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();
const CART = { service: "Cart", key: "a" };
const N = text("n");
const M = text("m");
const THRESHOLD = 100;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const value = (number: number): Uint8Array => new Uint8Array(THRESHOLD).fill(number);
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

class World {
  readonly where: string;
  nowMs = NOW_MS;
  store: SqliteStore;
  readonly #more: Partial<SqliteStoreOptions>;

  constructor(more: Partial<SqliteStoreOptions> = {}, where = directory()) {
    this.where = where;
    this.#more = more;
    this.store = this.open();
  }

  open(): SqliteStore {
    return openSqliteStore(this.where, {
      durability: "none",
      blobThresholdBytes: THRESHOLD,
      nowMs: () => this.nowMs,
      ...this.#more,
    });
  }

  set(name: Uint8Array, bytes: Uint8Array): void {
    this.store.transact((tx) => tx.setState(CART, name, bytes));
  }

  clear(name: Uint8Array): void {
    this.store.transact((tx) => tx.clearState(CART, name));
  }

  get(name: Uint8Array): Uint8Array | undefined {
    return this.store.read((reader) => reader.stateValue(CART, name));
  }

  fileOf(bytes: Uint8Array): string {
    const name = hashOf(bytes);
    return path.join(this.where, "blobs", name.slice(0, 2), name);
  }

  /** Names of all files. */
  files(): string[] {
    const top = path.join(this.where, "blobs");
    if (!fs.existsSync(top)) return [];
    return fs
      .readdirSync(top, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .toSorted();
  }

  rows(): unknown[] {
    const db = new Database(this.store.file, { readonly: true });
    const rows = db.prepare("SELECT size, refs, unreferenced_at_ms FROM blob ORDER BY hash").raw();
    const all = rows.all();
    db.close();
    return all;
  }

  async barrier(): Promise<void> {
    await new Promise<void>((resolve) => this.store.barrier(() => resolve()));
  }

  /** Waits until so many files are left. */
  async untilFiles(count: number): Promise<void> {
    for (let tries = 0; tries < 500 && this.files().length !== count; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.equal(this.files().length, count);
  }
}

describe("a value as large as the threshold", () => {
  it("lies in a file that is named by its hash; a smaller one in its row", async () => {
    const world = new World();
    world.set(M, value(1).subarray(1));
    assert.deepEqual([world.files(), world.rows()], [[], []]);
    world.set(N, value(1));
    assert.deepEqual(world.files(), [hashOf(value(1))]);
    assert.deepEqual([...fs.readFileSync(world.fileOf(value(1)))], [...value(1)]);
    assert.deepEqual(world.rows(), [[THRESHOLD, 1, null]]);
    await world.store.close();
  });

  it("is stored once, however many rows refer to it", async () => {
    const world = new World();
    const seq = world.store.transact((tx) => {
      const made = tx.insertInvocation(newInvocation(1, { state: PAUSED }));
      for (let index = 0; index < 3; index++) {
        tx.append(made, MessageType.CallCommand, value(1), NOW_MS);
      }
      tx.setState(CART, N, value(1));
      tx.completePromise(CART, "p", { kind: "value", value: value(1) });
      return made.seq;
    });
    assert.deepEqual(world.rows(), [[THRESHOLD, 5, null]]);
    assert.equal(world.files().length, 1);
    world.store.transact((tx) => tx.purgeJournal(seq, 1));
    assert.deepEqual(world.rows(), [[THRESHOLD, 3, null]]);
    world.store.transact((tx) => tx.clearPromises(CART));
    world.set(N, value(1));
    assert.deepEqual(world.rows(), [[THRESHOLD, 2, null]]);
    world.store.transact((tx) => tx.deleteInvocation(seq));
    world.store.transact((tx) => tx.clearAllState(CART));
    await world.untilFiles(0);
    assert.deepEqual(world.rows(), []);
    await world.store.close();
  });

  it("is removed when nothing refers to it any more, by thousands without holding up anything", async () => {
    const world = new World();
    const count = 1000;
    const bytes = (number: number) => Buffer.from(String(number).padEnd(THRESHOLD));
    world.store.transact((tx) => {
      for (let number = 0; number < count; number++) {
        tx.setState(CART, Buffer.from(String(number)), bytes(number));
      }
    });
    assert.equal(world.files().length, count);
    world.store.transact((tx) => tx.clearAllState(CART));
    await world.barrier();
    assert.ok(world.files().length > count / 2, "not all in one turn");
    await world.untilFiles(0);
    assert.deepEqual(world.rows(), []);
    await world.store.close();
  });

  it("that lost its last reference before a start goes after it", async () => {
    const world = new World();
    world.set(N, value(1));
    world.set(M, value(2));
    world.store.blobs.replicate();
    world.clear(N);
    await world.store.close();
    assert.equal(world.files().length, 2);
    world.store = world.open();
    world.set(M, value(2));
    await world.untilFiles(1);
    assert.deepEqual([...(world.get(M) ?? [])], [...value(2)]);
    await world.store.close();
  });

  it("that cannot be read as it was written costs who needs it, and nobody else, until the file is put back", async () => {
    for (const [harm, message] of [
      [(file: string) => fs.rmSync(file), /blobs\/..\/\w{64}: the file is missing: put it back/],
      [(file: string) => fs.appendFileSync(file, "x"), /the file is damaged: put it back/],
      [(file: string) => fs.writeFileSync(file, value(9)), /the file is damaged: put it back/],
    ] as const) {
      const world = new World();
      world.set(N, value(1));
      const file = world.fileOf(value(1));
      harm(file);
      const isLost = (error: unknown): boolean =>
        error instanceof Error && !(error instanceof StorageError) && message.test(error.message);
      assert.throws(() => world.get(N), isLost);
      assert.throws(
        () =>
          world.store.transact((tx) => {
            tx.setState(CART, M, value(3));
            tx.stateValue(CART, N);
          }),
        isLost,
      );
      assert.equal(world.get(M), undefined);
      world.set(M, value(2));
      assert.deepEqual([...(world.get(M) ?? [])], [...value(2)]);
      fs.writeFileSync(file, value(1));
      assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
      await world.store.close();
    }
  });

  it("that the disk cannot give fails the store", async () => {
    const world = new World();
    world.set(N, value(1));
    const file = world.fileOf(value(1));
    fs.rmSync(file);
    fs.mkdirSync(file);
    assert.throws(() => world.get(N), StorageError);
    assert.throws(() => world.set(M, value(2)), StorageError);
    await world.store.close();
  });

  it("whose row has lost its file, as in a directory that was restored, gets one again when it is stored anew", async () => {
    const world = new World();
    world.store.blobs.replicate();
    world.set(N, value(1));
    world.clear(N);
    fs.rmSync(world.fileOf(value(1)));
    world.set(N, value(1));
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    await world.store.close();
  });

  it("that cannot be written is not stored, and fails the store", async () => {
    const world = new World();
    fs.writeFileSync(path.join(world.where, "blobs"), "in the way");
    assert.throws(() => world.set(N, value(1)), StorageError);
    await world.store.close();
    fs.rmSync(path.join(world.where, "blobs"));
    world.store = world.open();
    assert.equal(world.get(N), undefined);
    await world.store.close();
  });

  it("is found after a start, which removes what no row names and leaves what is not its own", async () => {
    const world = new World();
    world.set(N, value(1));
    await world.store.close();
    const folder = path.dirname(world.fileOf(value(1)));
    const foreign = "read-me.txt";
    const left = [hashOf(value(3)), `${hashOf(value(1))}.4.new`, `${hashOf(value(4))}.5.old`];
    for (const name of [...left, foreign]) fs.writeFileSync(path.join(folder, name), value(3));
    world.store = world.open();
    assert.deepEqual(world.files(), [hashOf(value(1)), foreign].toSorted());
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    await world.store.close();
  });
});

describe("with a replica", () => {
  const replicated = (): World => {
    const world = new World();
    world.store.blobs.replicate();
    return world;
  };

  it("new values are told once, in the order of their commits", async () => {
    const world = replicated();
    const { blobs } = world.store;
    world.set(N, value(2));
    world.set(M, value(1));
    world.set(text("o"), value(2));
    assert.throws(() =>
      world.store.transact((tx) => {
        tx.setState(CART, M, value(3));
        throw new Error("undone");
      }),
    );
    const taken = blobs.takeNewBlobs();
    assert.deepEqual(
      taken.map(({ hash, id, size }) => [hex(hash), id.length, size]),
      [value(2), value(1)].map((bytes) => [hashOf(bytes), 8, THRESHOLD]),
    );
    assert.deepEqual(blobs.takeNewBlobs(), []);
    assert.equal(blobs.blobFile(taken[0]?.hash ?? N), world.fileOf(value(2)));
    await world.store.close();
  });

  it("all values that have a row are told page by page, with how many refer to them", async () => {
    const world = replicated();
    for (let number = 1; number <= 5; number++) world.set(text(`n${number}`), value(number));
    world.set(M, value(2));
    world.clear(text("n3"));
    world.set(text("n3"), value(3));
    world.clear(text("n4"));
    const all = [1, 2, 3, 3, 4, 5].map((number) => hashOf(value(number))).toSorted();
    for (const limit of [1, 2, 3, 10]) {
      const told: CountedBlobRow[] = [];
      for (let after: CountedBlobRow | null = null; ;) {
        const page = world.store.blobs.allBlobs(after, limit);
        assert.ok(page.length <= limit);
        after = page.at(-1) ?? null;
        if (after === null) break;
        told.push(...page);
      }
      assert.deepEqual(
        told.map(({ hash }) => hex(hash)),
        all,
      );
      const refs = (number: number): number[] =>
        told.flatMap((row) => (hex(row.hash) === hashOf(value(number)) ? [row.refs] : []));
      assert.deepEqual([1, 2, 4, 5].map(refs), [[1], [2], [0], [1]]);
      assert.deepEqual(new Set(refs(3)), new Set([0, 1]));
    }
    await world.store.close();
  });

  it("a value stays without references until it is forgotten", async () => {
    const world = replicated();
    const { blobs } = world.store;
    world.set(N, value(1));
    world.nowMs += 10;
    world.clear(N);
    await world.barrier();
    assert.deepEqual(world.rows(), [[THRESHOLD, 0, NOW_MS + 10]]);
    assert.deepEqual(blobs.unreferencedBlobs(NOW_MS + 10, 9), []);
    const refs = blobs.unreferencedBlobs(NOW_MS + 11, 9);
    assert.deepEqual(
      refs.map(({ hash }) => hex(hash)),
      [hashOf(value(1))],
    );
    assert.equal(world.files().length, 1);
    blobs.forgetBlobs(refs);
    assert.deepEqual(world.rows(), []);
    await world.untilFiles(0);
    blobs.forgetBlobs(refs);
    await world.store.close();
  });

  it("a value that is stored again after it lost its references has another id, and both are told", async () => {
    const world = replicated();
    const { blobs } = world.store;
    world.set(N, value(1));
    world.clear(N);
    world.set(N, value(1));
    const [first, second, ...rest] = blobs.takeNewBlobs();
    assert.ok(first !== undefined && second !== undefined && rest.length === 0);
    assert.equal(hex(first.hash), hex(second.hash));
    assert.notEqual(hex(first.id), hex(second.id));
    assert.deepEqual(
      blobs.allBlobs(null, 9).flatMap(({ id, refs }) => (refs > 0 ? [hex(id)] : [])),
      [hex(second.id)],
    );
    // The object of the first id is still in the bucket, and somebody has to delete it.
    assert.deepEqual(
      blobs.unreferencedBlobs(world.nowMs + 1, 9).map(({ id }) => hex(id)),
      [hex(first.id)],
    );
    blobs.forgetBlobs([first, second]);
    await world.barrier();
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(world.rows(), [[THRESHOLD, 1, null]]);
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    await world.store.close();
  });

  it("a value that is stored again while its file is about to go keeps its file", async () => {
    const world = replicated();
    const { blobs } = world.store;
    world.set(N, value(1));
    world.clear(N);
    blobs.forgetBlobs(blobs.unreferencedBlobs(world.nowMs + 1, 9));
    world.set(N, value(1));
    await world.barrier();
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    await world.store.close();
  });
});

/** Notes what is synced, by the end of its path; a sync off the thread waits until the test says so. */
class NotedDisk implements BlobDisk {
  readonly notes: string[] = [];
  readonly later: ((error?: Error) => void)[] = [];

  sync(of: string): void {
    this.notes.push(path.basename(of).replace(/^\w{64}/, "<hash>"));
  }

  syncLater(of: string): Promise<void> {
    this.sync(of);
    return new Promise((resolve, reject) => {
      this.later.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** Lets all syncs pass until `until` has settled. */
  async passing(until: Promise<void>, error?: Error): Promise<void> {
    const state = { isSettled: false };
    const settled = until.finally(() => (state.isSettled = true));
    settled.catch(() => {});
    while (!state.isSettled) {
      for (const end of this.later.splice(0)) end(error);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled;
  }
}

describe("with durability disk", () => {
  const durable = (): { disk: NotedDisk; world: World } => {
    const disk = new NotedDisk();
    return { disk, world: new World({ durability: "disk", blobDisk: disk }) };
  };

  it("a large value and the directories to it are synced before it is stored, small ones cost nothing", async () => {
    const { disk, world } = durable();
    const top = path.basename(world.where);
    const folder = hashOf(value(1)).slice(0, 2);
    world.set(M, text("small"));
    assert.deepEqual(disk.notes, []);
    world.set(N, value(1));
    assert.deepEqual(new Set(disk.notes), new Set(["<hash>.1.new", "blobs", folder, top]));
    assert.equal(disk.notes.length, 4);
    disk.notes.length = 0;
    world.set(M, value(1));
    assert.deepEqual(disk.notes, []);
    await world.store.close();
  });

  const deferred = (world: World, bytes: Uint8Array): Promise<void> => {
    let runs = 0;
    try {
      world.store.transact(
        (tx) => {
          runs += 1;
          tx.setState(CART, N, bytes);
        },
        { mayDefer: true },
      );
    } catch (error) {
      assert.equal(runs, 1);
      assert.ok(error instanceof Deferred);
      return error.until;
    }
    return assert.fail("it was not deferred");
  };

  it("a transaction that may wait is deferred while large values go to the disk, and then waits for nothing", async () => {
    const { disk, world } = durable();
    const until = deferred(world, value(1));
    assert.equal(world.get(N), undefined);
    assert.deepEqual(world.rows(), []);
    // Others go on meanwhile.
    world.set(M, text("small"));
    await disk.passing(until);
    const { length } = disk.notes;
    world.store.transact((tx) => tx.setState(CART, N, value(1)), { mayDefer: true });
    assert.equal(disk.notes.length, length);
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    assert.deepEqual(world.files(), [hashOf(value(1))]);
    await world.store.close();
  });

  it("what was written ahead serves also after another transaction was undone", async () => {
    const { disk, world } = durable();
    await disk.passing(deferred(world, value(1)));
    const { length } = disk.notes;
    assert.throws(() =>
      world.store.transact((tx) => {
        tx.setState(CART, N, value(1));
        throw new Error("undone");
      }),
    );
    world.set(N, value(1));
    assert.equal(disk.notes.length, length);
    assert.deepEqual([...(world.get(N) ?? [])], [...value(1)]);
    await world.store.close();
  });

  it("a transaction without new large values is never deferred", async () => {
    const { world } = durable();
    world.set(M, value(1));
    world.store.transact((tx) => tx.setState(CART, N, value(1)), { mayDefer: true });
    world.store.transact((tx) => tx.setState(CART, N, text("small")), { mayDefer: true });
    await world.store.close();
  });

  it("a disk that fails meanwhile fails the store", async () => {
    const { disk, world } = durable();
    const until = deferred(world, value(1));
    await assert.rejects(disk.passing(until, new Error("EIO")), StorageError);
    assert.throws(() => world.set(M, text("small")), StorageError);
    await world.store.close();
  });
});
