/** What kind of statement a text is. Everything but a single question is refused. */
import { SqlError } from "./tokens.ts";
import {
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  parseTree,
  print,
  type Tree,
} from "./tree.ts";

export type SqlStatement =
  | { readonly kind: "select" | "explain"; readonly nodes: readonly Node[] }
  | { readonly kind: "show-tables" }
  | { readonly kind: "describe" | "show-columns"; readonly table: string };

const EXPLAIN_WORDS = ["analyze", "verbose", "query", "plan"];
const QUESTIONS =
  "only SELECT, WITH, EXPLAIN, SHOW TABLES, SHOW COLUMNS and DESCRIBE can be answered";

/** Throws `SqlError`. */
export function parseStatement(sql: string): SqlStatement {
  const nodes = withoutEnd(parseTree(sql));
  if (nodes.length === 0) throw new SqlError("there is no statement");
  if (nodes.some((node) => isSymbol(node, ";"))) {
    throw new SqlError("there is more than one statement: send them one at a time");
  }
  const [first] = nodes;
  if (isQuestion(first)) return { kind: "select", nodes };
  if (isWord(first, "explain")) return explained(nodes);
  if (isWord(first, "describe", "desc")) return { kind: "describe", table: tableAt(nodes, 1) };
  if (isWord(first, "show")) return shown(nodes);
  throw new SqlError(`${QUESTIONS}, not ${print(nodes.slice(0, 1)).trim()}`);
}

function isQuestion(node: Node | undefined): boolean {
  return isWord(node, "select", "with");
}

/** Without the semicolons at the end; the comments behind them go too. */
function withoutEnd({ nodes }: Tree): readonly Node[] {
  let end = nodes.length;
  while (isSymbol(nodes[end - 1], ";")) end -= 1;
  return nodes.slice(0, end);
}

function explained(nodes: readonly Node[]): SqlStatement {
  let at = 1;
  while (isWord(nodes[at], ...EXPLAIN_WORDS)) at += 1;
  if (!isQuestion(nodes[at])) throw new SqlError(`${QUESTIONS}, and EXPLAIN takes SELECT or WITH`);
  return { kind: "explain", nodes: nodes.slice(at) };
}

function shown(nodes: readonly Node[]): SqlStatement {
  if (isWord(nodes[1], "tables") && nodes.length === 2) return { kind: "show-tables" };
  if (isWord(nodes[1], "columns") && isWord(nodes[2], "from", "in")) {
    return { kind: "show-columns", table: tableAt(nodes, 3) };
  }
  throw new SqlError(`${QUESTIONS}, not ${print(nodes).trim()}`);
}

/** The last part of the name that ends the statement. */
function tableAt(nodes: readonly Node[], at: number): string {
  const last = nodes.at(-1);
  const rest = nodes.slice(at);
  const isPath = rest.every((node, index) =>
    index % 2 === 0 ? isName(node) : isSymbol(node, "."),
  );
  if (!isPath || !isName(last) || rest.length === 0)
    throw new SqlError("the name of a table is missing");
  return nameOf(last);
}
