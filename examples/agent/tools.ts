/** What the agent can do: each is executed as a step. */
import type { RunStep } from "@holdfast/sdk";
import type { SupportDesk } from "./support-desk.ts";

export interface Tool {
  /** For the model. */
  readonly description: string;
  /** A person has to agree, each time. */
  readonly needsApproval: boolean;
  /** Text for the model. Executed again when a crash came before its result was recorded. */
  run(input: Readonly<Record<string, string>>, step: RunStep): string;
}

export function supportTools(desk: SupportDesk): ReadonlyMap<string, Tool> {
  const tools: Readonly<Record<string, Tool>> = {
    lookUpOrder: {
      description: "lookUpOrder {order}: what was ordered, by whom, for how much",
      needsApproval: false,
      run: ({ order = "" }) => desk.describe(order),
    },
    refund: {
      description: "refund {order}: gives the customer all of the money back",
      needsApproval: true,
      run: ({ order = "" }, step) => desk.refund(order, step.idempotencyKey),
    },
    writeToCustomer: {
      description: "writeToCustomer {order, text}: an e-mail to the customer",
      needsApproval: false,
      run: ({ order = "", text = "" }, step) => desk.write(order, text, step.idempotencyKey),
    },
  };
  return new Map(Object.entries(tools));
}

/** What a real model is told before the conversation. */
export function instructionsFor(tools: ReadonlyMap<string, Tool>): string {
  const list = [...tools.values()].map(({ description }) => `- ${description}`).join("\n");
  return `You work at the support desk of a shop. Tools, with their inputs, all of them text:
${list}
Answer with one JSON object and nothing else: {"tool": "name", "input": {…}} to use a tool, whose result you are told next, or
{"answer": "…"} to end, with what you did or why you did not. A person may deny a tool; do not ask for it again then.`;
}
