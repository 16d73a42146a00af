/** Finds the commands of a journal that are waited for. Reads, decides nothing. */
import { decodeNotificationId } from "../../sdk/protocol/codec.ts";
import { isCommand, MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import { decoded } from "./entry-view.ts";

/** How much more may be read for one answer. */
export interface Budget {
  /** Of journals: entries, and their bodies. */
  entries: number;
  bytes: number;
  /** Invocations that are looked into. */
  invocations: number;
}

export interface AwaitedCommand {
  readonly command: Command;
  /** Among the commands of its journal. */
  readonly commandIndex: number;
  readonly atMs: number;
  /** Of a call: the invocation it made. */
  readonly invocationId: string | null;
}

export interface Awaited {
  /** By the id of the completion that brings the result. */
  readonly commands: ReadonlyMap<number, AwaitedCommand>;
  /** The completions among those read that have arrived. */
  readonly arrived: ReadonlySet<number>;
}

/** So many open commands are looked for where it is not known which are awaited. */
const OPEN_MAX = 20;

/**
 * The commands with these completion ids or, with null, the newest without a result. From the end of the journal, where
 * what is awaited most often stands; what lies beyond the budget is not found.
 */
export function awaitedCommands(
  reader: Reader,
  { seq, journal }: Invocation,
  wanted: ReadonlySet<number> | null,
  budget: Budget,
): Awaited {
  const commands = new Map<number, AwaitedCommand>();
  const arrived = new Set<number>();
  const invocationIds = new Map<number, string>();
  const enough = wanted?.size ?? OPEN_MAX;
  let commandIndex = journal.commands;
  for (let index = journal.length - 1; index >= 0 && commands.size < enough; index -= 1) {
    if (budget.entries <= 0 || budget.bytes <= 0) break;
    budget.entries -= 1;
    // One at a time: a page of entries could hold any number of bytes.
    const entry = reader.entries(seq, index, index + 1)[0];
    if (entry === undefined) continue;
    budget.bytes -= entry.body.length;
    if (!isCommand(entry.type)) {
      noteArrival(entry, arrived, invocationIds);
      continue;
    }
    commandIndex -= 1;
    const command = completable(entry);
    if (command === null) continue;
    const { resultCompletionId } = command;
    if (!(wanted?.has(resultCompletionId) ?? !arrived.has(resultCompletionId))) continue;
    const invocationId =
      command.type === MessageType.CallCommand
        ? (invocationIds.get(command.invocationIdCompletionId) ?? null)
        : null;
    commands.set(resultCompletionId, { command, commandIndex, atMs: entry.atMs, invocationId });
  }
  return { commands, arrived };
}

function noteArrival(entry: Entry, arrived: Set<number>, invocationIds: Map<number, string>): void {
  if (entry.type === MessageType.CallInvocationIdCompletion) {
    const message = decoded(entry);
    if (message === null || !("id" in message) || !("result" in message)) return;
    if (message.result.kind !== "invocation-id" || message.id.kind !== "completion") return;
    invocationIds.set(message.id.completionId, message.result.invocationId);
    return;
  }
  if (entry.type === MessageType.Signal) return;
  try {
    const id = decodeNotificationId(entry.body);
    if (id.kind === "completion") arrived.add(id.completionId);
  } catch {
    // What this version cannot read is shown in the journal, and answers nothing here.
  }
}

type Completable = Extract<Command, { readonly resultCompletionId: number }>;

function completable(entry: Entry): Completable | null {
  const message = decoded(entry);
  return message !== null && "resultCompletionId" in message && "name" in message ? message : null;
}
