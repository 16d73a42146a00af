/**
 * The one way in which an answer leaves: never twice, never to somebody who left, never held up by a slow reader. Senders say false
 * where nobody is there to be answered.
 */
import type { HttpResponse } from "./exchange.ts";

/** Answers up to this size fit the socket's buffer: nobody has to read for them to be gone. */
const BUFFERED_BYTES_MAX = 64 * 1024;

/** A client that takes none of a large answer for this long is cut: what it does not take occupies memory. */
export const STALLED_READER_MS = 30_000;

export type AnswerHeaders = Record<string, string>;

export function sendBytes(
  response: HttpResponse,
  status: number,
  body: Uint8Array | string,
  headers: AnswerHeaders,
  stalledReaderMs = STALLED_READER_MS,
): boolean {
  if (!answerable(response)) return false;
  const bytes = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  headers["content-length"] = `${bytes}`;
  // A reason phrase only where the status has a registered one: 470 has none.
  if (status === 470) response.writeHead(status, "", headers);
  else response.writeHead(status, headers);
  if (bytes > BUFFERED_BYTES_MAX) cutStalledReader(response, stalledReaderMs);
  if (bytes === 0) response.end();
  else response.end(body);
  return true;
}

/** The socket's timer starts anew whenever some of the answer has left. */
function cutStalledReader(response: HttpResponse, stalledReaderMs: number): void {
  const { socket } = response;
  if (socket === null) {
    // Behind the answer to an earlier request: when its turn comes.
    response.once("socket", () => cutStalledReader(response, stalledReaderMs));
    return;
  }
  socket.setTimeout(stalledReaderMs);
  // Before node's own listener, which sets the time for an idle connection.
  response.prependOnceListener("finish", () => socket.setTimeout(0));
}

export function sendJson(
  response: HttpResponse,
  status: number,
  document: string,
  headers: AnswerHeaders = {},
): boolean {
  headers["content-type"] = "application/json";
  return sendBytes(response, status, document, headers);
}

export function answerable(response: HttpResponse): boolean {
  return !(response.headersSent || response.writableEnded || response.destroyed);
}
