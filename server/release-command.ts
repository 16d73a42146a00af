/** `holdfast release`: lets the work go that a restored server holds. */
import { Command, InvalidArgumentError, Option } from "commander";
import { parseAddress } from "./config-values.ts";
import { ranSinceLines } from "./replica-reports.ts";
import { reportOf } from "./replica/held-file.ts";

const TIMEOUT_MS = 30_000;

/** Which server a command asks. */
export interface AdminFlags {
  readonly admin: string;
  readonly adminToken?: string;
}

interface ReleaseFlags extends AdminFlags {
  readonly show: boolean;
}

export function withAdminOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--admin <url>", "the admin API of the server, as a URL or HOST:PORT")
        .env("HOLDFAST_ADMIN")
        .argParser(parseAdmin)
        .default("http://127.0.0.1:9070"),
    )
    .addOption(
      new Option("--admin-token <token>", "the bearer token that it asks for").env(
        "HOLDFAST_ADMIN_TOKEN",
      ),
    );
}

export function releaseCommand(): Command {
  return withAdminOptions(new Command("release"))
    .description(
      "Let the work go that a server holds since its directory was restored to an earlier state.",
    )
    .addOption(new Option("--show", "show what ran since, and release nothing").default(false))
    .addHelpText("after", HELP_AFTER)
    .action(run);
}

/** As a URL without a slash at its end. */
function parseAdmin(text: string): string {
  if (!/^https?:\/\//.test(text)) {
    const { host, port } = parseAddress(text);
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }
  if (!URL.canParse(text))
    throw new InvalidArgumentError("expected a URL or HOST:PORT, such as 127.0.0.1:9070");
  return text.replace(/\/+$/, "");
}

async function run({ admin, adminToken, show }: ReleaseFlags): Promise<void> {
  const held = await ask(admin, "GET", "/held", adminToken);
  if (held["held"] !== true) {
    process.stdout.write(`nothing is held at ${admin}\n`);
    return;
  }
  process.stdout.write(`${reportLines(held).join("\n")}\n`);
  if (show) return;
  await ask(admin, "POST", "/held/release", adminToken);
  process.stdout.write("released: attempts begin now\n");
}

function reportLines(held: Answer): string[] {
  const report = reportOf(held);
  if (report !== null) return ranSinceLines(report);
  const { problem } = held;
  return [`what ran since is not known: ${typeof problem === "string" ? problem : "no report"}`];
}

/** JSON of the admin API. */
export type Answer = Readonly<Record<string, unknown>>;

/** Throws where the server cannot be reached or refuses, with what it said. */
export async function ask(
  admin: string,
  method: string,
  path: string,
  token: string | undefined,
): Promise<Answer> {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(admin + path, { method, headers, signal });
    text = await response.text();
  } catch (error) {
    throw new Error(`${admin} cannot be reached (${causeOf(error)}): is --admin right?`, {
      cause: error,
    });
  }
  const answer = parsed(text);
  if (response.ok && answer !== null) return answer;
  const said = typeof answer?.["message"] === "string" ? answer["message"] : text.slice(0, 200);
  const hint = response.status === 401 ? "; give --admin-token (HOLDFAST_ADMIN_TOKEN)" : "";
  throw new Error(`${method} ${admin}${path} answered ${response.status}: ${said}${hint}`);
}

function parsed(text: string): Answer | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? causeOf(error.cause) : error.message;
}

const HELP_AFTER = `
Steps that ran after the restored state run again: their report is shown first. It stays released when the server starts again.

Exit codes: 0 released, or nothing was held; 1 the server cannot be reached or refuses; 2 bad command line.

Examples:
  holdfast release --show
  holdfast release --admin http://127.0.0.1:9070`;
