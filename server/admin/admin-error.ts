/** What an admin request is refused with: `{message, restate_code}` under a status (HTTP API 2.1). */

export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly status: number;
  /** Such as `META0006`; null where there is none. */
  readonly restateCode: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    restateCode: string | null = null,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.restateCode = restateCode;
    this.headers = headers;
  }
}

export function errorAnswer({ status, message, restateCode, headers }: AdminError): Response {
  return jsonAnswer(status, { message, restate_code: restateCode }, headers);
}

export function jsonAnswer(
  status: number,
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = JSON.stringify(document);
  return new Response(body, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    },
  });
}

export function emptyAnswer(status: number): Response {
  return new Response(null, { status });
}
