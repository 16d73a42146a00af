/** Whether a restore may make a data directory here, and whether one was broken off. */
import fs from "node:fs";
import path from "node:path";
import { ConfigError } from "./config-error.ts";
import { DATABASE_FILE, LOCK_FILE } from "./store/data-directory.ts";

/** In every directory that is held; in every new file system. */
const NOTHING = new Set([LOCK_FILE, `${LOCK_FILE}-journal`, "lost+found"]);
/** What a restore that was broken off leaves: the database is not among it. */
const UNFINISHED = "restore.tmp";
const LEFT_OVER = new Set([UNFINISHED, "blobs", "held.json", "replica.json", "replica.json.next"]);

/** Throws `ConfigError`. */
export function demandEmpty(directory: string): void {
  const found = namesIn(directory).filter((name) => !NOTHING.has(name));
  if (found.length === 0) return;
  if (found.includes(DATABASE_FILE))
    throw new ConfigError(`${directory} holds a journal already: give --data another directory`);
  if (found.includes(UNFINISHED) && found.every((name) => LEFT_OVER.has(name))) return;
  throw new ConfigError(
    `${directory} is not empty (${found[0] ?? ""}): give --data an empty directory, or one that is not there`,
  );
}

/** A server must not begin an empty journal where one was to be restored. Throws `ConfigError`. */
export function demandNoUnfinished(directory: string): void {
  if (fs.existsSync(path.join(directory, DATABASE_FILE))) return;
  if (!fs.existsSync(path.join(directory, UNFINISHED))) return;
  throw new ConfigError(
    `a restore into ${directory} was broken off: run it again, or remove the directory to begin an empty journal`,
  );
}

/** None where there is no such directory; a file is somebody else's to refuse. */
function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
