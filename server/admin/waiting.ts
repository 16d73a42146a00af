/** What a suspended invocation waits for, in the words of its own journal. Reads, decides nothing. */
import { awakeableIdToString } from "../../sdk/protocol/ids.ts";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isCommand, messageTypeName } from "../../sdk/protocol/message-type.ts";
import { CANCEL_SIGNAL, FIRST_USER_SIGNAL, type Command } from "../../sdk/protocol/messages.ts";
import type { AwaitSet } from "../journal/await-set.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import { commandView } from "./entry-view.ts";
import type { View } from "./service-view.ts";

/** So much of a journal is searched for the commands that are waited for; beyond, their number has to do. */
const SEARCHED_ENTRIES_MAX = 10_000;
/** So much is shown of a long list. */
const SHOWN_MAX = 100;

export function waitingView(reader: Reader, invocation: Invocation, awaiting: AwaitSet): View[] {
  const completions = awaiting.completions.slice(0, SHOWN_MAX);
  const commands = commandsOf(reader, invocation, new Set(completions));
  return [
    ...completions.map((id) => ({ kind: "completion", completion_id: id, ...commands.get(id) })),
    ...awaiting.signals.slice(0, SHOWN_MAX).map((index) => signalView(invocation.id, index)),
    ...awaiting.namedSignals.slice(0, SHOWN_MAX).map((name) => ({ kind: "signal", name })),
  ];
}

/** Awakeables are signals of the handler's own; the lower ones are the protocol's. */
function signalView(id: Uint8Array, index: number): View {
  if (index >= FIRST_USER_SIGNAL) {
    return { kind: "awakeable", awakeable_id: awakeableIdToString(id, index) };
  }
  return index === CANCEL_SIGNAL ? { kind: "cancellation" } : { kind: "signal", index };
}

/** The commands that are completed with these ids. */
function commandsOf(
  reader: Reader,
  { seq, journal }: Invocation,
  wanted: ReadonlySet<number>,
): ReadonlyMap<number, View> {
  const found = new Map<number, View>();
  const end = Math.min(journal.length, SEARCHED_ENTRIES_MAX);
  let commandIndex = 0;
  for (let index = 0; index < end && found.size < wanted.size; index += 1) {
    // One at a time: a page of entries could hold any number of bytes.
    const entry = reader.entries(seq, index, index + 1)[0];
    if (entry === undefined || !isCommand(entry.type)) continue;
    const command = completableCommand(entry);
    for (const id of completionIdsOf(command)) {
      if (command !== null && wanted.has(id)) found.set(id, describe(command, commandIndex));
    }
    commandIndex += 1;
  }
  return found;
}

function describe(command: Command, commandIndex: number): View {
  const { completion_id: _own, ...what } = commandView(command);
  const { name } = command;
  return {
    command: messageTypeName(command.type),
    command_index: commandIndex,
    name: name === "" ? undefined : name,
    ...what,
  };
}

function completableCommand(entry: Entry): Command | null {
  try {
    const message = decodeMessage(entry.type, entry.body);
    return "name" in message ? message : null;
  } catch {
    return null;
  }
}

function completionIdsOf(command: Command | null): number[] {
  if (command === null) return [];
  const ids: number[] = [];
  if ("resultCompletionId" in command) ids.push(command.resultCompletionId);
  if ("invocationIdCompletionId" in command) ids.push(command.invocationIdCompletionId);
  return ids;
}
