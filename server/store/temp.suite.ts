/** Data directories for tests, gone at their end. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";

/** Makes directories that are removed after the tests of the file. */
export function tempDirectories(): () => string {
  const made: string[] = [];
  after(() => {
    for (const directory of made) fs.rmSync(directory, { recursive: true, force: true });
  });
  return () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-store-"));
    made.push(directory);
    return directory;
  };
}
