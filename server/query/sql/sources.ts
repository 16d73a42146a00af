/** What stands in FROM clauses: schemas, subqueries without an alias, and arrays that are unnested. */
import { Edits } from "./edits.ts";
import { aliasOf } from "./infer.ts";
import { itemsOf, type Select, selectsOf, type Source, sourcesOf } from "./select.ts";
import { SqlError } from "./tokens.ts";
import {
  type Group,
  isGroup,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  placed,
  print,
  quoted,
  symbol,
  word,
} from "./tree.ts";

const CATALOG = "restate";
const SCHEMAS = ["public", "information_schema"];
/** The database itself, which holds what is nobody's business. */
const HIDDEN_SCHEMAS = ["main", "temp"];
/** Tables and functions about the database. */
const HIDDEN_NAMES = ["sqlite_", "pragma_"];

/** Takes the schemas off the names of views. Throws `SqlError` for a schema that does not exist. */
export function withoutSchemas(nodes: readonly Node[], edits: Edits): void {
  refuseHidden(nodes);
  for (const { from } of selectsOf(nodes)) {
    if (from === undefined) continue;
    for (const { start, at, node } of sourcesOf(nodes, from)) {
      if (start === at) continue;
      checkSchema(nodes.slice(start, at));
      edits.replace(start, at + 1 - start, [placed(node, nodes[start]?.before ?? " ")]);
    }
  }
}

function refuseHidden(nodes: readonly Node[]): void {
  for (const [at, node] of nodes.entries()) {
    if (node.kind === "group" || node.kind === "number" || node.kind === "blob") continue;
    const name = node.value.toLowerCase();
    if (HIDDEN_SCHEMAS.includes(name) && isSymbol(nodes[at + 1], ".")) {
      throw new SqlError(`there is no schema ${name}: the views are in restate.public`);
    }
    const isRelation = node.kind !== "string" || isWord(nodes[at - 1], "from", "join", "in");
    if (isRelation && HIDDEN_NAMES.some((hidden) => name.startsWith(hidden))) {
      throw new SqlError(`no such table: ${node.value}`);
    }
  }
}

function checkSchema(path: readonly Node[]): void {
  const names = path.filter(isName).map(nameOf);
  const schema = names.at(-1) ?? "";
  const isKnown = SCHEMAS.includes(schema) && (names.length === 1 || names[0] === CATALOG);
  if (!isKnown || names.length > 2) throw new SqlError(`there is no schema ${names.join(".")}`);
}

/**
 * `FROM (SELECT … FROM sys_invocation inv) WHERE inv.x`: the alias within names the subquery outside, too, where it has none.
 */
export function nameSubqueries(edits: Edits, sources: readonly Source[]): void {
  for (const source of sources) {
    if (!isGroup(source.node) || source.hasAlias) continue;
    const [inner] = selectsOf(source.node.nodes);
    if (inner?.from === undefined) continue;
    const within = sourcesOf(source.node.nodes, inner.from);
    const [only] = within;
    if (within.length !== 1 || only?.alias === undefined) continue;
    edits.insert(source.end, [word("AS"), quoted(only.alias)]);
  }
}

/** `SELECT unnest(list)`: a row for each element, by a join. */
export function unnestItems(edits: Edits, nodes: readonly Node[], select: Select): void {
  let number = 0;
  let at = select.items.start;
  const joined: Node[] = [];
  for (const item of itemsOf(nodes, select)) {
    const [call, list] = item;
    if (isWord(call, "unnest") && isGroup(list)) {
      number += 1;
      const name = `unnest ${number}`;
      edits.replace(at, 2, [quoted(name, call?.before), symbol("."), word("unnest", "")]);
      joined.push(...joinOf(list, name, select.from === undefined && number === 1));
    }
    at += item.length + 1;
  }
  if (joined.length > 0) edits.insert(select.from?.end ?? select.items.end, joined);
}

function joinOf(list: Group, name: string, isFirst: boolean): readonly Node[] {
  const lead = isFirst ? word("FROM") : symbol(",");
  return [lead, word("unnest"), placed(list, ""), word("AS"), quoted(name)];
}

/** Columns of the result are called as they were written, whatever becomes of their expressions. */
export function nameItems(nodes: readonly Node[]): readonly Node[] {
  const [select] = selectsOf(nodes);
  if (select === undefined) return nodes;
  const edits = new Edits();
  let end = select.items.start;
  for (const item of itemsOf(nodes, select)) {
    end += item.length;
    if (!isPath(item) && aliasOf(item) === undefined) {
      edits.insert(end, [word("AS"), quoted(print(item).trim())]);
    }
    end += 1;
  }
  return edits.apply(nodes);
}

/** A name, or `*`, with what it is of. */
function isPath(item: readonly Node[]): boolean {
  if (isWord(item[0], "true", "false", "null")) return false;
  return item.every((node, at) =>
    at % 2 === 0 ? isName(node) || isSymbol(node, "*") : isSymbol(node, "."),
  );
}
