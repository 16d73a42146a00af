/** Makes room in a data directory whose history has gone on without it. Nothing is deleted. */
import fs from "node:fs";
import path from "node:path";
import { readReplicaFile, syncDirectory } from "./replica-file.ts";
import { DATABASE_FILE } from "./restore-folder.ts";

const REPLICA_FILE = "replica.json";

/**
 * In this order, so that whatever ends it, the next start finds either the database, and goes on, or none. The log first: another
 * database would take it for its own.
 */
const MOVED = [`${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`, "blobs", "held.json", DATABASE_FILE];

/** Into a folder of its own in the same directory, which is held by this process; returns its path. */
export function setAside(directory: string): string {
  const epoch = readReplicaFile(directory)?.epoch ?? 0;
  const folder = folderFor(directory, epoch);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  fs.copyFileSync(path.join(directory, REPLICA_FILE), path.join(folder, REPLICA_FILE));
  for (const name of MOVED) {
    const from = path.join(directory, name);
    if (!fs.existsSync(from)) continue;
    fs.renameSync(from, path.join(folder, name));
    syncDirectory(folder);
    syncDirectory(directory);
  }
  fs.rmSync(path.join(directory, REPLICA_FILE));
  syncDirectory(directory);
  return folder;
}

/** One without a database is one that was broken off. */
function folderFor(directory: string, epoch: number): string {
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? `superseded-${epoch}` : `superseded-${epoch}-${count}`;
    const folder = path.join(directory, name);
    if (!fs.existsSync(path.join(folder, DATABASE_FILE))) return folder;
  }
}
