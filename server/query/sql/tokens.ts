/**
 * SQL text as tokens, without loss: printing the tokens gives the text again. What is a string, a comment or a quoted name here
 * is the same for SQLite, so that a rewriting of tokens never reaches into one.
 */

export type TokenKind = "word" | "quoted" | "string" | "number" | "blob" | "symbol";

export interface Token {
  readonly kind: TokenKind;
  /** White space and comments in front of it. */
  readonly before: string;
  /** As it stands in the text. */
  readonly text: string;
  /** A word in lower case; the name in a quoted name; the text in a string; otherwise `text`. */
  readonly value: string;
}

export interface TokenizedSql {
  readonly tokens: readonly Token[];
  /** White space and comments behind the last token. */
  readonly tail: string;
}

/** The statement is not SQL that can be answered; the message says why and goes to the caller. */
export class SqlError extends Error {
  override readonly name = "SqlError";
}

// A comment that is not closed ends with the text, as in SQLite.
const SPACE = /(?:[ \t\n\f\r]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))*/y;
const WORD = /[A-Za-z_\u0080-\u{10FFFF}][\w$\u0080-\u{10FFFF}]*/uy;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y;
const STRING = /'(?:[^']|'')*'/y;
const BLOB = /[xX]'[^']*'/y;
const QUOTED = /"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/y;
const SYMBOL = /!~\*|->>|::|\|\||<=|>=|<>|!=|==|->|!~|~\*|<<|>>|[\s\S]/uy;

/** Throws `SqlError` where a string or a quoted name is not closed. */
export function tokenize(sql: string): TokenizedSql {
  // SQLite would take it for the end of the statement.
  if (sql.includes("\0")) throw new SqlError("there is a NUL character in the statement");
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(sql)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  for (;;) {
    const before = match(SPACE) ?? "";
    if (at >= sql.length) return { tokens, tail: before };
    tokens.push(nextToken(before, match, sql, at));
  }
}

function nextToken(
  before: string,
  match: (pattern: RegExp) => string | undefined,
  sql: string,
  at: number,
): Token {
  let text = match(BLOB);
  if (text !== undefined) return { kind: "blob", before, text, value: text };
  text = match(WORD);
  if (text !== undefined) return { kind: "word", before, text, value: text.toLowerCase() };
  text = match(NUMBER);
  if (text !== undefined) return { kind: "number", before, text, value: text };
  text = match(STRING);
  if (text !== undefined) return { kind: "string", before, text, value: unquote(text) };
  text = match(QUOTED);
  if (text !== undefined) return { kind: "quoted", before, text, value: unquote(text) };
  if (/['"`]/.test(sql.charAt(at))) {
    throw new SqlError(`what begins with ${sql.slice(at, at + 20)} is not closed`);
  }
  text = match(SYMBOL) ?? "";
  return { kind: "symbol", before, text, value: text };
}

function unquote(text: string): string {
  const quote = text.charAt(0);
  const inner = text.slice(1, -1);
  return quote === "[" ? inner : inner.replaceAll(quote + quote, quote);
}
