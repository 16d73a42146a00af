/**
 * Messages and published events: named signals that the server understands (`sdk/protocol/signal-names.ts`).
 *
 * A message gets the next number of its topic, so that none replaces another and a handler takes them in order, also those that
 * came before it asked. An event is the latest signal under its key.
 */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Outcome, VoidResult } from "../../sdk/protocol/messages.ts";
import {
  eventKeyOf,
  eventSignal,
  messageSignal,
  numberedMessageSignal,
  onceSignal,
  topicOfSent,
} from "../../sdk/protocol/signal-names.ts";
import { notificationOf } from "../journal/notification-of.ts";
import { signalKey } from "../journal/summary.ts";
import type { EventState, Reply } from "./effect.ts";
import { find } from "./find.ts";
import type { GetEvent, ListEvents, PublishEvent, SendMessage } from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { notify } from "./notify.ts";
import { reply } from "./reply.ts";
import type { Step } from "./step.ts";
import type { Reader } from "./tx.ts";

/** A named signal to an invocation that is not over, whatever it means. */
export function deliver(
  step: Step,
  invocation: Invocation,
  name: string,
  result: Outcome | VoidResult,
): void {
  const topic = topicOfSent(name);
  if (topic !== undefined) return append(step, invocation, nextMessage(invocation, topic), result);
  append(step, invocation, name, result);
  const key = eventKeyOf(name);
  if (key === undefined) return undefined;
  const { seq, journal } = invocation;
  const state = { index: journal.length - 1, atMs: step.nowMs, outcome: valueOf(result) };
  step.effects.push({ type: "published", seq, key, state });
  return undefined;
}

function nextMessage({ journal }: Invocation, topic: string): string {
  return numberedMessageSignal(topic, journal.messages.get(topic) ?? 0);
}

function append(
  step: Step,
  invocation: Invocation,
  name: string,
  result: Outcome | VoidResult,
): void {
  notify(step, invocation, {
    type: MessageType.Signal,
    id: { kind: "signal-name", name },
    result,
  });
}

export function onSendMessage(step: Step, input: SendMessage): void {
  const { topic, idempotencyKey, message, replyTo } = input;
  const invocation = open(step, input);
  if (invocation === undefined) return undefined;
  if (idempotencyKey !== null) {
    const name = onceSignal(topic, idempotencyKey);
    if (invocation.journal.signals.has(signalKey({ kind: "signal-name", name }))) {
      return reply(step, replyTo, { kind: "delivered", isNew: false });
    }
    append(step, invocation, name, { kind: "void" });
  }
  deliver(step, invocation, messageSignal(topic), { kind: "value", value: message });
  return reply(step, replyTo, { kind: "delivered", isNew: true });
}

export function onPublishEvent(step: Step, input: PublishEvent): void {
  const invocation = open(step, input);
  if (invocation === undefined) return undefined;
  deliver(step, invocation, eventSignal(input.key), { kind: "value", value: input.value });
  return reply(step, input.replyTo, { kind: "delivered", isNew: true });
}

/** The invocation, unless it is over or unknown: then that was answered. */
function open(step: Step, { id, replyTo }: SendMessage | PublishEvent): Invocation | undefined {
  const invocation = find(step, id);
  const status = invocation?.state.status;
  if (invocation !== undefined && status !== "completed") return invocation;
  const answer: Reply = status === undefined ? { kind: "not-found" } : { kind: "conflict", status };
  reply(step, replyTo, answer);
  return undefined;
}

export function onGetEvent(step: Step, input: GetEvent): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { seq, journal, state } = invocation;
  const index = journal.events.get(input.key);
  const event = index === undefined ? null : eventAt(step.tx, seq, index);
  const isOver = state.status === "completed";
  return reply(step, input.replyTo, { kind: "event", seq, state: event, isOver });
}

export function onListEvents(step: Step, input: ListEvents): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { seq, journal } = invocation;
  const events = [...journal.events].flatMap(([key, index]) => {
    const state = eventAt(step.tx, seq, index);
    return state === null ? [] : [{ key, state }];
  });
  return reply(step, input.replyTo, { kind: "events", events });
}

function eventAt(reader: Reader, seq: number, index: number): EventState | null {
  const [entry] = reader.entries(seq, index, index + 1);
  const result = entry === undefined ? undefined : notificationOf(entry)?.result;
  if (entry === undefined || result === undefined) return null;
  return { index, atMs: entry.atMs, outcome: valueOf(result) };
}

const NO_BYTES = new Uint8Array();

/** A signal carries a value, a failure, or nothing. */
function valueOf(result: { readonly kind: string }): Outcome {
  return isOutcome(result) ? result : { kind: "value", value: NO_BYTES };
}

function isOutcome(result: { readonly kind: string }): result is Outcome {
  return result.kind === "value" || result.kind === "failure";
}
