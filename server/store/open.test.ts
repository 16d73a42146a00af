import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { DATABASE_FILE, holdDirectory } from "./data-directory.ts";
import { DataDirectoryError, DataDirectoryLocked } from "./data-directory-error.ts";
import { newInvocation } from "./fixtures.suite.ts";
import { MIGRATIONS, migrate } from "./migrate.ts";
import { closeDatabase, openDatabase } from "./open.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

/** Set in a process that holds a directory until it is killed; this file is its program too. */
const HELD_DIRECTORY = process.env["HOLDFAST_TEST_HELD_DIRECTORY"];

if (HELD_DIRECTORY === undefined) tests();
else hold(HELD_DIRECTORY);

function hold(directory: string): void {
  const store = openSqliteStore(directory, { durability: "disk" });
  for (let number = 0; number < 50; number++) {
    store.transact((tx) => tx.insertInvocation(newInvocation(number)));
  }
  process.stdout.write("held\n");
  setTimeout(() => process.exit(1), 60_000);
}

async function holder(directory: string): Promise<ChildProcess> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...env, HOLDFAST_TEST_HELD_DIRECTORY: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.equal(String(line), "held\n");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function tests(): void {
  const directory = tempDirectories();
  const openAndClose = (where: string) => closeDatabase(openDatabase(where, "none"));

  describe("a data directory", () => {
    it("is made with its parents, for its owner alone", () => {
      const where = path.join(directory(), "a", "b");
      openAndClose(where);
      assert.equal(fs.statSync(where).mode & 0o777, 0o700);
      assert.ok(fs.existsSync(path.join(where, DATABASE_FILE)));
    });

    it("belongs to one process; the other is told so", async () => {
      const where = directory();
      const child = await holder(where);
      try {
        const refused = (error: unknown) =>
          error instanceof DataDirectoryLocked && error.message.includes(where);
        assert.throws(() => openDatabase(where, "disk"), refused);
      } finally {
        await kill(child);
      }
    });

    it("is free at once after its process was killed, with all that was committed", async () => {
      const where = directory();
      await kill(await holder(where));
      const store = openSqliteStore(where, { durability: "disk" });
      assert.equal(store.read((reader) => reader.running(0, 100)).length, 50);
      await store.close();
    });

    it("belongs to one store within a process, too, and is free after it was closed", () => {
      const where = directory();
      const first = openDatabase(where, "none");
      assert.throws(() => openDatabase(where, "none"), DataDirectoryLocked);
      closeDatabase(first);
      openAndClose(where);
    });

    it("cannot be a file, nor be below one", () => {
      const file = path.join(directory(), "file");
      fs.writeFileSync(file, "x");
      for (const where of [file, path.join(file, "below")]) {
        assert.throws(() => openDatabase(where, "none"), refusal(/is not a directory: choose/));
      }
    });

    it("must be readable and writable", () => {
      const parent = directory();
      const where = path.join(parent, "sealed");
      fs.mkdirSync(where, { mode: 0o500 });
      asCommonUser(where, parent, () => {
        assert.throws(() => openDatabase(where, "none"), refusal(/change its owner, or choose/));
        const below = path.join(where, "below");
        assert.throws(() => openDatabase(below, "none"), refusal(/change its owner, or choose/));
      });
    });

    it("with something else in place of the database is refused", () => {
      const where = directory();
      const file = path.join(where, DATABASE_FILE);
      fs.writeFileSync(file, "not a database, but long enough to be looked at".repeat(100));
      assert.throws(() => openDatabase(where, "none"), refusal(/is not a database: restore/));
      fs.rmSync(file);
      openAndClose(where);
    });

    it("with the database of another application is refused and left alone", () => {
      const where = directory();
      const file = path.join(where, DATABASE_FILE);
      const other = new Database(file);
      other.exec("CREATE TABLE note (text TEXT)");
      other.close();
      assert.throws(() => openDatabase(where, "none"), refusal(/another application/));
      const after = new Database(file);
      assert.equal(after.pragma("user_version", { simple: true }), 0);
      after.close();
    });

    it("with a damaged database says so and what to do", () => {
      const where = directory();
      openAndClose(where);
      const file = path.join(where, DATABASE_FILE);
      const bytes = fs.readFileSync(file);
      // The root page of the schema, behind the header of the file.
      bytes.fill(0xff, 100, 4096);
      fs.writeFileSync(file, bytes);
      assert.throws(() => openDatabase(where, "none"), refusal(/damaged: restore/));
    });
  });

  describe("an open database", () => {
    it("writes ahead, syncs no commit, and never checkpoints by itself", () => {
      const database = openDatabase(directory(), "disk");
      const pragma = (name: string) => database.db.pragma(name, { simple: true });
      assert.equal(pragma("journal_mode"), "wal");
      assert.equal(pragma("synchronous"), 1);
      assert.equal(pragma("wal_autocheckpoint"), 0);
      assert.equal(pragma("page_size"), 4096);
      closeDatabase(database);
    });
  });

  describe("a log that is to be kept", () => {
    it("is what the killed process left, byte for byte, and stays when opening is refused", async () => {
      const where = directory();
      await kill(await holder(where));
      const log = path.join(where, `${DATABASE_FILE}-wal`);
      const left = fs.readFileSync(log);
      assert.ok(left.length > 50 * 4096);
      const database = openDatabase(where, "disk", { keepWal: true });
      assert.deepEqual(fs.readFileSync(log), left);
      assert.equal(database.db.prepare("SELECT count(*) FROM invocation").pluck().get(), 50);
      const version = MIGRATIONS.length;
      database.db.exec(`PRAGMA user_version = ${version + 1}`);
      closeDatabase(database, true);

      const longer = fs.readFileSync(log);
      assert.deepEqual(longer.subarray(0, left.length), left);
      assert.throws(
        () => openDatabase(where, "disk", { keepWal: true }),
        refusal(/newer Holdfast/),
      );
      assert.deepEqual(fs.readFileSync(log), longer);
      assert.throws(() => openDatabase(where, "disk"), refusal(/newer Holdfast/));
      assert.equal(fs.existsSync(log), false);
    });

    it("of a new directory begins with its first migration", () => {
      const where = directory();
      const database = openDatabase(where, "none", { keepWal: true });
      const log = path.join(where, `${DATABASE_FILE}-wal`);
      assert.ok(fs.statSync(log).size > 0);
      closeDatabase(database);
      assert.equal(fs.existsSync(log), false);
    });
  });

  describe("a directory that is held before it is opened", () => {
    it("belongs to the holder, whose lock the database takes over", () => {
      const where = path.join(directory(), "new");
      const lock = holdDirectory(where);
      assert.deepEqual(fs.readdirSync(where), ["holdfast.lock"]);
      assert.throws(() => openDatabase(where, "none"), DataDirectoryLocked);
      const database = openDatabase(where, "none", { lock });
      assert.throws(() => holdDirectory(where), DataDirectoryLocked);
      closeDatabase(database);
      holdDirectory(where).release();
    });

    it("is free again when it cannot be opened", () => {
      const where = directory();
      fs.writeFileSync(path.join(where, DATABASE_FILE), "no database".repeat(1000));
      const lock = holdDirectory(where);
      assert.throws(() => openDatabase(where, "none", { lock }), refusal(/is not a database/));
      holdDirectory(where).release();
    });
  });

  describe("a migration", () => {
    it("brings an empty database to the newest schema, and a second start changes nothing", () => {
      const db = new Database(":memory:");
      migrate(db);
      assert.equal(db.pragma("user_version", { simple: true }), MIGRATIONS.length);
      const tables = (strict: number) =>
        db
          .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = ?")
          .pluck()
          .all(strict);
      assert.deepEqual(tables(0), ["sqlite_schema"]);
      assert.equal(tables(1).length, 15);
      migrate(db);
      db.close();
    });

    it("applies what is missing, in order, and each in one transaction", () => {
      const db = new Database(":memory:");
      migrate(db, ["CREATE TABLE a (x)"]);
      const broken = ["CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE c (x); nonsense"];
      assert.throws(() => migrate(db, broken), /nonsense/);
      const tables = db.prepare("SELECT name FROM sqlite_schema ORDER BY name").pluck();
      assert.deepEqual(tables.all(), ["a", "b"]);
      assert.equal(db.pragma("user_version", { simple: true }), 2);
      migrate(db, [...broken.slice(0, 2), "CREATE TABLE c (x)"]);
      assert.deepEqual(tables.all(), ["a", "b", "c"]);
      db.close();
    });

    it("leaves what the rows of the first schema hold as it was", () => {
      const db = new Database(":memory:");
      migrate(db, MIGRATIONS.slice(0, 1));
      db.exec("INSERT INTO journal VALUES (1, 0, 1024, 5, x'0102')");
      db.exec("INSERT INTO state VALUES ('Cart', 'a', x'6e', x'31')");
      db.exec("INSERT INTO promise VALUES ('Cart', 'a', 'p', x'31', NULL)");
      migrate(db);
      for (const [table, bytes] of [
        ["journal", "body"],
        ["state", "value"],
        ["promise", "value"],
      ]) {
        const row = db.prepare(`SELECT hex(${bytes}), blob FROM ${table}`).raw().all();
        assert.deepEqual(row, [[table === "journal" ? "0102" : "31", null]]);
      }
      db.close();
    });

    it("refuses a database that a newer version wrote, and leaves it alone", () => {
      const where = directory();
      openAndClose(where);
      const file = path.join(where, DATABASE_FILE);
      const future = new Database(file);
      future.pragma(`user_version = ${MIGRATIONS.length + 1}`);
      future.close();
      const newer = new RegExp(`newer Holdfast \\(schema ${MIGRATIONS.length + 1},`);
      assert.throws(() => openDatabase(where, "none"), refusal(newer));
      // The lock is free again.
      assert.throws(() => openDatabase(where, "none"), refusal(/newer Holdfast/));
    });
  });
}

const refusal = (message: RegExp) => (error: unknown) =>
  error instanceof DataDirectoryError && message.test(error.message);

/** Root may do everything, so it steps down meanwhile. */
function asCommonUser(where: string, parent: string, fn: () => void): void {
  if (process.getuid?.() !== 0) return fn();
  const nobody = 65_534;
  fs.chmodSync(parent, 0o755);
  fs.chownSync(where, nobody, nobody);
  process.seteuid?.(nobody);
  try {
    fn();
  } finally {
    process.seteuid?.(0);
  }
}
