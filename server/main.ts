/** The process: command line in, exit code out. 2: bad command line or configuration. 1: the server could not go on.
 * 3: the replica is another server's. */
import { Command } from "commander";
import { AttachError } from "./replica/attach.ts";
import { boot, type Server } from "./boot.ts";
import { type Config, serveCommand, unknownVariables } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { errorFields, jsonLog } from "./base/log.ts";
import { systemClock } from "./base/clock.ts";
import { journalCommand } from "./journal-command.ts";
import { releaseCommand } from "./release-command.ts";
import { replicaCommand, restoreCommand } from "./replica-commands.ts";
import { VERSION } from "./version.ts";

const EXIT_BAD_USAGE = 2;
/** Another server goes on with the replica: starting this one again on its directory would be refused. */
const EXIT_FENCED = 3;

async function serve(config: Config): Promise<void> {
  // Whoever read the log is gone; callers are not.
  process.stderr.on("error", () => {});
  process.stdout.on("error", () => {});
  const log = jsonLog(
    config.logLevel,
    (line) => process.stderr.write(line),
    () => systemClock.nowMs(),
  );
  for (const name of unknownVariables(process.env)) {
    log.warn("unknown-setting", { name, hint: "see holdfast serve --help for the settings" });
  }
  process.on("unhandledRejection", (error) => log.error("unhandled-rejection", errorFields(error)));
  const ended = endOnSignals(config.replica?.standby === true, () => log.info("stopped"));
  const server = await boot(config, {
    log,
    clock: systemClock,
    onFatal: () => process.exit(1),
    onFenced: () => process.exit(EXIT_FENCED),
  });
  ended();
  stopOnSignals(
    server,
    () => log.info("stopped"),
    (error) => log.error("stop-failed", errorFields(error)),
  );
  const { ingress, admin } = server;
  const { pid } = process;
  process.stdout.write(
    `${JSON.stringify({ event: "ready", ingress, admin, data: config.data, version: VERSION, pid })}\n`,
  );
}

/** A standby has nothing to drain: until it serves, a signal ends it at once. Returns how that is taken back. */
function endOnSignals(isStandby: boolean, stopped: () => void): () => void {
  if (!isStandby) return () => {};
  const onSignal = (): void => {
    stopped();
    process.exit(0);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return () => {
    process.removeListener("SIGTERM", onSignal);
    process.removeListener("SIGINT", onSignal);
  };
}

/** The first signal drains, a second one does not wait. */
function stopOnSignals(
  server: Server,
  stopped: () => void,
  failed: (error: unknown) => void,
): void {
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    server.stop().then(
      () => {
        stopped();
        process.exit(0);
      },
      (error: unknown) => {
        failed(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

const program = new Command("holdfast")
  .description(
    "Holdfast makes HTTP handlers crash-proof: it journals what they do and resumes them.",
  )
  .version(VERSION)
  .addCommand(serveCommand(serve))
  .addCommand(restoreCommand())
  .addCommand(replicaCommand())
  .addCommand(releaseCommand())
  .addCommand(journalCommand())
  .configureOutput({ outputError: (text, write) => write(text) })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_BAD_USAGE));
inheritSettings(program);

/** Those of commands below others, too. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inheritSettings(command);
  }
}

// No await at the top: the single executable is CommonJS, which has none.
program.parseAsync().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`holdfast: ${message}\n`);
  if (error instanceof AttachError) process.exitCode = EXIT_FENCED;
  else process.exitCode = error instanceof ConfigError ? EXIT_BAD_USAGE : 1;
});
