/**
 * What must hold in the end, checked from the journals and the ledger alone:
 * - every request that was acknowledged has its result, and the right one;
 * - every step has exactly one recorded result, which is its last execution: it never ran again once it was recorded. Only a step that lost a
 *   race may have none;
 * - nothing is left running, and nobody waits for ever.
 */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Entry } from "../journal/summary.ts";
import type { Reader } from "../machine/tx.ts";
import type { SimClient } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import { expectedOf } from "./workload.ts";

export function audit(reader: Reader, clients: readonly SimClient[], ledger: Ledger): string[] {
  const broken: string[] = [];
  for (const client of clients) {
    const expected = expectedOf(client.handler, client.name);
    if (client.result !== expected) broken.push(`${client.name}: ${client.result} not ${expected}`);
  }
  let recorded = 0;
  for (let seq = 1; seq <= SEQ_MAX; seq += 1) {
    const invocation = reader.invocation(seq);
    if (invocation === undefined) continue;
    const { status } = invocation.state;
    if (status !== "completed") broken.push(`invocation ${seq} is left ${status}`);
    for (const [step, results] of stepsOf(reader.entries(seq, 0, invocation.journal.length))) {
      recorded += 1;
      // A step that lost its race need not have come to its end.
      if (results.length === 0 && step.endsWith("/race")) continue;
      if (results.length !== 1) broken.push(`${step}: ${results.length} results`);
      const last = ledger.last(step);
      if (results[0] !== last) broken.push(`${step}: recorded ${results[0]}, last ran ${last}`);
    }
  }
  if (recorded === 0) broken.push("no step was recorded at all");
  return broken;
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
