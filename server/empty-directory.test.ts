import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, it } from "node:test";
import { ConfigError } from "./config-error.ts";
import { demandEmpty, demandNoUnfinished } from "./empty-directory.ts";

const made: string[] = [];
afterEach(() => {
  for (const each of made.splice(0)) fs.rmSync(each, { recursive: true, force: true });
});

/** Names that end with a slash are folders. */
function directoryOf(...names: readonly string[]): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-empty-"));
  made.push(directory);
  for (const name of names) {
    if (name.endsWith("/")) fs.mkdirSync(path.join(directory, name));
    else fs.writeFileSync(path.join(directory, name), "");
  }
  return directory;
}

describe("a restore makes a data directory", () => {
  const allowed: Record<string, readonly string[]> = {
    "where nothing is": [],
    "where a server was started and ended at once": ["holdfast.lock"],
    "at the root of a new file system": ["lost+found/", "holdfast.lock"],
    "where another was broken off": ["restore.tmp/", "holdfast.lock"],
    "where another was broken off at its very end": [
      "restore.tmp/",
      "blobs/",
      "held.json",
      "replica.json",
      "holdfast.lock",
    ],
  };
  for (const [where, names] of Object.entries(allowed))
    it(where, () => demandEmpty(directoryOf(...names)));

  it("where no directory is", () => {
    const directory = path.join(directoryOf(), "new");
    demandEmpty(directory);
    assert(!fs.existsSync(directory), "looking makes nothing");
  });
});

describe("a restore refuses a directory", () => {
  const refused: Record<string, readonly [names: readonly string[], message: RegExp]> = {
    "with a journal": [["holdfast.db", "restore.tmp/"], /holds a journal already/],
    "with anything else": [["notes.txt"], /is not empty \(notes.txt\): give --data an empty/],
    "with payloads of nobody": [["blobs/"], /is not empty \(blobs\)/],
    "with anything else beside a broken restore": [["restore.tmp/", "notes.txt"], /is not empty/],
  };
  for (const [how, [names, message]] of Object.entries(refused)) {
    it(how, () => {
      assert.throws(
        () => demandEmpty(directoryOf(...names)),
        (error: Error) => error instanceof ConfigError && message.test(error.message),
      );
    });
  }
});

describe("a server without a bucket", () => {
  it("refuses a directory in which a restore was broken off", () => {
    assert.throws(
      () => demandNoUnfinished(directoryOf("restore.tmp/", "held.json")),
      (error: Error) =>
        error instanceof ConfigError && /was broken off: run it again/.test(error.message),
    );
  });

  it("takes an empty one, and one whose restore had all but tidied up", () => {
    demandNoUnfinished(directoryOf());
    demandNoUnfinished(directoryOf("restore.tmp/", "holdfast.db", "held.json"));
    demandNoUnfinished(path.join(directoryOf(), "new"));
  });
});
