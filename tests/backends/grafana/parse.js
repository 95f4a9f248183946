// Reads a JSON list of TraceQL queries from the standard input; prints those that Grafana's own grammar does not take, a
// JSON list of [query, position].
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-traceql";

const wrong = [];
for (const query of JSON.parse(readFileSync(0, "utf8"))) {
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) wrong.push([query, node.from]);
    },
  });
}
console.log(JSON.stringify(wrong));
