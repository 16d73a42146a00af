/**
 * What has to be known of a journal to append to it, without its payloads. Folded entry by entry, so the summary of a
 * stored journal is the fold over its entries.
 */
import { isCommand, MessageType } from "../../sdk/protocol/message-type.ts";
import { decodeNotificationId, decodeRunCompletionId } from "../../sdk/protocol/codec.ts";
import { eventKeyOf, numberedMessageOf } from "../../sdk/protocol/signal-names.ts";
import type { NotificationId } from "../../sdk/protocol/messages.ts";

/** One stored entry: a command or a notification, its body as it came off the wire. */
export interface Entry {
  readonly index: number;
  readonly type: number;
  readonly body: Uint8Array;
  /** When it was stored, in ms since the Unix epoch. */
  readonly atMs: number;
}

export interface JournalSummary {
  /** Entries, commands and notifications together; the index of the next one. */
  length: number;
  /** Commands only; the command index of the next one. */
  commands: number;
  /** Index of the last Output entry, -1 without one: the last one wins. */
  outputIndex: number;
  /** Completion ids of `run` commands without a recorded result. */
  readonly openRuns: Set<number>;
  /** Signals that arrived, by `signalKey`: the first completion of an awakeable wins. */
  readonly signals: Set<string>;
  /** The number of the next message, by topic. */
  readonly messages: Map<string, number>;
  /** Index of the entry that holds the latest value of a published event, by its key. */
  readonly events: Map<string, number>;
}

export function emptySummary(): JournalSummary {
  return {
    length: 0,
    commands: 0,
    outputIndex: -1,
    openRuns: new Set(),
    signals: new Set(),
    messages: new Map(),
    events: new Map(),
  };
}

/** True when the summary needs the body of an entry of this type. */
export function needsBody(type: number): boolean {
  return (
    type === MessageType.RunCommand ||
    type === MessageType.RunCompletion ||
    type === MessageType.Signal
  );
}

/** Takes the next entry into the summary. `body` may be empty where `needsBody` says so. */
export function foldEntry(summary: JournalSummary, type: number, body: Uint8Array): void {
  const index = summary.length;
  summary.length += 1;
  if (isCommand(type)) summary.commands += 1;
  switch (type) {
    case MessageType.OutputCommand:
      summary.outputIndex = index;
      break;
    case MessageType.RunCommand:
      summary.openRuns.add(decodeRunCompletionId(body));
      break;
    case MessageType.RunCompletion: {
      const id = decodeNotificationId(body);
      if (id.kind === "completion") summary.openRuns.delete(id.completionId);
      break;
    }
    case MessageType.Signal:
      foldSignal(summary, decodeNotificationId(body), index);
      break;
    default:
      break;
  }
}

function foldSignal(summary: JournalSummary, id: NotificationId, index: number): void {
  summary.signals.add(signalKey(id));
  if (id.kind !== "signal-name") return;
  const message = numberedMessageOf(id.name);
  if (message !== undefined) summary.messages.set(message.topic, message.number + 1);
  const event = eventKeyOf(id.name);
  if (event !== undefined) summary.events.set(event, index);
}

/** One string for a signal, by index or by name. */
export function signalKey(id: NotificationId): string {
  switch (id.kind) {
    case "signal-index":
      return `#${id.index}`;
    case "signal-name":
      return `n${id.name}`;
    case "completion":
      return `c${id.completionId}`;
    default:
      return "";
  }
}
