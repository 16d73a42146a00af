/** What decides: a deterministic stand-in, or a real model over HTTP. Either answers with one JSON object, as text. */
import { setTimeout as pause } from "node:timers/promises";
import { type Context, TerminalError } from "@holdfast/sdk";

/** The conversation so far: the goal, what the model decided, and what came of it. */
export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/** Use a tool, or end with an answer. */
export type Decision =
  | { readonly tool: string; readonly input: Readonly<Record<string, string>> }
  | { readonly answer: string };

/** Asks for the next decision, as a step of the handler. */
export type Model = (ctx: Context, transcript: readonly Message[]) => Promise<string>;

/** What the text says; undefined when it makes no sense, which models are free to do. */
export function decisionOf(text: string): Decision | undefined {
  const said = parsed(text);
  if (!isRecord(said)) return undefined;
  if (typeof said["answer"] === "string") return { answer: said["answer"] };
  const { tool, input = {} } = said;
  if (typeof tool !== "string" || !isRecord(input)) return undefined;
  const texts = Object.entries(input).map(([name, value]) => [name, String(value)] as const);
  return { tool, input: Object.fromEntries(texts) };
}

export interface HttpModelOptions {
  /** Of an API with `POST /chat/completions` in the common form, such as `https://api.openai.com/v1`. */
  readonly url: string;
  readonly name: string;
  /** Sent as a bearer token; never recorded. */
  readonly key?: string | undefined;
  /** What the model is told about its task and its tools. */
  readonly instructions: string;
}

/** `ctx.fetch` asks again after 429 and 5xx, as long as `retry-after` says, and records the answer. */
export function httpModel({ url, name, key, instructions }: HttpModelOptions): Model {
  return async (ctx, transcript) => {
    const response = await ctx.fetch(
      `${url}/chat/completions`,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({
          model: name,
          messages: [{ role: "system", content: instructions }, ...transcript],
          response_format: { type: "json_object" },
        }),
      },
      { name: "think", timeout: { minutes: 2 }, maxRetryAttempts: 10 },
    );
    const body = await response.text();
    if (response.ok) return contentOf(body);
    throw new TerminalError(`the model answered ${response.status}: ${body}`);
  };
}

/** `choices[0].message.content` */
function contentOf(body: string): string {
  const completion = parsed(body);
  const choices = isRecord(completion) ? completion["choices"] : undefined;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = isRecord(first) ? first["message"] : undefined;
  const content = isRecord(message) ? message["content"] : undefined;
  return typeof content === "string" ? content : "";
}

/** Costs nothing and always decides the same. `thinkMs` is how long it takes, for people who watch. */
export function standInModel(thinkMs: number): Model {
  return async (ctx, transcript) =>
    ctx.run("think", async () => {
      await pause(thinkMs);
      return JSON.stringify(decide(transcript));
    });
}

/** Looks the order up, refunds it if that was asked for, writes to the customer, and says so. */
function decide(transcript: readonly Message[]): Decision {
  const [goal = "", ...results] = transcript
    .filter(({ role }) => role === "user")
    .map(({ content }) => content);
  const order = /\border (\d+)/i.exec(goal)?.[1];
  if (order === undefined) return { answer: "Which order is it about?" };
  const found = results.find((result) => result.startsWith("lookUpOrder: "));
  if (found === undefined) return { tool: "lookUpOrder", input: { order } };
  if (found.includes("no such order")) return { answer: `There is no order ${order}.` };
  if (!/refund/i.test(goal)) return { answer: found.replace("lookUpOrder: ", "") };
  const refund = results.find((result) => result.startsWith("refund"));
  if (refund === undefined) return { tool: "refund", input: { order } };
  const denied = /^refund denied: (.*)/.exec(refund)?.[1];
  if (denied !== undefined) return { answer: `Order ${order} was not refunded: ${denied}.` };
  if (!results.some((result) => result.startsWith("writeToCustomer: "))) {
    const text = `We have refunded your order ${order}.`;
    return { tool: "writeToCustomer", input: { order, text } };
  }
  return { answer: `Order ${order} is refunded (${refund.replace("refund: ", "")}).` };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
