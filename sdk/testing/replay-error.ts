/** Why today's code does not follow a recorded journal. */
import { decodeMessage } from "../protocol/codec.ts";
import type { JournalFixture } from "../protocol/journal-fixture.ts";
import { isCommandMessage } from "../protocol/message-kind.ts";
import { isCommand, messageTypeName } from "../protocol/message-type.ts";
import type { ErrorMessage } from "../protocol/messages.ts";
import { describeCommand } from "../replay/describe-command.ts";
import { JOURNAL_MISMATCH } from "../replay/terminal-messages.ts";

/** Where in the journal the code does something else. */
export interface JournalDifference {
  /** Place of the entry in the journal. */
  readonly index: number;
  /** Its number among the commands; the input is 0. */
  readonly commandIndex: number;
  /** What the journal holds there, such as `Run "charge"`. */
  readonly expected: string;
  /** What the code does there, such as `Run "pay"`; undefined where it does nothing and waits. */
  readonly found: string | undefined;
}

/** Today's code does not follow a recorded journal. The message names the place, what stands there, and the remedy. */
export class ReplayError extends Error {
  override readonly name = "ReplayError";
  /** Undefined when the handler failed in another way than by a difference. */
  readonly difference: JournalDifference | undefined;

  constructor(message: string, difference?: JournalDifference) {
    super(message);
    this.difference = difference;
  }
}

const nameOf = ({ service, handler, invocation }: JournalFixture): string =>
  `${service}/${handler} over the journal of ${invocation}`;

export function unusable(fixture: JournalFixture, why: string): ReplayError {
  return new ReplayError(`cannot replay ${nameOf(fixture)}: ${why}`);
}

export function notFinished(fixture: JournalFixture, timeoutMs: number): ReplayError {
  return new ReplayError(
    `${nameOf(fixture)} did not come to the end of the journal within ${timeoutMs} ms: ` +
      `it waits for something outside its context, which belongs into ctx.run`,
  );
}

/** The handler ended its attempt with an error. */
export function failed(fixture: JournalFixture, error: ErrorMessage): ReplayError {
  const { code, message, relatedCommandIndex: commandIndex } = error;
  if (code !== JOURNAL_MISMATCH || commandIndex === undefined) {
    return new ReplayError(`${nameOf(fixture)} fails: ${message}`);
  }
  const difference = differenceAt(fixture, commandIndex, error);
  return new ReplayError(`${nameOf(fixture)}: ${message}`, difference);
}

function differenceAt(
  { entries }: JournalFixture,
  commandIndex: number,
  { relatedCommandName: name, relatedCommandType: type }: ErrorMessage,
): JournalDifference | undefined {
  const commands = entries
    .map(({ type: each, body }, index) => ({ type: each, body, index }))
    .filter((entry) => isCommand(entry.type));
  const recorded = commands[commandIndex];
  if (recorded === undefined) return undefined;
  const message = decodeMessage(recorded.type, Buffer.from(recorded.body, "base64"));
  const label = name === undefined ? "" : ` "${name}"`;
  return {
    index: recorded.index,
    commandIndex,
    expected: isCommandMessage(message) ? describeCommand(message) : messageTypeName(recorded.type),
    found:
      type === undefined ? undefined : `${messageTypeName(type).replace(/Command$/, "")}${label}`,
  };
}
