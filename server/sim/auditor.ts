/**
 * What must hold in the end, checked from the journals, the state and the ledger alone:
 * - every request that was acknowledged has its result, and the right one, or was ended by an operator;
 * - every step has exactly one recorded result, which is its last execution: it never ran again once it was recorded. Only a step that lost a
 *   race, or whose invocation was ended, may have none; where two servers lived at once it may be an earlier one;
 * - an object has counted every addition once: no two callers were told the same number, and none is larger than its state;
 * - nothing is left running, nobody waits for ever, no key is held and nobody queues.
 */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Entry } from "../journal/summary.ts";
import type { Reader } from "../machine/tx.ts";
import type { SimClient } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import { expectedOf } from "./workload.ts";

export function audit(
  reader: Reader,
  clients: readonly SimClient[],
  ledger: Ledger,
  wereTwo: boolean,
): string[] {
  const broken = clients.flatMap((client) => clientProblem(client) ?? []);
  broken.push(...unfinished(reader));
  for (let seq = 1; seq <= SEQ_MAX; seq += 1) {
    broken.push(...invocationProblems(reader, seq, ledger, wereTwo));
  }
  for (const key of ["k0", "k1"]) broken.push(...tallyProblems(reader, clients, key));
  return broken;
}

/** Invocations that are not over, and what they do. */
export function unfinished(reader: Reader): string[] {
  const left: string[] = [];
  for (let seq = 1; seq <= SEQ_MAX; seq += 1) {
    const invocation = reader.invocation(seq);
    if (invocation === undefined || invocation.state.status === "completed") continue;
    const { target, state } = invocation;
    left.push(`${target.service}/${target.handler} (${seq}) is left ${state.status}`);
  }
  return left;
}

const ENDED = new Set(["409 canceled", "409 Cancelled", "409 killed"]);

function clientProblem({ target, name, result, mayBeEnded }: SimClient): string | null {
  if (mayBeEnded && result !== null && ENDED.has(result)) return null;
  const expected = expectedOf(target, name);
  if (result !== null && (expected === null || result === expected)) return null;
  return `${name}: ${result} not ${expected}`;
}

function invocationProblems(
  reader: Reader,
  seq: number,
  ledger: Ledger,
  wereTwo: boolean,
): string[] {
  const invocation = reader.invocation(seq);
  if (invocation === undefined) return [];
  if (invocation.isJournalPurged) return [];
  const problems: string[] = [];
  const entries = reader.entries(seq, 0, invocation.journal.length);
  const wasEnded = entries.some(({ type, body }) => isEnding(type, body));
  for (const [step, results] of stepsOf(entries)) {
    // A step that lost its race, or was under way when its invocation was ended, need not have come to its end.
    if (results.length === 0 && (step.endsWith("/race") || wasEnded)) continue;
    if (results.length !== 1) problems.push(`${step}: ${results.length} results`);
    const last = ledger.last(step);
    // One that is fenced and does not know it yet may have had an attempt under way.
    const isRight = wereTwo ? ledger.has(step, results[0] ?? 0) : results[0] === last;
    if (!isRight) problems.push(`${step}: recorded ${results[0]}, last ran ${last}`);
  }
  return problems;
}

/** An output that no handler made of its own will. */
function isEnding(type: number, body: Uint8Array): boolean {
  if (type !== MessageType.OutputCommand) return false;
  const message = decodeMessage(type, body);
  if (message.type !== MessageType.OutputCommand || message.result.kind !== "failure") return false;
  const { code, message: text } = message.result.failure;
  return ENDED.has(`${code} ${text}`);
}

function tallyProblems(reader: Reader, clients: readonly SimClient[], key: string): string[] {
  const problems: string[] = [];
  const instance = { service: "Tally", key };
  const holder = reader.lockHolder(instance);
  if (holder !== undefined) problems.push(`${key} is held by ${holder}`);
  if (reader.queue(instance, 1).length > 0) problems.push(`somebody waits for ${key}`);
  const mine = clients.filter(({ target }) => target.service === "Tally" && target.key === key);
  const told = mine.flatMap(({ result }) => (result?.startsWith("409") === false ? [result] : []));
  if (new Set(told).size < told.length)
    problems.push(`${key}: two were told the same of ${told.join(" ")}`);
  const value = reader.stateValue(instance, new TextEncoder().encode("count"));
  const count = value === undefined ? 0 : Number(new TextDecoder().decode(value));
  if (count < told.length || count > mine.length || told.some((each) => Number(each) > count)) {
    problems.push(
      `${key} counts ${count}, and its callers were told ${told.join(" ")} of ${mine.length}`,
    );
  }
  return problems;
}

/** More invocations than any simulation starts. */
const SEQ_MAX = 3000;

/** The results of each step, by its name. */
function stepsOf(entries: readonly Entry[]): Map<string, number[]> {
  const names = new Map<number, string>();
  const results = new Map<string, number[]>();
  for (const { type, body } of entries) {
    const message = decodeMessage(type, body);
    if (message.type === MessageType.RunCommand) {
      names.set(message.resultCompletionId, message.name);
      results.set(message.name, []);
    } else if (message.type === MessageType.RunCompletion && message.id.kind === "completion") {
      const name = names.get(message.id.completionId) ?? "?";
      const { result } = message;
      const number = result.kind === "value" ? Number(new TextDecoder().decode(result.value)) : -1;
      results.set(name, [...(results.get(name) ?? []), number]);
    }
  }
  return results;
}
