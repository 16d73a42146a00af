/** Random SQL-like text: balanced, with strings, comments and quoted names that hold what looks like SQL. */
import fc from "fast-check";

const TRICKY = [
  "index",
  "ilike",
  "interval '1 hour'",
  "::text",
  "first_value(x)",
  "select * from main.invocation",
  "sys_invocation inv limit 1)",
  "now()",
  "18446744073709551615",
  ";",
  "--",
  "/*",
  "$&",
];

const inner = fc.oneof(fc.constantFrom(...TRICKY), fc.string({ maxLength: 6 }));
/** NUL is refused everywhere. */
const harmless = inner.map((text) => text.replaceAll("\0", ""));

const stringLiteral = harmless.map((text) => `'${text.replaceAll("'", "''")}'`);
const quotedName = harmless.map((text) => `"${text.replaceAll('"', '""')}"`);
const comment = fc.oneof(
  harmless.map((text) => `/*${text.replaceAll("*", "")}*/`),
  harmless.map((text) => `--${text.replaceAll("\n", "")}\n`),
);
const word = fc.constantFrom(
  ..."select from where and or status id index ilike interval sys_invocation inv as group by order limit null x".split(
    " ",
  ),
);
const symbol = fc.constantFrom(..."= , + - * / < > <= != == || ~ !~ . ;".split(" "));
const number = fc.constantFrom("1", "2.5", "18446744073709551615", "0x1f");

const token = fc.oneof(word, word, symbol, number, stringLiteral, quotedName, comment);

const sequence: fc.Arbitrary<string> = fc.letrec<{ list: string; part: string }>((tie) => ({
  part: fc.oneof(
    { depthSize: "small" },
    token,
    tie("list").map((list) => `(${list})`),
  ),
  list: fc.array(tie("part"), { maxLength: 8 }).map((parts) => parts.join(" ")),
})).list;

export const sqlText: fc.Arbitrary<string> = sequence;
