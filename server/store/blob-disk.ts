/** How files and directories get onto the disk, in both ways: at once, and off the thread. */
import fs from "node:fs";
import { syncPath } from "./data-directory.ts";

export interface BlobDisk {
  /** Makes a file, or the entries of a directory, durable. */
  sync(path: string): void;
  syncLater(path: string): Promise<void>;
}

export const REAL_DISK: BlobDisk = {
  sync: syncPath,
  async syncLater(path) {
    const handle = await fs.promises.open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Nothing is synced: a loss of power may take it. */
export const NO_DISK: BlobDisk = { sync: () => undefined, syncLater: async () => undefined };
