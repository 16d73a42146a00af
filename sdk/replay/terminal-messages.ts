/** The messages that end an attempt without a result: Error and Suspension. */
import { MessageType } from "../protocol/message-type.ts";
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type {
  Command,
  ErrorBehavior,
  ErrorMessage,
  Future,
  Suspension,
} from "../protocol/messages.ts";
import type { Leaf } from "./await-node.ts";
import { describeCommand } from "./describe-command.ts";
import type { RecordedCommand } from "./recorded-commands.ts";

/** Codes of the protocol (section 8.12). */
export const INTERNAL_ERROR = 500;
export const JOURNAL_MISMATCH = 570;
export const PROTOCOL_VIOLATION = 571;

/** Why an attempt fails. */
export interface AttemptFailure {
  readonly code: number;
  readonly message: string;
  readonly stacktrace?: string;
  /** `index` is the position among commands; Input is 0. `command` is what the code does there, if that is a command. */
  readonly relatedCommand?: {
    readonly index: number;
    readonly command?: Pick<Command, "name" | "type">;
  };
  /** Replaces the delay of the server's policy for the next attempt. */
  readonly nextRetryDelayMs?: number;
  /** Default: to be tried again. Said from V7; before, failures are always tried again. */
  readonly behavior?: ErrorBehavior;
}

export const RETRY = 0;
export const PAUSE = 1;

const ADVICE =
  "A handler must make the same operations in the same order in every attempt: what may vary belongs into ctx.run, and " +
  "changed code into a new deployment.";

/** @param withBehavior the server knows the field */
export function errorMessage(failure: AttemptFailure, withBehavior: boolean): ErrorMessage {
  const { code, message, stacktrace = "", relatedCommand, nextRetryDelayMs } = failure;
  const { behavior = RETRY } = failure;
  return {
    type: MessageType.Error,
    code,
    message,
    stacktrace,
    ...(relatedCommand !== undefined && related(relatedCommand)),
    ...(nextRetryDelayMs !== undefined && { nextRetryDelayMs }),
    ...(withBehavior && behavior !== RETRY && { behavior }),
  };
}

function related({
  index,
  command,
}: NonNullable<AttemptFailure["relatedCommand"]>): Partial<ErrorMessage> {
  if (command === undefined) return { relatedCommandIndex: index };
  return {
    relatedCommandIndex: index,
    ...(command.name !== "" && { relatedCommandName: command.name }),
    relatedCommandType: command.type,
  };
}

/**
 * @param now what the code does instead of the recorded command, as the second half of a sentence
 * @param attempted what the code does, if that is a command
 */
export function mismatch(
  recorded: RecordedCommand,
  commandIndex: number,
  now: string,
  attempted: Command | undefined,
): AttemptFailure {
  const { command, entryIndex } = recorded;
  return {
    code: JOURNAL_MISMATCH,
    message:
      `journal mismatch at entry ${entryIndex} (command ${commandIndex}): ` +
      `the journal holds ${describeCommand(command)}, but the code now ${now}. ${ADVICE}`,
    relatedCommand: {
      index: commandIndex,
      ...(attempted !== undefined && { command: attempted }),
    },
  };
}

/** What would wake the handler up, from V7. */
export function treeSuspension(awaitingOn: Future | undefined): Suspension | undefined {
  if (awaitingOn === undefined) return undefined;
  const type = MessageType.Suspension;
  return { type, completions: [], signals: [], namedSignals: [], awaitingOn };
}

/** What would wake the handler up, before V7; undefined when nothing ever could. */
export function suspension(leaves: readonly Leaf[], cancellable: boolean): Suspension | undefined {
  const completions = new Set<number>();
  const signals = new Set<number>(cancellable ? [CANCEL_SIGNAL] : []);
  const namedSignals = new Set<string>();
  for (const { id } of leaves) {
    if (id.kind === "completion") completions.add(id.completionId);
    else if (id.kind === "signal-index") signals.add(id.index);
    else namedSignals.add(id.name);
  }
  if (completions.size + signals.size + namedSignals.size === 0) return undefined;
  return {
    type: MessageType.Suspension,
    completions: [...completions],
    signals: [...signals],
    namedSignals: [...namedSignals],
  };
}
