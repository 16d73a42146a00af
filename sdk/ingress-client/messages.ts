/** Messages to handlers, and the events they publish. */
import { trust } from "../define/any.ts";
import { durationToMs } from "../define/duration.ts";
import { serde as serdes } from "../define/serde.ts";
import type {
  Delivery,
  EventOptions,
  InvocationTarget,
  MessageOptions,
  PublishedEvent,
} from "./api.ts";
import type { Payloads } from "./payloads.ts";
import { bodyOf, HttpCallError, type IngressHttp } from "./http.ts";

/** What both go through. */
export interface Connection {
  readonly http: IngressHttp;
  readonly payloads: Payloads;
}

export async function sendMessage<T>(
  { http, payloads }: Connection,
  invocation: InvocationTarget,
  topic: string,
  message: T,
  opts: MessageOptions<T>,
): Promise<Delivery> {
  const path = `${pathOf(invocation)}/messages/${encodeURIComponent(topic)}`;
  const payload = payloads.encode(message, opts.serde);
  const answer = await http.post(path, { ...opts, ...payload });
  const { status }: Delivery = trust(serdes.json.deserialize(answer));
  return { status };
}

const NOT_MODIFIED = 304;
const NOT_FOUND = 404;

export async function getEvent<T>(
  { http, payloads }: Connection,
  invocation: InvocationTarget,
  key: string,
  opts: EventOptions<T>,
): Promise<PublishedEvent<T> | undefined> {
  const { wait, after, headers } = opts;
  const query = wait === undefined ? "" : `?wait=${Math.ceil(durationToMs(wait))}ms`;
  const path = `${pathOf(invocation)}/events/${encodeURIComponent(key)}${query}`;
  const known = after === undefined ? {} : { "if-none-match": `"${after}"` };
  try {
    const response = await http.fetch(path, { ...opts, headers: { ...headers, ...known } });
    const version = Number(response.headers.get("etag")?.replaceAll('"', ""));
    return { value: await payloads.decode(await bodyOf(response), opts.serde), version };
  } catch (error) {
    if (error instanceof HttpCallError && saysNone(error)) return undefined;
    throw error;
  }
}

/** There is no value, or no newer one; not that the invocation is unknown. */
function saysNone({ status, responseText }: HttpCallError): boolean {
  return (
    status === NOT_MODIFIED || (status === NOT_FOUND && /"reason":\s*"no-event"/.test(responseText))
  );
}

function pathOf(invocation: InvocationTarget): string {
  if (typeof invocation === "string") {
    return `/restate/invocation/${encodeURIComponent(invocation)}`;
  }
  return `/restate/workflow/${invocation.workflow}/${encodeURIComponent(invocation.key)}`;
}
