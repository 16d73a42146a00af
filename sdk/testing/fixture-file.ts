/** Reads the journal that a replay is to follow, and says what is wrong with it. */
import { readFile } from "node:fs/promises";
import { JOURNAL_FIXTURE_FORMAT, type JournalFixture } from "../protocol/journal-fixture.ts";

/** A journal, or the file that holds it: a path, or a URL such as `new URL("./place.json", import.meta.url)`. */
export type JournalSource = JournalFixture | string | URL;

/** Throws `TypeError` for what is no journal, or one that a newer version wrote. */
export async function readFixture(source: JournalSource): Promise<JournalFixture> {
  const isFile = typeof source === "string" || source instanceof URL;
  const name = isFile ? String(source) : "the value";
  const value: unknown = isFile ? parsed(name, await readFile(source, "utf8")) : source;
  return checked(name, value);
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypeError(`${name} is no JSON: ${String(error)}`, { cause: error });
  }
}

function checked(name: string, value: unknown): JournalFixture {
  const problem = problemOf(value);
  if (problem === undefined && isFixture(value)) return value;
  const how = "write it with `holdfast journal export` or `env.exportJournal`";
  throw new TypeError(
    `${name} is no exported journal: ${problem ?? "it has another shape"}; ${how}`,
  );
}

function problemOf(value: unknown): string | undefined {
  if (!isRecord(value)) return "it is no object";
  const { format, entries } = value;
  if (format !== JOURNAL_FIXTURE_FORMAT) {
    return `its format is ${JSON.stringify(format)}, and this version reads ${JOURNAL_FIXTURE_FORMAT}`;
  }
  if (!Array.isArray(entries) || entries.length === 0) return "it has no entries";
  return undefined;
}

/** What is read of it; the rest is for people. */
function isFixture(value: unknown): value is JournalFixture {
  if (!isRecord(value) || !Array.isArray(value["entries"])) return false;
  const { invocation, service, handler, key, protocolVersion, entries } = value;
  return (
    [invocation, service, handler].every((each) => typeof each === "string") &&
    (key === null || typeof key === "string") &&
    (protocolVersion === null || typeof protocolVersion === "number") &&
    entries.every(
      (entry) =>
        isRecord(entry) && Number.isInteger(entry["type"]) && typeof entry["body"] === "string",
    )
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
