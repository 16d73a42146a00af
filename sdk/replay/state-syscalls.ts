/**
 * Reading and changing the state of the key. A value that is known here is recorded together with the question, so that
 * nothing has to be waited for; the answer in the journal is the one that counts on replay, whichever way it was got.
 */
import { MessageType } from "../protocol/message-type.ts";
import type { NotificationResult } from "../protocol/messages.ts";
import { type AwaitNode, Constant } from "./await-node.ts";
import type { LocalState } from "./local-state.ts";
import type { ReplayMachine } from "./machine.ts";

type Machine = ReplayMachine<unknown>;

const encoder = new TextEncoder();
const VOID = { kind: "void" } as const;

const known = (value: NotificationResult): AwaitNode<NotificationResult> =>
  new Constant({ ok: true, value });

/** A value, or void for none. */
export function getState(
  machine: Machine,
  state: LocalState,
  name: string,
): AwaitNode<NotificationResult> {
  // Taken also when nothing will come under it, so that ids do not depend on who knew the value.
  const resultCompletionId = machine.allocateCompletionId();
  const key = encoder.encode(name);
  const value = state.get(name);
  const recorded = machine.nextRecorded;
  const isLazy =
    recorded?.type === MessageType.GetLazyStateCommand ||
    (recorded?.type !== MessageType.GetEagerStateCommand && value === undefined);
  if (isLazy) {
    const type = MessageType.GetLazyStateCommand;
    machine.command({ type, name: "", key, resultCompletionId });
    return machine.completion(resultCompletionId);
  }
  const own = value === undefined || value === null ? VOID : ({ kind: "value", value } as const);
  const result = recorded?.type === MessageType.GetEagerStateCommand ? recorded.result : own;
  machine.command({ type: MessageType.GetEagerStateCommand, name: "", key, result });
  return known(result);
}

/** Keys. */
export function getStateKeys(machine: Machine, state: LocalState): AwaitNode<NotificationResult> {
  const resultCompletionId = machine.allocateCompletionId();
  const own = state.keys()?.map((key) => encoder.encode(key));
  const recorded = machine.nextRecorded;
  const isRecorded = recorded?.type === MessageType.GetEagerStateKeysCommand;
  const keys = isRecorded ? recorded.keys : own;
  if (keys === undefined || recorded?.type === MessageType.GetLazyStateKeysCommand) {
    const type = MessageType.GetLazyStateKeysCommand;
    machine.command({ type, name: "", resultCompletionId });
    return machine.completion(resultCompletionId);
  }
  machine.command({ type: MessageType.GetEagerStateKeysCommand, name: "", keys });
  return known({ kind: "state-keys", keys });
}

export function setState(
  machine: Machine,
  state: LocalState,
  name: string,
  value: Uint8Array,
): void {
  machine.command({
    type: MessageType.SetStateCommand,
    name: "",
    key: encoder.encode(name),
    value,
  });
  state.set(name, value);
}

export function clearState(machine: Machine, state: LocalState, name: string): void {
  machine.command({ type: MessageType.ClearStateCommand, name: "", key: encoder.encode(name) });
  state.clear(name);
}

export function clearAllState(machine: Machine, state: LocalState): void {
  machine.command({ type: MessageType.ClearAllStateCommand, name: "" });
  state.clearAll();
}
