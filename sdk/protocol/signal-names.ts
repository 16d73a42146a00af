/**
 * Names of signals that mean more than a plain signal. Holdfast's own convention above the protocol, in which a signal has a name
 * and a value: so messages and published events work for handlers of any SDK that knows named signals, and over HTTP.
 *
 * - `hf.msg/{topic}` is sent; it is delivered as `hf.msg/{topic}/{number}`, numbered from 0 by arrival.
 * - `hf.event/{key}` is kept as the latest value under this key.
 * - `hf.once/{idempotency key}/{topic}` stands in a journal before a message that was sent with an idempotency key.
 */
const MESSAGE = "hf.msg/";
const EVENT = "hf.event/";
const ONCE = "hf.once/";

/** The name under which a message is sent. */
export function messageSignal(topic: string): string {
  return MESSAGE + topic;
}

/** The name under which message `number` of a topic, from 0, is delivered. */
export function numberedMessageSignal(topic: string, number: number): string {
  return `${MESSAGE}${topic}/${number}`;
}

export function eventSignal(key: string): string {
  return EVENT + key;
}

export function onceSignal(topic: string, idempotencyKey: string): string {
  return `${ONCE}${encodeURIComponent(idempotencyKey)}/${topic}`;
}

/** The topic of a message as it is sent; undefined for any other signal. */
export function topicOfSent(name: string): string | undefined {
  return name.startsWith(MESSAGE) ? name.slice(MESSAGE.length) : undefined;
}

export interface NumberedMessage {
  readonly topic: string;
  readonly number: number;
}

/** A message as it is delivered; undefined for any other signal. */
export function numberedMessageOf(name: string): NumberedMessage | undefined {
  const rest = topicOfSent(name);
  if (rest === undefined) return undefined;
  // A topic may hold slashes; the number stands behind the last one.
  const slash = rest.lastIndexOf("/");
  const digits = rest.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,14})$/.test(digits)) return undefined;
  return { topic: rest.slice(0, slash), number: Number(digits) };
}

/** The key of a published event; undefined for any other signal. */
export function eventKeyOf(name: string): string | undefined {
  return name.startsWith(EVENT) ? name.slice(EVENT.length) : undefined;
}
