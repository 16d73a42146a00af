/**
 * A directory as a bucket: for development, and for tests of several processes. An object is a file that is written under another
 * name, synced, and linked into place, so that it appears whole, and of several writers one wins.
 */
import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import fs from "node:fs/promises";
import path from "node:path";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";

/** Below it lies what is being written; no key begins like this. */
const SCRATCH = ".tmp";
/** What has not grown for so long belongs to a process that died. */
const SCRATCH_MS_MAX = 60 * 60 * 1000;

const NAME = /^[a-z0-9][a-z0-9-]*$/;
const KEY = /^[a-z0-9][a-z0-9-]*(?:\/[a-z0-9][a-z0-9-]*)*$/;
const PREFIX = /^(?:[a-z0-9][a-z0-9-]*\/)*(?:[a-z0-9][a-z0-9-]*)?$/;

/** How a filesystem says that it has no hard links. */
const LINKLESS = ["EMLINK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EPERM"];
const ABSENT = ["EISDIR", "ENOENT", "ENOTDIR"];
const DENIED = ["EACCES", "EPERM", "EROFS"];

export class FileBucket implements Bucket {
  readonly url: string;
  readonly #directory: string;
  #isSwept = false;

  constructor(directory: string) {
    this.#directory = path.resolve(directory);
    this.url = `file://${this.#directory}`;
  }

  async get(key: string): Promise<Uint8Array | null> {
    const file = this.#fileOf(key);
    return await this.#found(async () => new Uint8Array(await fs.readFile(file)));
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    const file = this.#fileOf(key);
    const handle = await this.#found(async () => await openFile(file));
    return handle === null ? null : chunksOf(handle);
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return await this.#store(key, bytes, async (from, to) => {
      try {
        await fs.link(from, to);
        return "created";
      } catch (error) {
        const code = codeOf(error);
        if (code === "EEXIST") return "exists";
        if (!LINKLESS.includes(code)) throw error;
        const why = `${this.url} lies on a filesystem without hard links (${code}), by which one of several writers wins: use another`;
        throw new BucketError("unsupported", why, { cause: error });
      }
    });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#store(key, bytes, (from, to) => fs.rename(from, to));
  }

  async putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void> {
    const size = await this.#store(key, file, async (from, to) => {
      const stat = await fs.stat(from);
      await fs.rename(from, to);
      return stat.size;
    });
    onProgress?.(size);
  }

  async *list(prefix: string, after = ""): AsyncGenerator<ObjectInfo> {
    if (!PREFIX.test(prefix)) throw refused(prefix);
    yield* this.#walk(prefix.slice(0, prefix.lastIndexOf("/") + 1), prefix, after);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const files = keys.map((key) => this.#fileOf(key));
    await this.#found(async () => {
      for (const file of files) await fs.rm(file, { force: true });
    });
  }

  close(): void {}

  /** `folder`: "" or `…/`. What is deleted meanwhile is left out. */
  async *#walk(folder: string, prefix: string, after: string): AsyncGenerator<ObjectInfo> {
    const directory = path.join(this.#directory, folder);
    const entries = await this.#found(async () => await fs.readdir(directory, entryTypes));
    const names = (entries ?? [])
      .filter((entry) => NAME.test(entry.name))
      .map((entry) => folder + entry.name + (entry.isDirectory() ? "/" : ""))
      .filter((key) => key.startsWith(prefix) && (key > after || after.startsWith(key)));
    for (const key of names.toSorted(byBytes)) {
      if (key.endsWith("/")) {
        yield* this.#walk(key, prefix, after);
      } else if (key > after) {
        const stat = await this.#found(async () => await fs.stat(this.#fileOf(key)));
        if (stat === null) continue;
        yield { key, size: stat.size, modifiedAtMs: Math.trunc(stat.mtimeMs) };
      }
    }
  }

  /** `place` makes the finished file an object. */
  async #store<T>(
    key: string,
    content: Uint8Array | string,
    place: (from: string, to: string) => Promise<T>,
  ): Promise<T> {
    const to = this.#fileOf(key);
    const from = path.join(this.#directory, SCRATCH, randomBytes(12).toString("hex"));
    try {
      await makeDirectory(path.dirname(from));
      await makeDirectory(path.dirname(to));
      await writeFile(from, content);
      await this.#sweep(from);
      const result = await place(from, to);
      await sync(path.dirname(to));
      return result;
    } catch (error) {
      throw failure(error);
    } finally {
      await fs.rm(from, { force: true }).catch(() => {});
    }
  }

  /** Once, removes what dead processes were writing. Time is the filesystem's: that of a file of now. */
  async #sweep(ofNow: string): Promise<void> {
    if (this.#isSwept) return;
    this.#isSwept = true;
    const { mtimeMs: nowMs } = await fs.stat(ofNow);
    const directory = path.dirname(ofNow);
    for (const name of await fs.readdir(directory)) {
      const file = path.join(directory, name);
      const stat = await fs.stat(file).catch(() => null);
      if (stat === null || nowMs - stat.mtimeMs < SCRATCH_MS_MAX) continue;
      await fs.rm(file, { force: true });
    }
  }

  /** Null for what is not there, in a directory that is. */
  async #found<T>(run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      if (!ABSENT.includes(codeOf(error))) throw failure(error);
    }
    const stat = await fs.stat(this.#directory).catch(() => null);
    if (stat?.isDirectory() === true) return null;
    throw new BucketError(
      "missing",
      `there is no directory ${this.#directory}: create it, or name another`,
    );
  }

  #fileOf(key: string): string {
    if (!KEY.test(key)) throw refused(key);
    return path.join(this.#directory, key);
  }
}

const entryTypes = { withFileTypes: true } as const;

/** A folder sorts with its slash, as the keys in it do. Keys are ASCII. */
const byBytes = (one: string, other: string): number => (one < other ? -1 : 1);

/** A directory can be opened, too, and fails only when it is read. */
async function openFile(file: string): Promise<FileHandle> {
  const handle = await fs.open(file);
  const stat = await handle.stat();
  if (stat.isFile()) return handle;
  await handle.close();
  throw Object.assign(new Error(`${file} is no file`), { code: "EISDIR" });
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Buffer> = handle.createReadStream({ highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    throw failure(error);
  }
}

async function writeFile(file: string, content: Uint8Array | string): Promise<void> {
  if (typeof content === "string") await fs.copyFile(content, file);
  const handle = await fs.open(file, typeof content === "string" ? "r+" : "wx", 0o600);
  try {
    if (typeof content !== "string") await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** With what lies above it, durably. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const top = path.dirname(first);
  for (let each = path.dirname(directory); ; each = path.dirname(each)) {
    await sync(each);
    if (each === top) return;
  }
}

async function sync(directory: string): Promise<void> {
  const handle = await fs.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function refused(key: string): BucketError {
  return new BucketError("refused", `"${key}" is no key of a replica`);
}

function failure(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = DENIED.includes(codeOf(error)) ? "denied" : "unavailable";
  return new BucketError(kind, message, { cause: error });
}
