/** `holdfast journal export`: the journal of an invocation as a file, to replay code over. */
import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { type AdminFlags, type Answer, ask, withAdminOptions } from "./release-command.ts";

interface ExportFlags extends AdminFlags {
  readonly output?: string;
}

export function journalCommand(): Command {
  return new Command("journal")
    .description("Work with the journals of a server's invocations.")
    .addCommand(exportCommand());
}

function exportCommand(): Command {
  return withAdminOptions(new Command("export"))
    .description(
      "Write the journal of an invocation as JSON, for replay tests with @holdfast/sdk/testing. It holds the payloads: " +
        "inputs, results of steps, headers.",
    )
    .argument("<invocation>", "its id, inv_1…")
    .addOption(new Option("--output <file>", "write to this file; default: standard output"))
    .addHelpText("after", HELP_AFTER)
    .action(run);
}

async function run(invocation: string, { admin, adminToken, output }: ExportFlags): Promise<void> {
  const journal = await whole(invocation, (path) => ask(admin, "GET", path, adminToken));
  const text = `${JSON.stringify(journal, null, 2)}\n`;
  if (output === undefined) process.stdout.write(text);
  else writeFileSync(output, text);
}

/** All pages as one. What is recorded meanwhile is in it too. */
async function whole(invocation: string, get: (path: string) => Promise<Answer>): Promise<Answer> {
  const path = `/invocations/${encodeURIComponent(invocation)}/journal/file`;
  const entries: unknown[] = [];
  let from = 0;
  for (;;) {
    const { journal, next } = await get(`${path}?from=${from}`);
    if (!isPage(journal)) throw new Error("the server answered with something else than a journal");
    entries.push(...journal.entries);
    if (typeof next !== "number") return { ...journal, entries };
    from = next;
  }
}

function isPage(value: unknown): value is { readonly entries: readonly unknown[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "entries" in value &&
    Array.isArray(value.entries)
  );
}

const HELP_AFTER = `
Exit codes: 0 written; 1 the server cannot be reached, or does not have this journal (any more); 2 bad command line.

Examples:
  holdfast journal export inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz --output test/place-order.json
  holdfast journal export inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz --admin 10.0.0.5:9070 > journal.json`;
