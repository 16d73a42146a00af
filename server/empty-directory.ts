/** Whether a restore may make a data directory here. */
import fs from "node:fs";
import { ConfigError } from "./config-error.ts";
import { DATABASE_FILE, LOCK_FILE } from "./store/data-directory.ts";

/** In every directory that is held; in every new file system. */
const NOTHING = new Set([LOCK_FILE, `${LOCK_FILE}-journal`, "lost+found"]);
/** What a restore that was broken off leaves: the database is not among it. */
const UNFINISHED = "restore.tmp";
const LEFT_OVER = new Set([UNFINISHED, "blobs", "held.json", "replica.json", "replica.json.next"]);

/** Throws `ConfigError`. The directory is held by this process. */
export function demandEmpty(directory: string): void {
  const found = fs.readdirSync(directory).filter((name) => !NOTHING.has(name));
  if (found.length === 0) return;
  if (found.includes(DATABASE_FILE))
    throw new ConfigError(`${directory} holds a journal already: give --data another directory`);
  if (found.includes(UNFINISHED) && found.every((name) => LEFT_OVER.has(name))) return;
  throw new ConfigError(
    `${directory} is not empty (${found[0] ?? ""}): give --data an empty directory, or one that is not there`,
  );
}
